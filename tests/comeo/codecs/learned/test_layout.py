"""Order of decoding, and what the networks see of it, against slow and plain references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comeo.codecs.learned import layout
from comeo.codecs.learned.features import COPIES, Context, neighbours_of_pass

sides = st.integers(1, 12)
grids = st.lists(st.tuples(sides, sides), min_size=1, max_size=4).map(tuple)
OPPOSITE = (1, 0, 3, 2)


@settings(max_examples=60, deadline=None)
@given(grids)
@example(((1, 1),))
@example(((1, 12), (12, 1)))
@example(((2, 2), (1, 1), (5, 3)))
def test_every_tile_is_decoded_once_a_group(shapes: tuple[tuple[int, int], ...]) -> None:
    count = sum(rows * columns for rows, columns in shapes)
    plans = layout.passes(shapes)
    assert [len(plan) for plan in plans] == list(layout.PASSES)
    for plan in plans:
        np.testing.assert_array_equal(np.sort(np.concatenate([step.tiles for step in plan])), range(count))
        for step in plan:
            assert (np.diff(step.tiles) > 0).all(), "rising, so that each payload's bytes are read in order"


@settings(max_examples=60, deadline=None)
@given(grids)
def test_only_what_has_been_decoded_is_known(shapes: tuple[tuple[int, int], ...]) -> None:
    count = sum(rows * columns for rows, columns in shapes)
    for plan in layout.passes(shapes):
        done = np.zeros(count + 1, bool)
        done[count] = True  # the row of zeros
        assert plan[0].known is None
        for step in plan:
            assert step.known is None or done[step.known].all()
            done[step.tiles] = True


@settings(max_examples=60, deadline=None)
@given(grids)
def test_a_batch_is_its_blocks_side_by_side(shapes: tuple[tuple[int, int], ...]) -> None:
    """No tile sees another block, and each block's tiles are what they are alone."""
    count = sum(rows * columns for rows, columns in shapes)
    starts = np.cumsum([0, *(rows * columns for rows, columns in shapes)])
    for group, plan in enumerate(layout.passes(shapes)):
        for number, step in enumerate(plan):
            parts = [layout.passes((shape,))[group][number] for shape in shapes]
            for field in ("tiles", "around", "known"):
                together = getattr(step, field)
                if together is None:
                    assert getattr(parts[0], field) is None
                    continue
                apart = [
                    np.where(getattr(part, field) == rows * columns, count, getattr(part, field) + start)
                    for part, start, (rows, columns) in zip(parts, starts, shapes, strict=False)
                ]
                np.testing.assert_array_equal(together, np.concatenate(apart))


@settings(max_examples=40, deadline=None)
@given(sides, sides)
def test_neighbours_are_opposite_pairs_at_the_distance_of_what_is_known(rows: int, columns: int) -> None:
    offsets = {1: (2, 2), 2: (0, 2), 3: (1, 1), 4: (0, 1)}  # distance along y and x of the kinds
    for number, step in enumerate(layout.passes(((rows, columns),))[0]):
        if step.known is None:
            continue
        for tile, known in zip(step.tiles.tolist(), step.known.tolist(), strict=True):
            y, x = divmod(tile, columns)
            for side, other in enumerate(known):
                if other == rows * columns:
                    assert known[OPPOSITE[side]] == rows * columns
                    continue
                down, right = other // columns - y, other % columns - x
                assert tuple(sorted((abs(down), abs(right)))) == offsets[number]
                if known[OPPOSITE[side]] != other:
                    opposite = known[OPPOSITE[side]]
                    assert (opposite // columns - y, opposite % columns - x) == (-down, -right)


def test_groups_tell_of_all_channels() -> None:
    assert sum(layout.GROUPS) == layout.CHANNELS == 4 * 256
    assert list(layout.STARTS) == [sum(layout.GROUPS[:group]) for group in range(5)]


def plain_magnitude(size: int) -> int:
    """log2(1 + size) in sixteenths, rounded, of at most 240."""
    return math.floor(16 * math.log2(1 + min(size, 240)) + 0.5)


@pytest.mark.parametrize("shapes", [((1, 1),), ((3, 4), (1, 2)), ((6, 5),)])
def test_features_equal_those_of_a_plain_reference(shapes: tuple[tuple[int, int], ...]) -> None:
    rng = np.random.default_rng(4)
    count = sum(rows * columns for rows, columns in shapes)
    final = np.rint(rng.standard_cauchy((count + 1, layout.CHANNELS)) * 3).clip(-(2**20), 2**20)
    final = final.astype(np.int32)
    final[-1] = 0
    energy = rng.integers(0, 128, (count, layout.COMPONENTS)).astype(np.uint8)
    plan = layout.passes(shapes)
    symbols = np.zeros_like(final)
    context = Context(symbols, energy, plan[-1][0].around)
    for group, steps in enumerate(plan):
        here = slice(layout.STARTS[group], layout.STARTS[group] + layout.GROUPS[group])
        for step in steps:
            features = context.of_pass(group, step)
            neighbours = neighbours_of_pass(group, step, symbols)
            for place, tile in enumerate(step.tiles.tolist()):
                own = [] if step.known is None else step.known[place].tolist()
                around = step.around[place].tolist()
                wanted = plain_features(group, tile, own, around, symbols, energy)
                assert features[place].tolist() == wanted
                told = plain_neighbours(group, tile, own, around, symbols)
                assert (neighbours[place].tolist() if neighbours is not None else None) == (told or None)
            symbols[step.tiles, here] = final[step.tiles, here]
        context.add(group)
    np.testing.assert_array_equal(symbols, final)


def plain_features(
    group: int, tile: int, own: list[int], around: list[int], symbols: np.ndarray, energy: np.ndarray
) -> list[int]:
    size = np.abs(symbols.astype(np.int64))

    def pairs(tiles: list[int], channels: range) -> list[int]:
        sums = [size[tiles[0]] + size[tiles[1]], size[tiles[2]] + size[tiles[3]]]
        return [plain_magnitude(int(total[c])) for total in sums for c in channels]

    found = energy[tile].tolist() * COPIES
    if own:
        start = layout.STARTS[group]
        found += pairs(own, range(start, start + layout.GROUPS[group]))
    for start, count in zip(layout.STARTS[:group], layout.GROUPS[:group], strict=True):
        channels = range(start, start + count)
        found += [plain_magnitude(int(size[tile, c])) for c in channels]
        if group < layout.NEAR:
            found += pairs(around, channels)
    return found


def plain_neighbours(
    group: int, tile: int, own: list[int], around: list[int], symbols: np.ndarray
) -> list[float]:
    if group >= layout.LINEAR:
        return []
    start = layout.STARTS[group]
    found = [symbols[other, start : start + layout.GROUPS[group]] for other in own]
    for start, count in zip(layout.STARTS[:group], layout.GROUPS[:group], strict=True):
        found += [symbols[other, start : start + count] for other in (tile, *around)]
    return [float(min(max(int(value), -2047), 2047)) for part in found for value in part]
