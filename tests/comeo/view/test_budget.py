"""The budget holds for a whole request, and is checked before any work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import BoundError
from comeo.grid import Grid
from comeo.view.budget import BlockKey, Budget, Limit, Limits
from tests.comeo.view.exact import ExactArchive, archived, reader_of
from tests.scenes import UTM32, array_group, array_scene, landscape

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
GRID = Grid(UTM32, FINE, 256, 256)
# A block of a group with one band.
BLOCK = 256 * 256


def key(number: int) -> BlockKey:
    return "etag", "r10m", 0, 0, 0, number


def decoding(limit: int) -> Budget:
    return Budget(Limits(decoded=Limit(limit, "max_decoded_samples")))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 100)), max_size=20), st.integers(0, 500))
def test_the_sum_of_different_blocks_is_bounded(blocks: list[tuple[int, int]], limit: int) -> None:
    budget, seen = decoding(limit), dict[int, int]()
    for number, samples in blocks:
        seen.setdefault(number, samples)
        if sum(seen.values()) > limit:
            with pytest.raises(BoundError, match=f"more than {limit}") as refused:
                budget.decode({key(number): samples})
            assert refused.value.bound == "max_decoded_samples"
            return
        budget.decode({key(number): samples})
    assert budget.decoded == sum(seen.values())


def _open_three(budget: Budget) -> None:
    for name in "abc":
        budget.open(f"{name}{budget.opened}")
        budget.open(f"{name}{budget.opened - 1}")


SPENT: dict[str, Callable[[Budget], None]] = {
    "warped": lambda budget: budget.warp(3),
    "computed": lambda budget: budget.compute(3),
    "made": lambda budget: budget.make(3),
    "opened": _open_three,
}


@pytest.mark.parametrize("kind", SPENT)
def test_each_kind_of_work_has_its_bound(kind: str) -> None:
    budget = Budget(Limits(**{kind: Limit(5, f"max_{kind}")}))
    SPENT[kind](budget)
    with pytest.raises(BoundError, match="more than 5") as refused:
        SPENT[kind](budget)
    assert refused.value.bound == f"max_{kind}"


def test_one_image_is_bounded_apart_from_the_request() -> None:
    budget = Budget(Limits(decoded=Limit(100, "all"), at_once=Limit(10, "one")))
    for number in range(10):
        budget.decode({key(number): 10})
    with pytest.raises(BoundError) as refused:
        budget.decode({key(1): 10, key(2): 10})
    assert refused.value.bound == "one"


def test_what_was_announced_costs_nothing_more() -> None:
    budget = decoding(100)
    budget.announce({key(number): 10 for number in range(10)})
    budget.decode({key(3): 10})
    assert budget.decoded == 100


def test_without_a_limit_nothing_is_refused() -> None:
    budget = Budget()
    budget.decode({key(0): 1 << 60})
    budget.warp(1 << 60)
    budget.make(1 << 60)
    budget.open("a")
    assert (budget.decoded, budget.opened) == (1 << 60, 1)


@pytest.fixture
def archive() -> ExactArchive:
    """One block of a band at 10 m, and one at 20 m."""
    fine = array_group(landscape(1, 256, 256), names=["B04"], transform=FINE)
    coarse = array_group(landscape(1, 128, 128), names=["B11"], transform=FINE @ Affine.scale(2))
    return archived(array_scene(fine, coarse))


def test_groups_of_a_request_are_added_up_before_anything_is_decoded(archive: ExactArchive) -> None:
    """Each group alone was below the bound, so both were decoded."""
    reader = replace(reader_of(archive), budget=decoding(BLOCK * 3 // 2))
    with pytest.raises(BoundError, match=f"{2 * BLOCK} decoded samples"):
        reader.read(GRID, ["B04", "B11"])
    assert archive.decoded == []


def test_calls_of_a_request_are_added_up(archive: ExactArchive) -> None:
    reader = replace(reader_of(archive), budget=decoding(BLOCK * 3 // 2))
    reader.read(GRID, ["B04"])
    reader.point(8.64, 47.46, bands=["B04"])  # in the same block
    with pytest.raises(BoundError):
        reader.read(GRID, ["B11"])
    with pytest.raises(BoundError):
        reader.point(8.64, 47.46)


def test_warped_pixels_are_added_up_before_anything_is_decoded(archive: ExactArchive) -> None:
    limits = Limits(warped=Limit(2 * BLOCK, "max_warped_samples"))
    reader = replace(reader_of(archive), budget=Budget(limits))
    reader.read(GRID, ["B04"])
    with pytest.raises(BoundError, match="resampled") as refused:
        reader.read(GRID, ["B04", "B11"])
    assert refused.value.bound == "max_warped_samples"
    assert len(archive.decoded) == 1


def test_cached_blocks_count_like_others_and_can_not_be_written_to(archive: ExactArchive) -> None:
    reader = reader_of(archive)
    reader.read(GRID, ["B04"])
    later = replace(reader, budget=Budget())
    later.read(GRID, ["B04"])
    assert reader.budget.decoded == later.budget.decoded == BLOCK
    (block,) = reader.blocks.get_many([("exact", "r10m", 0, 0, 0, 0)], lambda _: pytest.fail("not cached"))
    with pytest.raises(ValueError, match="read-only"):
        block[:] = np.uint16(0)
