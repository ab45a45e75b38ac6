"""Documents written in other languages and read again compute the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given, settings

from comeo.indicators.catalogue import predefined
from comeo.indicators.document import Document, read_document
from comeo.indicators.formula import names
from comeo.indicators.problems import DocumentError
from comeo.indicators.translate import TranslationError, export_document, import_document, to_toml
from comeo.indicators.translate.qgis import write_text
from comeo.indicators.tree import Node
from tests.comeo.indicators.translate import made

# The angle of two zeros depends on their signs, which nobody keeps.
WITHOUT_ATAN2 = tuple(name for name in made.BINARY if name != "atan2")
# Nor is an infinite number on the way the same everywhere: that of no power, as a logarithm.
WITHOUT_DB = tuple(name for name in made.UNARY if name not in ("db", "log", "log10"))


def back(document: Document, language: str) -> Document:
    """The document that its own export is read as."""
    bands: list[str] = []
    if language == "qgis":
        bands = list(write_text(document, "qgis")[1])
    text = export_document(document, language)
    try:
        return import_document(text, language, bands).document
    except (TranslationError, DocumentError) as error:
        # What does not depend on bands is worked out, and renders have no steps.
        assume("no band" not in str(error) and "more than 200 terms" not in str(error))
        raise


@pytest.mark.parametrize("language", ["openeo", "evalscript", "snap"])
@settings(max_examples=60, deadline=None)
@given(tree=made.trees(unary=WITHOUT_DB, binary=WITHOUT_ATAN2))
def test_formulas_come_back(language: str, tree: Node) -> None:
    assume(names(tree))
    if language == "evalscript":
        pytest.importorskip("tree_sitter")
    document = made.document(tree)
    values = made.finite(tree, made.pixels())
    made.same(made.evaluated(back(document, language), values), made.evaluated(document, values))


@settings(max_examples=60, deadline=None)
@given(tree=made.trees(unary=WITHOUT_DB, binary=WITHOUT_ATAN2))
def test_formulas_come_back_from_qgis(tree: Node) -> None:
    assume(names(tree))
    document = made.document(tree)
    values = made.finite(tree, made.pixels())
    made.same(made.evaluated(back(document, "qgis"), values), made.evaluated(document, values))


@settings(max_examples=60, deadline=None)
@given(tree=made.trees(unary=WITHOUT_DB, binary=WITHOUT_ATAN2))
def test_formulas_come_back_from_renders(tree: Node) -> None:
    assume(names(tree))
    document = made.document(tree)
    values = made.finite(tree, made.pixels())
    made.same(made.evaluated(back(document, "render"), values), made.evaluated(document, values))


@pytest.mark.parametrize("language", ["openeo", "evalscript"])
@pytest.mark.parametrize("keep", [["land"], ["clear"], ["land", "water", "shadow", "thin"]])
def test_validity_range_mask_and_time_come_back(language: str, keep: list[str]) -> None:
    if language == "evalscript":
        pytest.importorskip("tree_sitter")
    document = made.document(
        "(B08 - B04) / (B08 + B04)",
        value={"valid": "B04 > 0 and B08 > 0", "range": [-1, 0.5]},
        mask={"keep": keep},
        temporal={"window": "P1M", "statistic": "median", "min_dates": 3},
    )
    found = back(document, language)
    kept = next(iter(found.inputs.values())).mask
    expected = ["land", "water", "snow"] if keep == ["clear"] else keep
    assert kept is not None
    assert kept.keep == expected
    assert found.temporal is not None
    assert (found.temporal.statistic, found.temporal.min_dates) == ("median", 3)
    assert found.value.range == (-1.0, 0.5)
    assert found.value.valid is not None
    made.same(made.evaluated(found, made.pixels()), made.evaluated(document, made.pixels()))


def test_radar_comes_back_in_decibels() -> None:
    document = Document.model_validate(
        {
            "pof": 1, "id": "rvi", "version": "1.0.0", "title": {"en": "RVI"},
            "inputs": {"s1": {"constellation": "sentinel-1", "bands": {"vv": "VV", "vh": "VH"}}},
            "value": {"formula": "4 * lin(vh) / (lin(vv) + lin(vh))"},
        }
    )  # fmt: skip
    values = {"VV": made.pixels()["B04"] * -20, "VH": made.pixels()["B08"] * -30}
    for language in ("openeo", "evalscript", "qgis"):
        if language == "evalscript":
            pytest.importorskip("tree_sitter")
        found = back(document, language)
        assert next(iter(found.inputs.values())).constellation == "sentinel-1"
        made.same(made.evaluated(found, values), made.evaluated(document, values))


def test_what_is_written_as_toml_is_the_same_document() -> None:
    for document in predefined().all():
        again = read_document(to_toml(document).encode(), "toml")
        assert again == document
        assert again.fingerprint == document.fingerprint


@pytest.mark.parametrize("language", ["openeo", "evalscript", "render", "qgis", "snap", "gdal"])
def test_predefined_documents_are_written_or_refused_in_a_sentence(language: str) -> None:
    written = 0
    for document in predefined().all():
        try:
            text = export_document(document, language)
        except TranslationError as error:
            assert len(str(error)) < 250
        else:
            written += 1
            assert text.endswith("\n")
            if language in ("openeo", "render"):
                json.loads(text)
    assert written


def test_steps_keep_a_long_graph_short() -> None:
    formula = "+".join(["(B08 - B04) / max(B08 + B04, 0.01)"] * 8)
    found = back(made.document(formula), "openeo")
    assert found.let
    made.same(made.evaluated(found, made.pixels()), made.evaluated(made.document(formula), made.pixels()))
