"""The Awesome Spectral Indices as documents: how many are offered, and that they equal spyndex's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from comeo.indicators.compiled import expression_of_document
from comeo.indicators.indices import LETTERS, RADAR, indices, offered

spyndex = pytest.importorskip("spyndex")


def test_what_is_not_offered_has_a_reason() -> None:
    found = indices()
    refused = [each for each in found if each.document is None]
    assert len(found) == len(spyndex.indices)
    assert all(each.reason for each in refused)
    assert len(offered()) >= 200
    assert len({each.id for each in offered()}) == len(offered())
    assert all(each.origin == "asi" for each in offered())


def _values() -> dict[str, Any]:
    random = np.random.default_rng(1)
    bands = {letter: random.uniform(0.02, 0.6, (1, 200)) for letter in LETTERS}
    return {**bands, **{name: random.uniform(0.002, 0.3, (1, 200)) for name in RADAR}}


@pytest.mark.parametrize(
    "index", [each for each in indices() if each.document is not None], ids=lambda each: each.name
)
def test_values_are_those_of_spyndex(index: Any) -> None:
    values = _values()
    symbols = spyndex.indices[index.name].bands
    constants = {each: spyndex.constants[each].default for each in symbols if each not in values}
    given = {each: values[each] for each in symbols if each in values}
    with np.errstate(all="ignore"):
        expected = np.asarray(spyndex.computeIndex(index.name, {**given, **constants}), float)
    radar = any(each in RADAR for each in symbols)
    arrays = {name: (10 * np.log10(values[name])).astype(np.float32) for name in given if name in RADAR} | {
        LETTERS[name]: values[name].astype(np.float32) for name in given if name in LETTERS
    }
    names = {name: arrays[choices[0]] for name, (_, choices) in index.document.bands.items()}
    found = expression_of_document(index.document).evaluate(names)[0]
    expected = np.where(np.isfinite(expected), expected, np.nan)
    # Single precision loses digits where nearly equal numbers are subtracted: most pixels, and no bias.
    scale = np.nanmedian(np.abs(expected)) + 1e-9
    differences = np.abs(found - expected) / np.maximum(np.abs(expected), scale)
    assert np.nanmedian(differences) < 1e-5 * (10 if radar else 1)
    assert np.mean(differences[np.isfinite(differences)] < 1e-2) > 0.98
    assert np.mean(np.isnan(found) == np.isnan(expected)) > 0.99
