"""Alerts looked up in the originals: what compression made is withdrawn, what is there holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.warp import transform_geom

from comeo.compression import compress
from comeo.errors import SourceError
from comeo.grid import WGS84
from comeo.indicators.catalogue import predefined
from comeo.indicators.document import canonical
from comeo.scene import Band
from comeo.sources import open_source
from comeo.view.area import Area
from tests.ranges import serving
from tests.scenes import UTM32, landscape
from tileserver.catalog import SqliteCatalog
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.watch.observing.observe import Place, Wanted, Work, present
from tileserver.watch.observing.originals import OriginalFolders, OriginalItems, Source
from tileserver.watch.observing.verify import is_beyond, original_value, verify

pytestmark = pytest.mark.filterwarnings("ignore:.*no scale is stated")
FINE = rasterio.Affine(10, 0, 472_480, 0, -10, 5_257_490)
NAMES = ("B02", "B03", "B04", "B08")
BLOCK = (slice(80, 100), slice(60, 80))


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint16]:
    return landscape(4, 160, 160, 3)


@pytest.fixture(scope="module")
def work(
    pixels: NDArray[np.uint16], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Scenes, Work, Path]]:
    """A scene that is coarsely compressed, and the folder of its original."""
    folder = tmp_path_factory.mktemp("originals")
    original, archives = folder / "field.tif", folder / "archives"
    archives.mkdir()
    profile = {"driver": "GTiff", "width": 160, "height": 160, "count": 4, "dtype": "uint16", "crs": UTM32}
    with rasterio.open(original, "w", transform=FINE, **profile) as out:
        out.write(pixels)
        out.descriptions = NAMES
    with open_source(
        original, collection="optical", datetime=datetime(2020, 5, 1, tzinfo=UTC), scale=1e-4, offset=-0.1,
        unit="reflectance",
    ) as scene:  # fmt: skip
        compress(scene, archives, codec="dct", step=800.0)
    catalog = SqliteCatalog((archives,), folder / "catalog.sqlite", 0.0, lambda *_: None)
    catalog.refresh(force=True)
    scenes = Scenes.open(Settings(paths=(archives,), catalog=folder / "catalog.sqlite"), catalog)
    document = predefined().find("ndvi")
    assert document is not None
    wanted = Wanted(document.fingerprint, canonical(document).decode(), ("optical",), [place()])
    (found,) = present(scenes, wanted).values()
    yield scenes, found, folder
    catalog.close()


def place() -> Place:
    rows, cols = BLOCK
    corners = (
        (cols.start, rows.start),
        (cols.stop, rows.start),
        (cols.stop, rows.stop),
        (cols.start, rows.stop),
    )
    ring = [FINE @ each for each in (*corners, corners[0])]
    return Place(1, 1, Area(transform_geom(UTM32, WGS84, {"type": "Polygon", "coordinates": [ring]})))


def truth(pixels: NDArray[np.uint16]) -> float:
    red, near = (pixels[band][BLOCK] * 1e-4 - 0.1 for band in (2, 3))
    a, b = np.maximum(near, 0), np.maximum(red, 0)
    return float(((a - b) / np.maximum(a + b, 1e-4)).mean())


def test_the_original_is_read_almost_without_loss(
    work: tuple[Scenes, Work, Path], pixels: NDArray[np.uint16]
) -> None:
    scenes, found, folder = work
    value = original_value(scenes, OriginalFolders([folder]), found.record, found.plan, place())
    assert value == pytest.approx(truth(pixels), abs=2e-4)


def test_the_original_of_a_stac_item_is_read_by_ranges(
    work: tuple[Scenes, Work, Path], pixels: NDArray[np.uint16], tmp_path: Path
) -> None:
    scenes, found, _ = work
    assets = {}
    for name, values in zip(NAMES, np.kron(pixels, np.ones((8, 8), np.uint16)), strict=True):
        file = tmp_path / f"{name}.tif"
        with rasterio.open(
            file, "w", driver="GTiff", width=1280, height=1280, count=1, dtype="uint16", crs=UTM32,
            transform=FINE @ rasterio.Affine.scale(1 / 8), tiled=True, blockxsize=128, blockysize=128,
        ) as out:  # fmt: skip
            out.write(values, 1)
        assets[name] = {
            "href": f"../../../{file.name}", "type": "image/tiff; application=geotiff",
            "eo:bands": [{"name": name}], "raster:bands": [{"scale": 1e-4, "offset": -0.1, "nodata": 0}],
        }  # fmt: skip
    item: dict[str, Any] = {
        "type": "Feature", "stac_version": "1.0.0", "id": "field", "geometry": None, "links": [],
        "properties": {"datetime": "2020-05-01T00:00:00Z", "platform": "sentinel-2a"}, "assets": assets,
    }  # fmt: skip
    (tmp_path / "collections/optical/items").mkdir(parents=True)
    (tmp_path / "collections/optical/items/field").write_text(json.dumps(item))
    with serving(tmp_path) as (url, _, requests):
        originals = OriginalItems(f"{url}/collections/{{collection}}/items/{{id}}")
        value = original_value(scenes, originals, found.record, found.plan, place())
        with pytest.raises(SourceError, match="404"):
            originals.open(Source("../../none", "optical", "", "", [Band(name) for name in NAMES]))
    assert value == pytest.approx(truth(pixels), abs=1e-3)
    assert requests[0][0] == "/collections/optical/items/field"
    assert requests[-1][0] == "/collections/optical/items/..%2F..%2Fnone"
    assert all(asked for path, asked in requests if path.endswith(".tif"))
    ends = [[int(each) for each in asked.removeprefix("bytes=").split("-")] for _, asked in requests if asked]
    assert sum(last - first + 1 for first, last in ends) < 0.6 * pixels.nbytes * 64


def evidence(value: float, low: float, **changes: Any) -> dict[str, Any]:
    date = {
        "item": "field",
        "value": value,
        "u": 0.0,
        "low": low,
        "high": None,
        "middle": None,
        "spread": 0.0,
    }
    return {"dates": [{**date, "side": "low", **changes}]}


def test_what_the_original_bears_out_holds_and_an_artefact_is_withdrawn(
    work: tuple[Scenes, Work, Path], pixels: NDArray[np.uint16]
) -> None:
    scenes, found, folder = work
    works = {"field": (found.record, found.plan)}
    originals = OriginalFolders([folder / "none", folder])
    exact = truth(pixels)
    holds = verify(scenes, originals, evidence(exact, exact + 0.01), "low", 1, works, place())
    assert (holds.verified, set(holds.values)) == ("holds", {"field"})
    gone = verify(scenes, originals, evidence(exact - 0.1, exact - 0.01), "low", 1, works, place())
    assert gone.verified == "withdrawn"
    assert "artefact" in gone.reason
    few = verify(scenes, originals, evidence(exact, exact + 0.01), "low", 2, works, place())
    assert few.verified == "withdrawn", "one date of two is not enough"


def test_what_is_not_at_hand_is_told(work: tuple[Scenes, Work, Path], tmp_path: Path) -> None:
    scenes, found, folder = work
    works = {"field": (found.record, found.plan)}
    told = evidence(0.1, 0.2)
    for originals in (None, OriginalFolders([tmp_path])):
        assert verify(scenes, originals, told, "low", 1, works, place()).verified == "unreachable"
    other = tmp_path / "field.tif"
    with rasterio.open(folder / "field.tif") as source, rasterio.open(other, "w", **source.profile) as out:
        out.write(source.read() + 1)
        out.descriptions = source.descriptions
    found_other = verify(scenes, OriginalFolders([tmp_path]), told, "low", 1, works, place())
    assert found_other.verified == "unreachable", "a file of that name with other pixels is no original"
    other.write_bytes(b"II*\0" + bytes(100))
    broken = verify(scenes, OriginalFolders([tmp_path]), told, "low", 1, works, place())
    assert broken.verified == "unreachable"
    assert "cannot be read" in broken.reason


def test_an_original_has_nearer_limits_than_its_copy() -> None:
    date = {"low": 0.7 - 3 * 0.05, "high": None, "middle": 0.7, "spread": 0.03, "u": 0.04}
    assert is_beyond(0.60, date, "low"), "0.7 − 3 × 0.03 = 0.61"
    assert not is_beyond(0.62, date, "low")
    assert not is_beyond(0.5, date, "high")
    fixed = {"low": 0.5, "high": None, "middle": None, "spread": 0.0, "u": 0.1}
    assert is_beyond(0.49, fixed, "low")
    assert not is_beyond(0.51, fixed, "low")
