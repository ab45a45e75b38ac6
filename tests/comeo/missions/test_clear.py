"""Classes of clear pixels, masks by them, and their shares."""

from __future__ import annotations

import numpy as np
import pytest

from comeo.errors import ParameterError
from comeo.missions.clear import (
    CLASSES,
    WORDS,
    ClearMask,
    clear_percentage,
    cloud_percentage,
    counts_of,
    shares_of,
)
from comeo.missions.sentinel2 import CLASSES as SCL


def test_classes_are_numbered_in_their_order_and_palettes_have_a_colour_each() -> None:
    assert [each.number for each in CLASSES] == list(range(1, 7))
    assert len({each.colour for each in CLASSES}) == len(CLASSES)
    assert WORDS == ("clear", "land", "water", "snow", "shadow", "thin", "cloud")


def test_a_mask_keeps_the_classes_that_its_words_name() -> None:
    everything = np.arange(7, dtype=np.uint8)
    for words, kept in (
        (["clear"], [1, 2, 3]), (["land"], [1]), (["land", "water"], [1, 2]),
        (["clear", "thin"], [1, 2, 3, 5]),
    ):  # fmt: skip
        mask = ClearMask.of(words)
        assert everything[mask.keeps(everything)].tolist() == kept
        assert ClearMask.of(mask.names) == mask


@pytest.mark.parametrize(("words", "said"), [(["clouds"], "'clouds' is unknown"), ([], "names no class")])
def test_a_mask_of_unknown_words_is_refused_with_those_that_there_are(words: list[str], said: str) -> None:
    with pytest.raises(ParameterError, match=said) as refused:
        ClearMask.of(words)
    assert all(word in str(refused.value) for word in WORDS)


def test_shares_are_of_the_pixels_that_have_data() -> None:
    classes = np.array([[0, 0, 1, 1], [2, 3, 5, 6]], np.uint8)
    shares = shares_of(counts_of(classes))
    assert shares is not None
    assert sum(shares.values()) == pytest.approx(100, abs=1e-3)
    assert shares["land"] == pytest.approx(100 / 3, abs=1e-3)
    assert shares["shadow"] == 0
    assert clear_percentage(shares) == pytest.approx(200 / 3, abs=1e-3)
    assert cloud_percentage(shares) == pytest.approx(100 / 3, abs=1e-3)
    assert shares_of(counts_of(np.zeros((2, 2), np.uint8))) is None


def test_the_scene_classification_becomes_the_six_classes() -> None:
    """Numbers as in ESA's Level-2A product definition: no cloud, shadow or defect is called clear."""
    names = {each.number: each.name for each in CLASSES} | {0: "nodata"}
    assert [names[number] for number in SCL.clear] == [
        "nodata", "thin", "shadow", "shadow", "land", "land", "water", "thin", "cloud", "cloud", "thin",
        "snow",
    ]  # fmt: skip
