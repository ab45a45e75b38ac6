"""What reading predicted groups takes: blocks of the finer group, counted, kept and shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rasterio.warp import transform

from comeo.archive import Archive, open_archive
from comeo.compression import compress
from comeo.errors import BoundError
from comeo.grid import Grid
from comeo.view.budget import Budget, Limit, Limits
from comeo.view.reader import ArchiveReader, block_cache
from tests.comeo.archive.pairs import COARSE, pair_scene
from tests.scenes import UTM32

FINE_BLOCK, COARSE_BLOCK = 3 * 256**2, 2 * 256**2  # samples
HALF = FINE_BLOCK // 4
PART = Grid(UTM32, COARSE, 200, 200)  # of one coarse block, over four fine ones at half size


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("references")
    return compress(pair_scene(800, 700, masked=False), folder / "a.zarr.zip", codec="dct", step=60.0)


@pytest.fixture
def archive(path: Path) -> Iterator[Archive]:
    with open_archive(path) as opened:
        yield opened


def reader(archive: Archive, decoded: list[int], budget: Budget | None = None) -> ArchiveReader:
    """A reader that keeps blocks, and writes down how many each batch had."""
    return ArchiveReader(
        archive, block_cache(1 << 26), budget or Budget(), lambda _, blocks, __: decoded.append(blocks)
    )


def test_a_coarse_block_takes_four_fine_ones_at_half_size(archive: Archive) -> None:
    decoded: list[int] = []
    reading = reader(archive, decoded)
    assert sum(reading.decoding(PART, ["B11"]).values()) == COARSE_BLOCK + 4 * HALF
    reading.read(PART, ["B11"])
    assert decoded == [4, 1]
    reading.read(PART, ["B12"])
    assert decoded == [4, 1]


def test_a_tile_of_the_finer_group_and_one_of_the_coarser_share_blocks(archive: Archive) -> None:
    decoded: list[int] = []
    reading = reader(archive, decoded)
    reading.read(PART, ["B04", "B03", "B02"])
    assert decoded == [4]
    image = reading.read(PART, ["B12", "B04", "B02"])
    assert decoded == [4, 1]
    cold = reader(archive, []).read(PART, ["B12", "B04", "B02"])
    np.testing.assert_array_equal(image.data, cold.data)


def test_references_are_kept_for_every_size_of_the_coarser_group(archive: Archive) -> None:
    decoded: list[int] = []
    reading = reader(archive, decoded)
    for factor in (1, 2, 4):
        reading.read(Grid(UTM32, COARSE @ COARSE.scale(factor), 200 // factor, 200 // factor), ["B11"])
    assert decoded == [4, 1, 1, 1]


def test_the_budget_counts_references(archive: Archive) -> None:
    def limited(samples: int) -> Budget:
        return Budget(Limits(decoded=Limit(samples, "max_decoded_samples")))

    decoded: list[int] = []
    with pytest.raises(BoundError, match="more than"):
        reader(archive, decoded, limited(COARSE_BLOCK + 4 * HALF - 1)).read(PART, ["B11"])
    assert not decoded
    reader(archive, decoded, limited(COARSE_BLOCK + 4 * HALF)).read(PART, ["B11"])
    assert decoded == [4, 1]
    budget = limited(COARSE_BLOCK + 4 * HALF)
    reader(archive, decoded, budget).read(PART, ["B11", "B12"])
    assert budget.decoded == COARSE_BLOCK + 4 * HALF


def test_a_pixel_of_both_groups_is_counted_with_its_reference(archive: Archive) -> None:
    decoded: list[int] = []
    budget = Budget()
    (lon,), (lat,) = transform(UTM32, "EPSG:4326", [COARSE.c + 1000], [COARSE.f - 1000])
    found = reader(archive, decoded, budget).point(lon, lat)
    assert np.isfinite(found.array.data).all()
    assert sum(decoded) == 6
    assert budget.decoded == FINE_BLOCK + COARSE_BLOCK + 4 * HALF
