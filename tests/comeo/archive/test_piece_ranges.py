"""Ranges of an archive: of each piece all that it needs, told by the head alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from comeo.archive import Archive, open_archive
from comeo.archive.ranges import GAP_BYTES, pieces_of
from comeo.archive.stores.extents import Extents
from comeo.compression import compress
from comeo.errors import ArchiveError, NotFoundError, NotHereError
from comeo.grid import WGS84, Bounds
from comeo.view.projection import move_bounds
from comeo.view.reader import ArchiveReader, block_cache
from tests.parts import bring, long_archive
from tests.scenes import array_group, array_scene, landscape

GOLDEN = Path(__file__).parent / "golden"
VERSION_1 = GOLDEN / "dct_overviews.zarr.zip"


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return long_archive(tmp_path_factory.mktemp("long"))


def area_of(archive: Archive, top: float, bottom: float) -> Bounds:
    """A strip of a scene in degrees, by shares of its height from the north."""
    grid = archive.groups["r10m"].native_grid
    west, south, east, north = grid.bounds
    high = north - south
    box = move_bounds(grid.crs, WGS84, (west, north - bottom * high, east, north - top * high))
    assert box is not None
    return box


@pytest.mark.parametrize("version", [1, 2])
def test_head_coarse_and_rest_are_the_archive_and_share_nothing(whole: Path, version: int) -> None:
    with open_archive(whole if version == 2 else VERSION_1) as archive:
        assert archive.format_version == version
        found = pieces_of(archive)
        total = found.head.total + found.coarse.total + found.rest.total
        assert found.head.union(found.coarse).union(found.rest) == Extents([(0, found.size)])
        assert total == found.size
        assert found.head.covers(found.size - 22, found.size)
        if version == 2:  # each one range, behind each other
            assert (len(found.head), len(found.coarse)) == (1, 1)
            assert next(iter(found.coarse))[1] == next(iter(found.head))[0]


def test_all_is_told_by_the_head_but_blocks_which_need_indexes(whole: Path, tmp_path: Path) -> None:
    with open_archive(whole) as archive:
        there = pieces_of(archive)
        box = area_of(archive, 0.1, 0.2)
        blocks, indexes = there.blocks(bbox=box), there.indexes_of(bbox=box)
    path = bring(whole, tmp_path, there.head)
    with open_archive(path) as archive:
        here = pieces_of(archive)
        assert (here.head, here.coarse, here.rest) == (there.head, there.coarse, there.rest)
        assert (here.indexes, here.indexes_of(bbox=box)) == (there.indexes, indexes)
        with pytest.raises(NotHereError):
            here.blocks(bbox=box)
    bring(whole, tmp_path, indexes)
    with open_archive(path) as archive:
        assert pieces_of(archive).blocks(bbox=box) == blocks


@given(
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    group=st.sampled_from(["r10m", "r20m"]),
    lost=st.integers(0, 1 << 30),
)
@example([0.0, 1.0], "r10m", 1)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_ranges_of_an_area_are_what_its_pixels_need_and_no_more(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, shares: list[float], group: str, lost: int
) -> None:
    with open_archive(whole) as archive:
        box = area_of(archive, *shares)
        found = pieces_of(archive)
        needed = found.head.union(found.indexes_of([group], box)).union(found.blocks([group], box))
        # but for those of classes, among the overviews, which no pixel needs
        blocks = list(found.blocks([group], box).without(found.coarse))
        bands = [band.name for band in archive.groups[group].bands]
        reader = ArchiveReader(archive, block_cache(0))
        grid = reader.part_grid(box, bands=bands)
        wanted = reader.read(grid, bands, "cubic").array
    folder = tmp_path_factory.mktemp("part")
    path = bring(whole, folder, needed)
    with open_archive(path) as archive:
        read = ArchiveReader(archive, block_cache(0)).read(grid, bands, "cubic").array
        np.testing.assert_array_equal(read.filled(0), wanted.filled(0))
    start, _ = blocks[lost % len(blocks)]
    short = needed.without(Extents([(start, start + 1)]))
    path = bring(whole, tmp_path_factory.mktemp("short"), short)
    with open_archive(path) as archive:
        level = archive.groups[group].levels[0]
        with pytest.raises(NotHereError):
            archive.decode_blocks(level, [(r, c) for r in range(level.grid[0]) for c in range(level.grid[1])])


def test_a_group_that_is_predicted_needs_blocks_of_the_finer_one(whole: Path) -> None:
    with open_archive(whole) as archive:
        found, box = pieces_of(archive), area_of(archive, 0.0, 0.05)
        coarse, fine = found.blocks(["r20m"], box), found.blocks(["r10m"], box)
        assert archive.groups["r20m"].levels[0].reference is not None
        assert fine.total < coarse.common(fine).total + 1  # all of the finer ones are among them
        assert found.indexes_of(["r10m"], box).without(found.indexes_of(["r20m"], box)).total == 0


def test_blocks_of_all_the_scene_are_the_rest_but_headers_and_indexes(whole: Path) -> None:
    with open_archive(whole) as archive:
        found = pieces_of(archive)
        assert found.blocks().union(found.indexes).without(found.coarse) == found.rest
        assert found.blocks(bbox=(-180, -90, 180, 90)) == found.blocks()
        assert found.blocks(bbox=(170, -90, -170, 90)).total == 0  # across the antimeridian, far off
        assert found.blocks(bbox=(5, 40, -170, 60)) == found.blocks()
        assert found.blocks(bbox=(0, 0, 1, 1)).total == 0
        lon, lat = 8.64, 47.40
        assert 0 < found.blocks(bbox=(lon, lat, lon, lat)).total < found.blocks().total  # a point
        assert len(found.rest.coalesced(GAP_BYTES)) == 1


def test_a_scene_across_the_antimeridian_is_found_from_either_side(tmp_path: Path) -> None:
    transform = Affine(0.01, 0, 178.0, 0, -0.01, 1.0)  # to 182 degrees
    group = array_group(landscape(1, 64, 400), names=["B1"], transform=transform, crs=CRS.from_epsg(4326))
    path = compress(array_scene(group), tmp_path / "a.zarr.zip", codec="dct", step=100.0)
    with open_archive(path) as archive:
        found = pieces_of(archive)
        name = next(iter(archive.groups))
        assert found.blocks([name], (179, 0, -179, 1)) == found.blocks()
        assert 0 < found.blocks([name], (-179, 0, -178.5, 1)).total < found.blocks().total
        assert 0 < found.blocks([name], (178.1, 0, 178.2, 1)).total < found.blocks().total


def test_what_has_no_ranges_or_no_such_group_is_refused(whole: Path) -> None:
    with open_archive(GOLDEN / "dct_folder.zarr") as archive, pytest.raises(ArchiveError, match="folder"):
        pieces_of(archive)
    with open_archive(whole) as archive, pytest.raises(NotFoundError, match="it has r10m, r20m"):
        pieces_of(archive).blocks(["r60m"])
