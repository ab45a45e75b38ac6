"""Maps of a real forest, made by `comeo work`, in programs that people have: GDAL, OWSLib, pystac-client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pystac
import pystac_client
import pytest
import rasterio
from numpy.typing import NDArray
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window, from_bounds
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader

from comeo.archive import open_archive
from comeo.missions.clear import CLEAR_CLASSES
from comeo.view.clear import classes_on
from comeo.view.reader import ArchiveReader, block_cache
from tests.e2e.conftest import Server
from tileserver.render.matrixsets import matrix_set

owslib = pytest.importorskip("owslib.wmts", reason="OWSLib is not installed")
SAMPLES = Path(__file__).parents[2] / "samples"
DAYS = ("2018-05-02", "2018-05-07", "2018-07-01", "2018-10-04", "2018-10-29")
MONTHS = ("2018-05", "2018-07", "2018-10")
COLLECTION = "geoservice-romania-forest"
RING = [[22.1505, 45.2035], [22.1520, 45.2035], [22.1520, 45.2046], [22.1505, 45.2046], [22.1505, 45.2035]]
DOCUMENT = {
    "slug": "romania-forest", "title": {"en": "Forest in Romania"}, "collections": ["romania-forest"],
    "start": "2018-01-01", "timezone": "Europe/Bucharest", "visibility": "public",
    "sites": {"type": "Polygon", "coordinates": [RING]}, "maps": {"margin_m": 300},
    "indicators": [{"indicator": "ndvi", "nominal": {"kind": "seasonal"}}],
}  # fmt: skip
WITHOUT: dict[str, Any] = {**DOCUMENT, "slug": "hidden", "visibility": "private"}


def comeo(*arguments: str) -> None:
    command = [sys.executable, "-c", "from tileserver.cli.main import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Scenes of a forest, and the maps that a worker has made of them; a hidden geoservice has none."""
    folder = tmp_path_factory.mktemp("forest")
    for day in DAYS:
        shutil.copy(SAMPLES / f"S2_romania_{day}.zarr.zip", folder)
    before = os.environ.get("COMEO_DATABASE")
    os.environ["COMEO_DATABASE"] = str(tmp_path_factory.mktemp("database") / "comeo.sqlite")
    for document in (DOCUMENT, WITHOUT):
        file = Path(os.environ["COMEO_DATABASE"]).with_name(f"{document['slug']}.json")
        file.write_text(json.dumps(document))
        comeo("geoservice", "add", str(file), "--owner", "me@example.org")
        comeo("geoservice", "activate", str(document["slug"]), str(folder))
    comeo("work", str(folder), "--once")
    yield folder
    if before is None:
        del os.environ["COMEO_DATABASE"]
    else:
        os.environ["COMEO_DATABASE"] = before


