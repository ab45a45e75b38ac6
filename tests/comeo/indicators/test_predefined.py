"""Predefined indicators: whole, bounded, and in the bands of their mission."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import ParameterError
from comeo.indicators.catalogue import predefined
from comeo.indicators.compiled import compile_for, expression_of_document, map_classes
from comeo.indicators.document import Document, unit_of
from comeo.indicators.trials import check_published
from comeo.missions import MISSIONS, QUANTITIES
from comeo.scene import Band

DOCUMENTS = predefined().all()
EACH = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.id)
DIFFERENCES = [
    each for each in DOCUMENTS if each.formula_texts.get("value.formula") == "(a - b) / max(a + b, 0.0001)"
]
VALUES = st.floats(-1, 2, width=32)
LANGUAGES = {"en", "fr", "pt", "es", "ar"}


@EACH
def test_a_document_is_described_wholly(document: Document) -> None:
    check_published(document)
    assert set(document.title) == LANGUAGES
    assert all(set(each.title) == LANGUAGES for each in document.classes)
    assert document.description is not None
    assert set(document.description) == LANGUAGES
    assert all(each.endswith(".") for each in document.description.values())
    assert len(set(document.description.values())) == len(LANGUAGES), "none is left in English"
    assert document.reference
    (source,) = document.inputs.values()
    mission = MISSIONS[source.constellation or ""]
    unit = unit_of(source)
    assert unit in QUANTITIES
    names = [name for _, each in document.bands.values() for name in each]
    assert set(names) <= set(mission.bands)
    bands = [Band(name, unit=unit) for name in names]
    assert compile_for(document, bands).expression.bands
    with pytest.raises(ParameterError):
        compile_for(document, [Band(name) for name in names])
    assert [each.number for each in map_classes(document)] == list(range(len(document.classes)))
    assert bool(document.classes) != bool(document.display)


def test_an_id_is_used_once_and_is_no_bands() -> None:
    names = [each.id for each in DOCUMENTS]
    assert len(names) == len(set(names)) >= 15
    assert not {name.lower() for mission in MISSIONS.values() for name in mission.bands} & set(names)


@pytest.mark.parametrize("document", DIFFERENCES, ids=lambda each: each.id)
@given(data=st.data())
def test_a_normalised_difference_is_bounded_and_defined_everywhere(
    document: Document, data: st.DataObject
) -> None:
    values = {name: np.array([[data.draw(VALUES)]], np.float32) for name in document.bands}
    found = float(expression_of_document(document).evaluate(values)[0, 0, 0])
    assert -1 <= found <= 1
    if len(values) == 2:
        a, b = (max(float(each[0, 0]), 0) for each in values.values())
        assert found == pytest.approx((a - b) / max(a + b, 1e-4), abs=1e-5)


def test_a_band_of_another_mission_is_not_taken() -> None:
    burn = predefined().find("burn")
    assert burn is not None
    for mission, able in (("sentinel-2", True), ("Landsat", False), ("", True)):
        bands = [Band(name, unit="reflectance", mission=mission) for name in ("B8A", "B12")]
        if able:
            compile_for(burn, bands)
        else:
            with pytest.raises(ParameterError):
                compile_for(burn, bands)
