"""Order of decoding, and what the networks see of it, against slow and plain references."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comeo.codecs.learned.features import Known, bend_count, neighbour_count, quarter_octaves
from comeo.codecs.learned.layout import FIRST_LAYOUT as LAYOUT
from comeo.codecs.learned.layout import FREQUENCIES, Group, Layout
from tests.comeo.codecs.learned.plain_features import AXIAL, DIAGONAL, KNOWN, Plain, Shapes, near, tiles_of

sides = st.integers(1, 12)
grids = st.lists(st.tuples(sides, sides), min_size=1, max_size=4).map(tuple)

# Another kind of item: two components, the low ranks of both first.
RADAR = Layout(
    (0, 0),
    1,
    (
        Group((0,), 0, 4, 5, before=0),
        Group((1,), 0, 4, 3, (0,), 1, (0,), before=4),
        Group((0,), 4, 64, 2, (0, 1), 1, (0,), before=8),
        Group((1,), 4, 64, 2, (1, 2), 1, (1,), (1, 2), 3),
        Group((0,), 64, 256, 1, (2,), 1, (2,), (2,), 12),
        Group((1,), 64, 256, 1, (3, 4), 1, (3,), (3,), 12),
    ),
)


@settings(max_examples=60, deadline=None)
@given(grids)
@example(((1, 1),))
@example(((1, 12), (12, 1)))
@example(((2, 2), (1, 1), (5, 3)))
def test_every_tile_is_decoded_once_a_group(shapes: Shapes) -> None:
    steps = LAYOUT.plan(shapes).steps
    assert [len(plan) for plan in steps] == [group.passes for group in LAYOUT.groups]
    for plan in steps:
        tiles = np.concatenate([step.tiles for step in plan])
        np.testing.assert_array_equal(np.sort(tiles), range(tiles_of(shapes)))
        for step in plan:
            assert (np.diff(step.tiles) > 0).all(), "rising, so that each payload's bytes are read in order"


@settings(max_examples=60, deadline=None)
@given(grids)
def test_only_what_has_been_decoded_is_known(shapes: Shapes) -> None:
    for plan in LAYOUT.plan(shapes).steps:
        done = np.zeros(tiles_of(shapes) + 1, bool)
        done[-1] = True  # the row of zeros
        assert plan[0].known is None
        for step in plan:
            assert step.known is None or done[step.known].all()
            done[step.tiles] = True


def test_groups_look_at_groups_before_them_alone() -> None:
    places, partners = LAYOUT.places[0], LAYOUT.partners
    for number, group in enumerate(LAYOUT.groups):
        assert all(other < number for other in (*group.sizes, *group.pairs, *group.parents))
        assert group.again <= len(group.sizes)
        own = np.arange(LAYOUT.starts[number], LAYOUT.starts[number] + group.count)
        if group.crossed:
            assert (partners[own] < LAYOUT.starts[number]).all()
        else:
            assert (partners[own] == own).all()
        assert set(places[own]) == set(group.components)


@settings(max_examples=40, deadline=None)
@given(grids)
def test_neighbours_are_those_found_the_slow_way(shapes: Shapes) -> None:
    plan = LAYOUT.plan(shapes)
    for tile in range(tiles_of(shapes)):
        assert plan.around[tile].tolist() == near(shapes, tile, AXIAL, 1, mirrored=True)
        assert plan.beside[tile].tolist() == near(shapes, tile, AXIAL, 1, mirrored=False)
        assert plan.corners[tile].tolist() == near(shapes, tile, DIAGONAL, 1, mirrored=False)
    for steps in plan.steps:
        for number, step in enumerate(steps[1:], 1):
            assert step.known is not None
            for tile, known in zip(step.tiles.tolist(), step.known.tolist(), strict=True):
                assert known == near(shapes, tile, *KNOWN[len(steps), number], mirrored=True)


@settings(max_examples=40, deadline=None)
@given(sides, sides, st.integers(0, 2**32 - 1))
def test_a_pass_over_active_tiles_is_a_part_of_the_whole(rows: int, columns: int, seed: int) -> None:
    active = np.random.default_rng(seed).random(rows * columns) < 0.5
    for steps in LAYOUT.plan(((rows, columns),)).steps:
        for step in steps:
            part = step.where(active)
            assert part.tiles.tolist() == [tile for tile in step.tiles.tolist() if active[tile]]
            if step.known is None:
                assert part.known is None
            else:
                rows_of = dict(zip(step.tiles.tolist(), step.known.tolist(), strict=True))
                assert part.known is not None
                assert part.known.tolist() == [rows_of[tile] for tile in part.tiles.tolist()]


@pytest.mark.parametrize("layout", [LAYOUT, RADAR])
def test_a_layout_is_what_it_says_of_itself(layout: Layout) -> None:
    again = Layout.from_facts(json.loads(json.dumps(layout.facts())))
    assert again == layout
    assert again.items(1).shape == (1, layout.components)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"leading": 2}, "0 to 1 lead"),
        ({"predecessors": [0, 1]}, "predicts a component"),
        ({"predecessors": []}, "predicts a component"),
        ({"groups": [0]}, "damaged"),
        ({"groups": {}}, "leaves out channels"),
        ({0: {"components": [0, 1]}}, "different kinds"),
        ({0: {"components": []}}, "no range"),
        ({0: {"last": 300}}, "no range"),
        ({0: {"passes": 4}}, "4 passes"),
        ({0: {"before": 1}}, "channels that come after"),
        ({0: {"sizes": [0]}}, "looks at groups"),
        ({1: {"again": 2}}, "out of range"),
        ({2: {"first": 3}}, "again"),
        ({4: {"last": 255}}, "components that come after"),
        ({5: {"last": 255}}, "leaves out"),
        ({1: {"unheard": 1}}, "damaged"),
    ],
)
def test_a_layout_that_cannot_be_coded_is_refused(change: dict[str | int, Any], reason: str) -> None:
    facts = json.loads(json.dumps(RADAR.facts()))
    for name, value in change.items():
        if isinstance(name, int):
            facts["groups"][name] |= value
        else:
            facts[name] = value
    with pytest.raises(ValueError, match=reason):
        Layout.from_facts(facts)


def test_groups_tell_of_all_channels() -> None:
    component, rank = LAYOUT.places
    assert sorted(zip(component.tolist(), rank.tolist(), strict=True)) == [
        (c, r) for c in range(LAYOUT.components) for r in range(FREQUENCIES)
    ]
    counts = [group.count for group in LAYOUT.groups]
    assert [0, *accumulate(counts)] == [*LAYOUT.starts, LAYOUT.channels]


def test_a_channel_is_predicted_from_the_same_frequency() -> None:
    component, rank = LAYOUT.places
    for channel, other in enumerate(LAYOUT.partners.tolist()):
        assert rank[other] == rank[channel]
        assert component[other] == {0: 0, 1: 0, 2: 1, 3: 1}[int(component[channel])]


@settings(deadline=None)
@given(st.integers(-(2**60), 2**60) | st.integers(-5000, 5000))
@example(63)
@example(64)
@example(-128)
def test_sums_are_seen_in_quarters_of_an_octave(total: int) -> None:
    whole = abs(total) // 64
    # Four parts of an octave, of equal width: 1, 1.25, 1.5, 1.75 times a power of two.
    octave = whole.bit_length() - 1
    wanted = 0 if whole == 0 else min(4 * octave + 4 * (whole - 2**octave) // 2**octave + 1, 127)
    assert quarter_octaves(total) == wanted


@pytest.mark.parametrize(
    ("layout", "shapes", "size", "gated"),
    [
        (LAYOUT, ((1, 1),), 60.0, False),
        (LAYOUT, ((3, 4), (1, 2)), 0.05, True),
        (LAYOUT, ((1, 6), (4, 3)), 3.0, True),
        (LAYOUT, ((2, 3),), 1e5, False),
        (RADAR, ((1, 6), (4, 3)), 3.0, True),
    ],
)
def test_inputs_equal_those_of_a_plain_reference(
    layout: Layout, shapes: Shapes, size: float, gated: bool
) -> None:
    """Where tiles and their neighbours are empty, fine groups are left out."""
    rng = np.random.default_rng(4)
    count = tiles_of(shapes)
    final = np.rint(rng.standard_cauchy((count, layout.channels)) * size).clip(-(2**27), 2**27)
    final[: 4 if gated else 0] = 0
    final = final.astype(np.int32)
    energy = rng.integers(0, 128, (count, layout.components)).astype(np.uint8)
    plan = layout.plan(shapes)
    known, plain = Known(layout, energy, np.arange(count), plan), Plain(shapes, energy, layout)
    nowhere = np.zeros(count, bool)
    skipped = 0
    for group, steps in enumerate(plan.steps):
        here = slice(layout.starts[group], layout.starts[group] + layout.groups[group].count)
        active = known.active(group, nowhere)
        assert active.tolist() == [plain.active(group, tile) for tile in range(count)]
        skipped += count - int(active.sum())
        for number, step in enumerate(each.where(active) for each in steps):
            inputs = known.inputs(group, step)
            widths = [0 if each is None else each.shape[1] for each in (inputs.neighbours, inputs.bends)]
            assert widths == [neighbour_count(layout, group, number), bend_count(layout, group, number)]
            for place, tile in enumerate(step.tiles.tolist()):
                for found, wanted in zip(inputs, plain.features(group, number, tile), strict=True):
                    assert (None if found is None else found[place].tolist()) == wanted
            known.values[step.tiles, here] = final[step.tiles, here]
            known.note(group, step.tiles)
            for tile in step.tiles.tolist():
                plain.take(group, tile, final[tile, here].tolist())
    assert (skipped > 0) == gated


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=3).map(tuple))
def test_a_batch_is_its_blocks_side_by_side(shapes: Shapes) -> None:
    """No tile sees another block, and each block's tiles see what they see alone."""
    rng = np.random.default_rng(1)
    starts = np.cumsum([0, *(rows * columns for rows, columns in shapes)])
    final = np.rint(rng.standard_cauchy((starts[-1], LAYOUT.channels))).clip(-5000, 5000).astype(np.int32)
    energy = rng.integers(0, 128, (starts[-1], LAYOUT.components)).astype(np.uint8)
    together = Known(LAYOUT, energy, np.arange(starts[-1]), LAYOUT.plan(shapes))
    apart = [
        Known(LAYOUT, energy[first:last], np.arange(last - first), LAYOUT.plan((shape,)))
        for first, last, shape in zip(starts, starts[1:], shapes, strict=False)
    ]
    for group, start in enumerate(LAYOUT.starts):
        here = slice(start, start + LAYOUT.groups[group].count)
        for number, step in enumerate(LAYOUT.plan(shapes).steps[group]):
            inputs = together.inputs(group, step)
            parts = [
                known.inputs(group, LAYOUT.plan((shape,)).steps[group][number])
                for known, shape in zip(apart, shapes, strict=True)
            ]
            for found, *own in zip(inputs, *parts, strict=True):
                if found is None:
                    assert own == [None] * len(shapes)
                else:
                    np.testing.assert_array_equal(found, np.concatenate(own))
            together.values[step.tiles, here] = final[step.tiles, here]
            together.note(group, step.tiles)
            for known, shape, first in zip(apart, shapes, starts, strict=False):
                tiles = LAYOUT.plan((shape,)).steps[group][number].tiles
                known.values[tiles, here] = final[tiles + first, here]
                known.note(group, tiles)
        nowhere = [np.zeros(last - first, bool) for first, last in pairwise(starts)]
        expected = [known.active(group, none) for known, none in zip(apart, nowhere, strict=True)]
        found = together.active(group, np.concatenate(nowhere))
        np.testing.assert_array_equal(found, np.concatenate(expected))


