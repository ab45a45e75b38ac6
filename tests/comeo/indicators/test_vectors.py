"""The vectors of docs/pof, by which other implementations check themselves, hold here."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comeo.indicators.compiled import expression_of_document
from comeo.indicators.document import canonical, fingerprint, read_document
from comeo.indicators.formula import parse_formula
from comeo.indicators.problems import DocumentError
from comeo.indicators.tree import from_json, to_json
from comeo.indicators.trials import run_tests

FOLDER = Path(__file__).parents[3] / "docs" / "pof" / "vectors"
VECTORS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
VALUES = [name for name, each in VECTORS.items() if "expected" in each]


@pytest.mark.parametrize("name", VALUES)
def test_results_are_those_of_the_vector(name: str) -> None:
    vector = VECTORS[name]
    document = read_document(json.dumps(vector["document"]).encode(), "json")
    assert canonical(document).decode() == vector["canonical"]
    assert fingerprint(document) == vector["sha256"]
    values = {band: np.array(rows, np.float32) for band, rows in vector["inputs"].items()}
    found = expression_of_document(document).evaluate(values)
    expected = np.array(vector["expected"], float)
    np.testing.assert_allclose(found, expected, rtol=vector["tolerance"], atol=vector["tolerance"])


@pytest.mark.parametrize(("text", "tree"), VECTORS["trees"]["formulas"])
def test_formulas_are_the_trees_of_the_vector(text: str, tree: Any) -> None:
    assert to_json(parse_formula(text)) == tree
    assert from_json(tree) == parse_formula(text)


@pytest.mark.parametrize("refused", VECTORS["refused"]["documents"], ids=lambda each: each["about"])
def test_documents_are_refused_for_the_field_of_the_vector(refused: Any) -> None:
    with pytest.raises(DocumentError) as error:
        read_document(json.dumps(refused["document"]).encode(), "json")
    assert [each.path for each in error.value.problems] == refused["paths"]
    assert (error.value.offset, error.value.length) == (refused["offset"], refused["length"])


def _shifted(values: np.ndarray[Any, Any], rows: int, columns: int) -> np.ndarray[Any, Any]:
    out = np.full(values.shape, np.nan)
    height, width = values.shape
    for y in range(height):
        for x in range(width):
            if 0 <= y + rows < height and 0 <= x + columns < width:
                out[y, x] = values[y + rows, x + columns]
    return out


@pytest.mark.parametrize(
    ("name", "reduce"),
    [("focal-mean", np.nanmean), ("focal-median", np.nanmedian), ("focal-std", np.nanstd),
     ("focal-min", np.nanmin), ("focal-max", np.nanmax)],
)  # fmt: skip
def test_windows_of_vectors_are_those_of_numpy(name: str, reduce: Any) -> None:
    values = np.array(VECTORS[name]["inputs"]["nir"], float)
    stack = np.stack([_shifted(values, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    expected = np.where(np.isnan(values), np.nan, reduce(stack, axis=0))
    np.testing.assert_allclose(np.array(VECTORS[name]["expected"][0], float), expected, atol=1e-5)


def test_plain_vectors_are_those_of_numpy_in_double_precision() -> None:
    formulas: dict[str, Callable[..., Any]] = {
        "arithmetic": lambda nir, red: -(nir**2) + 3 * red / 0.5 - (nir % 0.07) ** 0.5 + 2**-nir,
        "steps": lambda nir, red: 2 * (np.maximum(nir - red, 0.1) + nir - red),
        "valid-then-range": lambda nir, red: np.where(
            (red > 0) & (nir + red > 0.05) & (np.abs((nir - red) / (nir + red)) <= 0.5),
            (nir - red) / (nir + red), np.nan,
        ),
    }  # fmt: skip
    for name, of in formulas.items():
        vector = VECTORS[name]
        inputs = {band: np.array(rows, float) for band, rows in vector["inputs"].items()}
        with np.errstate(all="ignore"):
            expected = of(**inputs)
        np.testing.assert_allclose(np.array(vector["expected"][0], float), expected, atol=1e-5)


def test_the_example_of_the_specification_is_valid_and_passes_its_tests() -> None:
    text = (FOLDER.parents[1] / "pof.md").read_text("utf-8")
    example = textwrap.dedent(text.split("```toml\n")[1].split("```")[0])
    results = run_tests(read_document(example.encode(), "toml"))
    assert [each.passed for each in results] == [True, True]