@pytest.fixture(scope="module")
def address(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Server(archives, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running.address


def fetched(address: str) -> Any:
    with urlopen(address, timeout=60) as answer:
        return json.load(answer)


def extract(address: str, month: str, folder: Path, query: str = "") -> Path:
    """The short address of a GeoTIFF leads to the extract of the map's scene."""
    path = folder / f"{month}.tif"
    with urlopen(
        f"{address}/geoservices/romania-forest/map/{month}/extract.tif{query}", timeout=60
    ) as answer:
        path.write_bytes(answer.read())
    return path


def median_of(archives: Path, month: str, like: Any) -> NDArray[np.float64]:
    """Median NDVI of the clear pixels of a month's decoded scenes, on the pixels of a raster."""
    found = []
    for path in sorted(archives.glob(f"S2_romania_{month}-*.zip")):
        with open_archive(path) as archive:
            reader = ArchiveReader(archive, block_cache(1 << 24))
            grid = reader.native_grid()
            bands = (
                np.ma.filled(reader.read(grid, ["B04", "B08"], "nearest").array.astype(float), np.nan) * 1e-4
            )
            red, nir = np.maximum(bands, 0)
            ndvi = (nir - red) / np.maximum(nir + red, 1e-4)
            ndvi[~np.isin(classes_on(reader, grid), list(CLEAR_CLASSES))] = np.nan
        whole = np.full((like.height, like.width), np.nan)
        col, row = (round(each) for each in ~grid.transform @ (like.transform.c, like.transform.f))
        part = ndvi[max(0, row) : row + like.height, max(0, col) : col + like.width]
        whole[max(0, -row) : max(0, -row) + part.shape[0], max(0, -col) : max(0, -col) + part.shape[1]] = part
        found.append(whole)
    return np.array(found)


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
@pytest.mark.parametrize("month", MONTHS)
def test_an_extract_is_the_median_of_the_scenes(
    archives: Path, address: str, tmp_path: Path, month: str
) -> None:
    certificate = fetched(f"{address}/collections/{COLLECTION}/items/ndvi-{month}/certificate")
    stated = fetched(f"{address}/collections/{COLLECTION}/items/ndvi-{month}/info")["certificate"]
    assert certificate
    errors = stated["groups"]["r10m"]["bands"]["ndvi_median"]
    with Reader(str(extract(address, month, tmp_path))) as image:
        assert image.info().band_descriptions[0][1] == "ndvi_median"
        values = np.ma.filled(image.read(indexes=1).array[0].astype(float), np.nan)
        dates = median_of(archives, month, image.dataset)
    expected = np.nanmedian(dates, axis=0)
    assert (np.isnan(values) == np.isnan(expected)).all()
    error = (values - expected)[~np.isnan(expected)]
    assert error.size > 2000
    assert np.sqrt(np.square(error).mean()) == pytest.approx(errors["rmse"], rel=0.02, abs=1e-6)
    assert np.abs(error).max() <= 1.01 * errors["maximum"]


def test_owslib_lists_periods_as_time(address: str) -> None:
    service = owslib.WebMapTileService(f"{address}/wmts")
    layer = service.contents[COLLECTION]
    assert layer.dimensions["Time"]["values"] == [f"{month}-01" for month in MONTHS]
    assert next(name for name, style in layer.styles.items() if style["isDefault"]) == "ndvi_median"
    assert {"ndvi_median", "ndvi_u", "ndvi_dates"} <= set(layer.styles)
    assert "geoservice-hidden" not in service.contents


@pytest.mark.parametrize("month", ["2018-05", "2018-10"])
def test_gdal_reads_a_period_in_the_colours_of_the_indicator(
    address: str, tmp_path: Path, month: str
) -> None:
    url = f"{address}/wmts/collections/{COLLECTION}/dates/{month}-01/1.0.0/WMTSCapabilities.xml"
    connection = f"WMTS:{url},layer={COLLECTION},tilematrixset=WebMercatorQuad"
    with (
        rasterio.Env(GDAL_DEFAULT_WMS_CACHE_PATH=str(tmp_path / "cache")),
        rasterio.open(connection) as dataset,
        rasterio.open(extract(address, month, tmp_path)) as values,
        WarpedVRT(values, crs=dataset.crs, resampling=Resampling.nearest) as moved,
    ):
        bounds = moved.bounds
        place: Window = from_bounds(*bounds, dataset.transform).round_offsets().round_lengths()
        picture = dataset.read(window=place)
        shape = picture.shape[1:]
        own = dataset.window_transform(place)
        with WarpedVRT(
            values, crs=dataset.crs, transform=own, width=shape[1], height=shape[0],
            resampling=Resampling.bilinear,
        ) as there:  # fmt: skip
            value, known = there.read(1), there.read_masks(1) > 0
    palette = np.array([cmap.get("ylgn")[index][:3] for index in range(256)])
    expected = palette[np.clip((np.nan_to_num(value) + 0.2) / 1.1 * 255, 0, 255).astype(int)]
    both = known & (picture[3] == 255)
    assert both.mean() > 0.25 * known.mean()
    assert np.abs(np.moveaxis(picture[:3], 0, -1)[both].astype(int) - expected[both]).mean() < 6
    assert (known & (picture[3] == 0)).mean() < 0.05


def test_pystac_client_finds_the_periods(address: str) -> None:
    client = pystac_client.Client.open(f"{address}/stac")
    found = list(client.search(collections=[COLLECTION], datetime="2018-06-01/2018-12-31").items())
    assert sorted(item.id for item in found) == ["ndvi-2018-07", "ndvi-2018-10"]
    july = next(item for item in found if item.id == "ndvi-2018-07")
    assert july.properties["start_datetime"] == "2018-06-30T21:00:00Z"
    assert july.properties["title"] == "Vegetation (NDVI), 2018-07"
    assert july.collection_id == COLLECTION
    kind = pystac.STACObjectType.ITEM
    assert JsonSchemaSTACValidator().validate_core(july.to_dict(), kind, "1.1.0") is not None
    names = {each.id for each in client.get_collections()}
    assert COLLECTION in names
    assert "geoservice-hidden" not in names


def test_short_addresses(address: str) -> None:
    listed = fetched(f"{address}/geoservices/romania-forest/maps")
    assert [each["period"] for each in listed["maps"]] == list(MONTHS)
    tilejson = fetched(f"{address}/geoservices/romania-forest/map/2018-07/tilejson.json?tile_format=png")
    assert "/items/ndvi-2018-07/tiles/" in tilejson["tiles"][0]
    zoom = tilejson["maxzoom"]
    west, south, east, north = tilejson["bounds"]
    tile = matrix_set("WebMercatorQuad").tile((west + east) / 2, (south + north) / 2, zoom)
    short = (
        f"{address}/geoservices/romania-forest/map/2018-07/tiles/WebMercatorQuad/{zoom}/{tile.x}/{tile.y}.png"
    )
    with urlopen(short, timeout=60) as answer:
        body = answer.read()
    template = tilejson["tiles"][0].format(z=zoom, x=tile.x, y=tile.y)
    with urlopen(template, timeout=60) as answer:
        assert answer.read() == body
    lon, lat = (RING[0][0] + RING[2][0]) / 2, (RING[0][1] + RING[2][1]) / 2
    point = fetched(f"{address}/collections/{COLLECTION}/items/ndvi-2018-07/point/{lon},{lat}")
    value = next(each for each in point["bands"] if each["name"] == "ndvi_median")
    assert 0.7 < value["value"] < 0.95