@pytest.mark.parametrize(
    ("bands", "items"),
    [
        (1, [[0, 1, 2, 3]]),
        (4, [[0, 1, 2, 3]]),
        (5, [[0, 1, 2, 3], [0, 1, 4, 5]]),
        (8, [[0, 1, 2, 3], [0, 1, 4, 5], [0, 1, 6, 7]]),
    ],
)
def test_items_share_the_first_two_components(bands: int, items: list[list[int]]) -> None:
    assert LAYOUT.items(bands).tolist() == items


@pytest.mark.parametrize("quiet", [False, True])
def test_further_items_know_what_the_first_has_decoded(quiet: bool) -> None:
    """Their own groups see what they would see, had they coded all groups themselves."""
    rng = np.random.default_rng(2)
    rows, columns, items = 3, 2, 3
    count = rows * columns
    plan = LAYOUT.plan(((rows, columns),) * items)
    drawn = rng.standard_cauchy((items, count, LAYOUT.channels)) * 20
    final = np.rint(drawn).clip(-5000, 5000).astype(np.int32)
    component = LAYOUT.places[0]
    if quiet:  # groups of the second component are left out, where tiles have nothing around others, too
        final[:, :, component == 1] = 0
        final[:, :4] = 0
    final[1:, :, component < 2] = final[0, :, component < 2].T
    final = final.reshape(-1, LAYOUT.channels)
    energy = rng.integers(0, 128, (items * count, LAYOUT.components)).astype(np.uint8)
    shared = Known(LAYOUT, energy, np.tile(np.arange(count), items), plan)
    alone = Known(LAYOUT, energy, np.arange(items * count), plan)
    thorough = np.full(items * count, not quiet)
    left_out = 0
    for group, start in enumerate(LAYOUT.starts):
        here = slice(start, start + LAYOUT.groups[group].count)
        active, everywhere = (known.active(group, thorough) for known in (shared, alone))
        first = np.arange(items * count) < count
        np.testing.assert_array_equal(active, everywhere & (first | (not LAYOUT.shared(group))))
        left_out += int((~everywhere).sum())
        for whole in plan.steps[group]:
            step = whole.where(active)
            for found, wanted in zip(shared.inputs(group, step), alone.inputs(group, step), strict=True):
                np.testing.assert_array_equal(found, wanted)
            for known, tiles in ((shared, step.tiles), (alone, whole.where(everywhere).tiles)):
                known.values[tiles, here] = final[tiles, here]
                known.note(group, tiles)
        shared.share(group)
    np.testing.assert_array_equal(shared.values, alone.values)
    assert (left_out > 0) == quiet
