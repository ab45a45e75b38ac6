"""Small products of every kind, generated, for the tests of the readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from tests.safe_generator import Pixels, Recipe, synthetic_pixels, write_product

UTM32 = "EPSG:32632"
ORIGIN = (472480.0, 5257500.0)


def north_up(pixel: float = 10.0, origin: tuple[float, float] = ORIGIN) -> Affine:
    """A plain georeference."""
    return Affine(pixel, 0.0, origin[0], 0.0, -pixel, origin[1])


def write_tif(
    path: Path,
    values: NDArray[Any],
    names: Sequence[str | None] = (),
    *,
    transform: Affine | None = None,
    crs: str | None = UTM32,
    tags: Mapping[str, str] | None = None,
    **profile: Any,
) -> Path:
    """Write a GeoTIFF of (bands, y, x)."""
    shape = {"count": values.shape[0], "height": values.shape[1], "width": values.shape[2]}
    georeference = {"crs": crs, "transform": north_up() if transform is None else transform}
    with rasterio.open(
        path, "w", driver="GTiff", dtype=values.dtype, **shape, **georeference, **profile
    ) as dataset:
        dataset.write(values)
        for index, name in enumerate(names, 1):
            if name:
                dataset.set_band_description(index, name)
        if tags:
            dataset.update_tags(**tags)
    return path


@pytest.fixture(scope="session")
def small_pixels() -> dict[str, Pixels]:
    """Native pixels of a small synthetic scene, by band."""
    return synthetic_pixels()


@pytest.fixture(scope="session")
def make_safe(
    tmp_path_factory: pytest.TempPathFactory, small_pixels: dict[str, Pixels]
) -> Callable[..., tuple[Path, Recipe]]:
    """Write a small SAFE product: (path, recipe). Each recipe is written once; copy it before damaging it."""
    written: dict[tuple[Any, ...], tuple[Path, Recipe]] = {}

    def make(
        level: str = "L2A", baseline: str = "02.12", size: int = 240, zipped: bool = False
    ) -> tuple[Path, Recipe]:
        key = (level, baseline, size, zipped)
        if key not in written:
            recipe = Recipe(size, level, baseline)
            written[key] = (
                write_product(tmp_path_factory.mktemp("safe"), recipe, small_pixels, zipped=zipped),
                recipe,
            )
        return written[key]

    return make


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in each run."""
    return np.random.default_rng(20190530)
