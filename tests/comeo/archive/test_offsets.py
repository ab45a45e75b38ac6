"""Groups that are predicted from one whose grid begins a pixel before or behind theirs, as in crops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.archive import Archive, Level, open_archive
from comeo.archive.blocks import reduced_size
from comeo.archive.references import finer_blocks, reference_of
from comeo.codecs.payload import is_predicted
from comeo.compression import compress
from comeo.compression.plan import plan
from comeo.errors import ArchiveError
from comeo.scene import Window
from tests.comeo.archive.pairs import FINE, cropped_scene, decoded_by_hand, pair_of_groups
from tests.comeo.codecs.blocks import CODECS
from tests.scenes import array_group, array_scene

STEP = 60.0
starts = st.integers(0, 3)
sides = st.sampled_from([40, 121, 510, 511, 512, 513, 514])


def predicted(archive: Archive, level: Level) -> list[bool]:
    payloads = archive.payloads(level, list(np.ndindex(*level.grid)))
    return [payload is not None and is_predicted(payload) for payload in payloads]


def check(archive: Archive, reduces: tuple[int, ...]) -> None:
    """All blocks are what the format says, and windows parts of the whole."""
    level = archive.groups["r20m"].levels[0]
    for reduce in reduces:
        whole = archive.read(level, Window(0, 0, *reduced_size(level, reduce)), reduce)
        side = level.block >> reduce
        for (row, col), block in decoded_by_hand(archive, level, reduce).items():
            own = whole[:, row * side : (row + 1) * side, col * side : (col + 1) * side]
            np.testing.assert_array_equal(own, block)
        top, left = whole.shape[1] // 3, whole.shape[2] // 2
        window = Window(top, left, whole.shape[1] - top, 7)
        part = archive.read(level, window, reduce)
        assert part.shape == (level.bands, window.height, 7)
        inside = whole[:, top:, left : left + 7]
        np.testing.assert_array_equal(part[:, :, : inside.shape[2]], inside)


@settings(max_examples=12, deadline=None)
@given(top=starts, left=starts, height=sides, width=sides, inside=st.booleans(), masked=st.booleans())
def test_any_crop_of_a_product_is_predicted_and_read_as_the_format_says(
    top: int, left: int, height: int, width: int, inside: bool, masked: bool
) -> None:
    scene = cropped_scene((top, height), (left, width), inside=inside, masked=masked)
    with TemporaryDirectory() as folder:
        path = compress(scene, Path(folder) / "a.zarr.zip", codec="dct", step=STEP)
        with open_archive(path) as archive:
            level = archive.groups["r20m"].levels[0]
            assert level.reference is archive.groups["r10m"].levels[0]
            sign = 1 if inside else -1
            assert level.offset == (sign * (top % 2), sign * (left % 2))
            assert min(height, width) < 100 or any(predicted(archive, level))
            check(archive, (0, 2))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("codec", CODECS)
def test_offset_groups_of_all_codecs(codec: str, dtype: Any, tmp_path: Path) -> None:
    """They are smaller, as near the original, and exact at all sizes."""
    scene = cropped_scene((1, 541), (1, 300), dtype=dtype)
    step = STEP if dtype == np.uint16 else 0.3
    sizes, errors = [], []
    for apart in (False, True):
        path = tmp_path / f"{apart}.zarr.zip"
        compress(scene, path, codec=codec, step=step, independent_groups=apart)
        with open_archive(path) as archive:
            level = archive.groups["r20m"].levels[0]
            payloads = archive.payloads(level, list(np.ndindex(*level.grid)))
            sizes.append(sum(len(each) for each in payloads if each))
            window = Window(0, 0, level.height, level.width)
            pixels, found = scene.groups[1].read(window), archive.read(level, window)
            lost = (found.astype(float) - pixels.values)[pixels.valid]
            errors.append(np.sqrt(np.square(lost).mean()))
            if not apart:
                assert level.offset == (-1, -1)
                assert any(predicted(archive, level))
                check(archive, (0, 1, 2, 3))
    assert sizes[0] < 0.8 * sizes[1]
    assert errors[0] < 1.1 * errors[1]


def test_overviews_of_crops_are_predicted_as_if_they_had_one_corner(tmp_path: Path) -> None:
    scene = cropped_scene((1, 4130), (1, 91), masked=False)
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=20.0)) as archive:
        levels = archive.groups["r20m"].levels
        assert [level.number for level in levels] == [0, 3]
        assert [level.reference for level in levels] == list(archive.groups["r10m"].levels)
        assert [level.offset for level in levels] == [(-1, -1), (0, 0)]
        assert any(predicted(archive, levels[1]))
        for place, block in decoded_by_hand(archive, levels[1], 0).items():
            np.testing.assert_array_equal(archive.decode_blocks(levels[1], [place])[0], block)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (False, [[10, 15, 25], [25, 22.5, 32.5], [55, 67.5, 77.5]]),
        (True, [[22.5, 32.5], [67.5, 77.5]]),
    ],
)
def test_a_pixel_is_the_mean_of_what_is_known_down_and_then_across(
    inside: bool, expected: list[list[float]]
) -> None:
    scene = cropped_scene((1, 5), (1, 5), inside=inside, masked=False)
    finer, level = (group.levels[0] for group in plan(scene, STEP))
    half = np.array([[10, 20, 30], [40, 0, 60], [70, 80, 90]], np.uint16)
    reference = reference_of(finer, level, (0, 0), {(0, 0): half[None].repeat(3, 0)})
    assert reference.flags.c_contiguous
    np.testing.assert_array_equal(reference, np.array(expected, np.float32)[None].repeat(3, 0))


@pytest.mark.parametrize(
    ("inside", "rows"), [(False, {0: [0, 1], 1: [1, 2, 3], 2: [3, 4]}), (True, {0: [0, 1, 2], 1: [2, 3, 4]})]
)
def test_blocks_beyond_are_taken_where_a_pixel_lies_over_them(
    inside: bool, rows: dict[int, list[int]]
) -> None:
    scene = cropped_scene((1, 1200), (0, 80), inside=inside, masked=False)
    finer, level = (group.levels[0] for group in plan(scene, STEP))
    for row, expected in rows.items():
        assert finer_blocks(finer, level, row, 0) == [(each, 0) for each in expected]


def test_errors_at_borders_of_blocks_are_as_inside(tmp_path: Path) -> None:
    """Without the blocks beyond they were half as large again along the first lines of blocks."""
    scene = cropped_scene((1, 1100), (1, 1100), masked=False)
    path = compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=STEP)
    with open_archive(path) as archive:
        level = archive.groups["r20m"].levels[0]
        window = Window(0, 0, level.height, level.width)
        errors = np.abs(archive.read(level, window).astype(float) - scene.groups[1].read(window).values)
    lines = [255, 256, 511, 512]
    border = np.zeros(errors.shape, bool)
    border[:, lines], border[:, :, lines] = True, True
    assert errors[border].mean() < 1.1 * errors[~border].mean()


def test_a_block_with_nothing_under_it_is_not_predicted_and_refused_if_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A last row of coarser pixels may lie beyond the finer group's end, and be a row of blocks."""
    fine, coarse = pair_of_groups(514, 80, masked=False)
    values = fine.read(Window(0, 0, 512, 80)).values
    scene = array_scene(array_group(values, names=["B02", "B03", "B04"], transform=FINE), coarse)
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=STEP)) as archive:
        level = archive.groups["r20m"].levels[0]
        assert level.grid == (2, 1)
        assert predicted(archive, level) == [True, False]
        monkeypatch.setattr("comeo.archive.reader.is_predicted", lambda _payload: True)
        with pytest.raises(ArchiveError, match=r"block \(1, 0\) of r20m/0 .* has nothing under it"):
            archive.decode_blocks(level, [(1, 0)])


def test_integers_are_not_predicted_from_floats(tmp_path: Path) -> None:
    """Floats may be infinite: what is left of an integer is then no number."""
    path = compress(cropped_scene((0, 300), (0, 300)), tmp_path / "a.zarr.zip", codec="dct", step=300)
    with open_archive(path) as archive:
        fine, coarse = (group.levels[0] for group in archive.groups.values())
        assert coarse.predicted_from(fine) is not None
        assert coarse.predicted_from(replace(fine, dtype=np.dtype(np.float32))) is None
