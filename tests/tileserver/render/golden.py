"""Pictures whose pixels are kept, so that no change of them goes unseen.

`python -m tests.tileserver.render.golden` keeps them anew, once the revision has been raised.
Kept are pixels, not bytes, which libraries may pack differently: of each picture every fifth row and column.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from affine import Affine
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image
from rasterio.io import MemoryFile

from comeo.grid import Grid
from comeo.view.pixels import read_pixels
from comeo.view.resampling import RESAMPLINGS
from tests.comeo.view.exact import ExactArchive, archived, reader_of
from tests.scenes import array_group, array_scene
from tileserver import Settings, create_app
from tileserver.render.fingerprint import REVISION
from tileserver.render.images import finish
from tileserver.render.legend import legend
from tileserver.render.matrixsets import matrix_set, tile_grid
from tileserver.render.plan import RenderRequest, resolve
from tileserver.render.styles import styles_for

KEPT = Path(__file__).with_name("golden.npz")
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "format1"
SIDE = 240
FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
GROUPS = {
    1: ("B02", "B03", "B04", "B08"),
    2: ("B05", "B06", "B07", "B8A", "B11", "B12"),
    6: ("B01", "B09"),
}
STEP = 5
LOSSY = ("webp", "jpg")
SAMPLE_PATHS = (
    "/collections/sentinel-2-l2a/items/S2A_T32TMT_20190530_L2A/tiles/WebMercatorQuad/14/8588/5734.png",
    "/collections/sentinel-2-l2a/items/S2A_T32TMT_20190530_L2A/tiles/WebMercatorQuad/12/2147/1433.png?style=ndvi",
    "/collections/sentinel-2-l2a/items/S2A_T32TMT_20190530_L2A/tiles/WebMercatorQuad/12/2147/1433.png?style=error",
    "/collections/sentinel-2-l2a/items/S2A_T32TMT_20190530_L2A/preview.png?max_size=300",
    "/collections/romania-forest/tiles/WebMercatorQuad/15/18400/11761.png",
    "/collections/romania-forest/tiles/WebMercatorQuad/15/18400/11761.npy?bands=B04",
)
Picture = NDArray[Any]


def pictures() -> dict[str, Callable[[], Picture]]:
    """All pictures by name, each made when it is called for."""
    optical, radar, made = _optical(), _radar(), dict[str, Callable[[], Picture]]()

    def add(archive: ExactArchive, extension: str, **request: Any) -> None:
        name = f"{archive.id}.{extension} " + " ".join(f"{key}={value}" for key, value in request.items())
        made[name.strip()] = partial(_rendered, archive, extension, RenderRequest(**request))

    for archive in (optical, radar):
        for style in styles_for(_bands(archive)):
            add(archive, "png", style=style)
        for extension in ("png", "webp", "jpg", "tif", "npy"):
            add(archive, extension)
    for name in RESAMPLINGS:
        add(optical, "png", style="true-color", resampling=name)
        add(optical, "npy", bands=("B04", "B11"), resampling=name)
        add(radar, "npy", resampling=name)
    add(optical, "png", bands=("B04",), rescale=((1000.0, 4000.0),), colormap_name="viridis")
    add(optical, "webp", style="ndvi")
    add(optical, "png", style="true-color", color_formula="gamma RGB 1.4 saturation 1.2 sigmoidal RGB 5 0.4")
    add(optical, "png", style="true-color", return_mask=False)
    add(optical, "npy", expression="(B08-B04)/(B08+B04);B11**2")
    for style in ("true-color", "ndvi"):
        made[f"legend {style}"] = partial(_legend, style)
    for path in SAMPLE_PATHS:
        made[path] = partial(_served, path)
    return made


def kept() -> tuple[int, dict[str, Picture]]:
    """The revision that pictures were kept of, and the pictures."""
    with np.load(KEPT) as file:
        found = {name: file[name] for name in file.files}
    return int(found.pop("revision")), found


def difference(name: str, old: Picture, new: Picture) -> str | None:
    """What has changed in a picture, or None.

    Processors and versions of libraries round differently: a few pixels may be off by one level, and those of
    formats with loss by a little more.
    """
    if old.shape != new.shape or old.dtype != new.dtype:
        return f"it was {old.dtype} {old.shape} and is {new.dtype} {new.shape}"
    gap = np.abs(new.astype(np.float64) - old.astype(np.float64))
    if not np.array_equal(np.isnan(old), np.isnan(new)):
        return "other pixels are valid"
    gap = np.nan_to_num(gap)
    if name.split(" ", 1)[0].endswith(LOSSY):
        return f"it differs by {gap.mean():.2f} levels on average" if gap.mean() > 0.5 else None
    unit = 1.0 if old.dtype.kind == "u" else 1e-4 * max(1.0, float(np.nanmax(np.abs(old))))
    changed, far = (gap > 0.01 * unit).mean(), (gap > 1.01 * unit).mean()
    return f"{changed:.1%} of its pixels differ" if changed > 0.02 or far > 0.002 else None


def _rendered(archive: ExactArchive, extension: str, request: RenderRequest) -> Picture:
    plan = resolve(request, _bands(archive), Settings(), picture=extension in ("png", "webp", "jpg"))
    tile = matrix_set("WebMercatorQuad").tile(8.647, 47.459, 14)
    grid = tile_grid(matrix_set("WebMercatorQuad"), *tile)
    assert grid is not None
    small = Grid(grid.crs, grid.transform @ Affine.translation(-40, -40), 200, 200)
    image = read_pixels(replace(reader_of(archive)), small, plan)
    return _pixels(finish(image, plan, extension), extension)


def _pixels(body: bytes, extension: str) -> Picture:
    """Some of the pixels of an image: (y, x, 4) of a picture, else (bands, y, x)."""
    if extension == "npy":
        return cast("Picture", np.load(io.BytesIO(body)))[:, ::STEP, ::STEP]
    if extension == "tif":
        with MemoryFile(body) as file, file.open() as dataset:
            return np.concatenate([dataset.read(), dataset.dataset_mask()[None]])[:, ::STEP, ::STEP]
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))[::STEP, ::STEP]


def _bands(archive: ExactArchive) -> tuple[Any, ...]:
    return tuple(band for group in archive.groups.values() for band in group.bands)


@cache
def _optical() -> ExactArchive:
    groups = []
    for factor, names in GROUPS.items():
        side = SIDE // factor
        values = np.stack([_waves(side, factor, index) for index in range(len(names))]).astype(np.uint16)
        rows, cols = np.mgrid[:side, :side] * factor
        valid = np.broadcast_to(rows + 2 * cols < 2.4 * SIDE, values.shape)
        groups.append(
            array_group(values, np.array(valid), names=names, transform=FINE @ Affine.scale(factor))
        )
    return archived(array_scene(*groups, scene_id="optical"))


@cache
def _radar() -> ExactArchive:
    values = np.stack([_waves(SIDE, 1, index) / 400 - 18 for index in range(2)]).astype(np.float32)
    return archived(array_scene(array_group(values, names=("VV", "VH")), scene_id="radar"))


def _waves(side: int, factor: int, index: int) -> NDArray[np.int64]:
    """Hills made of whole numbers alone, which no library computes in another way."""
    rows, cols = np.mgrid[:side, :side] * factor
    slope = abs((3 * rows + (index + 2) * cols) % 160 - 80)
    bumps = abs((7 * rows - 5 * cols + 31 * index) % 44 - 22)
    return cast("NDArray[np.int64]", 900 + 25 * slope + 30 * bumps + 150 * index)


def _legend(style: str) -> Picture:
    """A legend's colours; its letters depend on the version of the font's library."""
    found = np.asarray(Image.open(io.BytesIO(legend(styles_for(_bands(_optical()))[style]))).convert("RGBA"))
    return found[30:38:2, ::STEP]


@cache
def _client() -> FlaskClient:
    folder = Path(tempfile.mkdtemp(prefix="golden-"))
    settings = Settings(
        paths=(SAMPLES,), catalog=folder / "catalog.sqlite", workers=1, scan_seconds=3600, static=folder
    )
    return create_app(settings).test_client()


def _served(path: str) -> Picture:
    answer = _client().get(path)
    assert answer.status_code == 200, answer.data[:300]
    return _pixels(answer.data, path.partition("?")[0].rpartition(".")[2])


def _changed() -> Iterator[str]:
    revision, old = kept()
    if revision == REVISION:
        for name, make in pictures().items():
            reason = difference(name, old[name], make()) if name in old else None
            if reason:
                yield f"{name}: {reason}"


def main() -> None:
    """Keep all pictures, unless one has changed within a revision."""
    changed = list(_changed()) if KEPT.exists() else []
    if changed:
        sys.exit("\n".join([*changed, "raise REVISION in tileserver/render/fingerprint.py first"]))
    made = {name: make() for name, make in pictures().items()}
    np.savez_compressed(KEPT, revision=np.array(REVISION), **made)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
