"""The bound on decoded samples holds for a whole request, and is checked before any work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import BoundError
from comeo.grid import Grid
from comeo.view.budget import Budget
from tests.comeo.view.exact import ExactArchive, archived, reader_of
from tests.scenes import UTM32, array_group, array_scene, landscape

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
GRID = Grid(UTM32, FINE, 256, 256)
# A block of a group with one band.
BLOCK = 256 * 256


@given(st.lists(st.integers(0, 100), max_size=20), st.integers(0, 500))
def test_the_sum_is_bounded(takes: list[int], limit: int) -> None:
    budget, total = Budget(limit), 0
    for samples in takes:
        total += samples
        if total > limit:
            with pytest.raises(BoundError, match=f"more than {limit}") as refused:
                budget.take(samples)
            assert refused.value.bound == "max_decoded_samples"
            return
        budget.take(samples)
    assert budget.taken == total


def test_without_a_limit_nothing_is_refused() -> None:
    budget = Budget()
    budget.take(1 << 60)
    assert budget.renewed().taken == 0


@pytest.fixture
def archive() -> ExactArchive:
    """One block of a band at 10 m, and one at 20 m."""
    fine = array_group(landscape(1, 256, 256), names=["B04"], transform=FINE)
    coarse = array_group(landscape(1, 128, 128), names=["B11"], transform=FINE @ Affine.scale(2))
    return archived(array_scene(fine, coarse))


def test_groups_of_a_request_are_added_up_before_anything_is_decoded(archive: ExactArchive) -> None:
    """Each group alone was below the bound, so both were decoded."""
    reader = replace(reader_of(archive), budget=Budget(BLOCK * 3 // 2))
    with pytest.raises(BoundError, match=f"{2 * BLOCK} decoded samples"):
        reader.read(GRID, ["B04", "B11"])
    assert archive.decoded == []
    assert reader.renewed().read(GRID, ["B04"]).count == 1


def test_calls_of_a_request_are_added_up(archive: ExactArchive) -> None:
    reader = replace(reader_of(archive), budget=Budget(BLOCK * 3 // 2))
    reader.read(GRID, ["B04"])
    with pytest.raises(BoundError):
        reader.read(GRID, ["B04"])
    with pytest.raises(BoundError):
        reader.point(8.64, 47.46)


def test_cached_blocks_count_like_others_and_can_not_be_written_to(archive: ExactArchive) -> None:
    reader = reader_of(archive)
    for _ in range(2):
        reader.read(GRID, ["B04"])
    assert reader.budget.taken == 2 * BLOCK
    (block,) = reader.blocks.get_many([("exact", "r10m", 0, 0, 0, 0)], lambda _: pytest.fail("not cached"))
    with pytest.raises(ValueError, match="read-only"):
        block[:] = np.uint16(0)
