"""What is proposed for a word that there is not: what the keys may have made of it, and nothing else."""

from __future__ import annotations

import pytest

from comeo.indicators.document import read_document
from comeo.indicators.problems import DocumentError
from comeo.indicators.typos import nearest


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("B4", ["B02", "B04"], "B04"),
        ("b04", ["B02", "B04"], "B04"),
        ("rde", ["nir", "red"], "red"),
        ("colour", ["color", "colormap"], "color"),
        ("sqr", ["abs", "sqrt"], "sqrt"),
        ("focal_maen", ["focal_max", "focal_mean"], "focal_mean"),
        ("B11", ["B01", "B02"], None),
        ("B11", ["B12"], None),
        ("B13", ["B03", "B12"], None),
        ("VH", ["VV"], None),
        ("x", ["xy", "y"], None),
        ("", ["a"], None),
        ("nonsense", ["nd", "sin", "sense_of"], None),
    ],
)
def test_a_word_is_proposed_for_a_slip_only(word: str, known: list[str], meant: str | None) -> None:
    assert nearest(word, known) == meant


def test_a_band_that_the_document_lacks_is_no_slip() -> None:
    text = """
        pof = 1
        id = "one"
        version = "1.0.0"
        licence = "CC0-1.0"
        [title]
        en = "One"
        [inputs.scene]
        constellation = "sentinel-2"
        bands = { B01 = "B01", B02 = "B02" }
        [value]
        formula = "B02 - B11"
    """
    with pytest.raises(DocumentError) as caught:
        read_document(text.encode(), "toml")
    (problem,) = caught.value.problems
    assert problem.hint == "names are B01, B02; to read the band B11, add it to the bands of an input"
