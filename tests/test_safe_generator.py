"""The generator of SAFE products, which other tests and the benchmarks stand on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from comeo.sources.codestream import read_image_header
from tests.safe_generator import Recipe, mirrored, outside_swath, synthetic_pixels, write_product


def test_mirroring_runs_back_and_forth() -> None:
    assert mirrored(0, 8, 3).tolist() == [0, 1, 2, 2, 1, 0, 0, 1]


def test_the_swath_edge_is_one_line_at_every_resolution() -> None:
    recipe = Recipe(600)
    shares = []
    for resolution in (10, 20, 60):
        whole = slice(0, 6000 // resolution)
        shares.append(outside_swath(recipe, resolution, whole, whole).mean())
    assert max(shares) - min(shares) < 0.01


def test_images_are_lossless_and_tiled_as_esa_s(tmp_path: Path) -> None:
    recipe = Recipe(1296, "L1C", nodata=False)
    bands = synthetic_pixels(120)
    product = write_product(tmp_path, recipe, bands)
    for band, size, tile in (("B04", 1296, 1024), ("B05", 648, 640), ("B01", 216, 192)):
        (path,) = product.rglob(f"*_{band}.jp2")
        header = read_image_header(path)
        assert (header.height, header.width, header.tile) == (size, size, (tile, tile))


@pytest.mark.parametrize("size", [10, 61, 1000])
def test_sizes_that_don_t_divide_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 6"):
        Recipe(size)


def test_offsets_follow_the_baseline() -> None:
    assert [Recipe(baseline=baseline).offset for baseline in ("02.12", "03.01", "04.00", "05.11")] == [
        0,
        0,
        1000,
        1000,
    ]
    assert np.array_equal(synthetic_pixels(60)["B02"], synthetic_pixels(60)["B02"])
