"""OWSLib reads the documents and fetches tiles and values, by key-value pairs and by resources."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.warp import transform

from tests.e2e import gis
from tests.scenes import UTM32
from tileserver.render.matrixsets import matrix_set, tile_grid

owslib = pytest.importorskip("owslib.wmts", reason="OWSLib is not installed")
util = pytest.importorskip("owslib.util")
SETS = {"WebMercatorQuad": 14, "WorldCRS84Quad": 13, "UTM32WGS84Quad": 14}


@pytest.fixture(scope="module", params=["KVP", "REST"])
def service(request: pytest.FixtureRequest, gis_server: str) -> Any:
    if request.param == "KVP":
        return owslib.WebMapTileService(f"{gis_server}/wmts")
    return owslib.WebMapTileService(f"{gis_server}/wmts/1.0.0/WMTSCapabilities.xml")


def tile_of(tms: str, zoom: int) -> tuple[int, int, gis.View]:
    """Row and column of the tile in the middle of the scene, and its grid."""
    found = matrix_set(tms)
    x, y = gis.ORIGIN @ (gis.SIDE / 2, gis.SIDE / 2)
    (lon,), (lat,) = transform(UTM32, CRS.from_epsg(4326), [x], [y])
    tile = found.tile(lon, lat, zoom)
    grid = tile_grid(found, tile.x, tile.y, zoom)
    assert grid is not None
    return tile.y, tile.x, gis.View(grid.crs, grid.transform, grid.height, grid.width)


def picture(answer: Any) -> NDArray[Any]:
    pixels = np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))
    return np.moveaxis(pixels, -1, 0)


def test_the_document_says_what_there_is(service: Any) -> None:
    assert service.identification.title == "COMEO"
    assert {operation.name for operation in service.operations} == {
        "GetCapabilities", "GetTile", "GetFeatureInfo"
    }  # fmt: skip
    layer = service.contents["gis"]
    assert layer.formats[0] == "image/png"
    assert set(layer.infoformats) == {"text/html", "application/json", "text/plain"}
    assert layer.styles["ndvi"]["title"] == "Vegetation (NDVI)"
    assert [name for name, style in layer.styles.items() if style["isDefault"]] == ["true-color"]
    assert layer.styles["ndvi"]["legend"].endswith("/collections/gis/styles/ndvi/legend.png")
    assert layer.dimensions["Time"]["values"] == list(gis.DAYS)
    assert layer.dimensions["Time"]["default"] == "current"
    assert set(layer.tilematrixsetlinks) == set(SETS)
    assert len(layer.resourceURLs) == 2
    assert layer.boundingBoxWGS84 == pytest.approx((8.634, 47.41, 8.715, 47.47), abs=0.01)


def test_corners_are_easting_first_in_coordinate_systems_that_say_so(service: Any) -> None:
    corners = {name: tms.tilematrix["1"].topleftcorner for name, tms in service.tilematrixsets.items()}
    assert corners["WorldCRS84Quad"] == (-180, 90)
    assert corners["WebMercatorQuad"] == pytest.approx((-20037508.34, 20037508.34))
    assert corners["UTM32WGS84Quad"] == pytest.approx((-9501965.73, 20003931.46))


@pytest.mark.parametrize("tms", SETS)
def test_tiles_show_the_scene(service: Any, tms: str) -> None:
    row, col, view = tile_of(tms, SETS[tms])
    answer = service.gettile(
        layer="gis", style="true-color", tilematrixset=tms, tilematrix=str(SETS[tms]), row=row, column=col,
        format="image/png", Time="2020-05-11",
    )  # fmt: skip
    pixels = picture(answer)
    assert gis.day_of(pixels, view) == "2020-05-11"
    assert gis.shift(pixels, gis.expected("2020-05-11", view)) < 0.5


def test_the_well_known_names_answer_with_the_same_tiles(service: Any) -> None:
    row, col, _ = tile_of("WebMercatorQuad", 13)
    tiles = [
        picture(
            service.gettile(
                layer="gis", style="ndvi", tilematrixset=name, tilematrix="13", row=row, column=col,
                format="image/png", Time="current",
            )
        )
        for name in ("WebMercatorQuad", "GoogleMapsCompatible", "WholeWorld_WebMercator")
    ]  # fmt: skip
    assert tiles[0].std() > 5
    np.testing.assert_array_equal(tiles[0], tiles[1])
    np.testing.assert_array_equal(tiles[0], tiles[2])


def test_the_values_of_a_pixel(gis_server: str) -> None:
    """OWSLib has GetFeatureInfo of WMTS in name only: the request is made of what it read in the document."""
    service = owslib.WebMapTileService(f"{gis_server}/wmts")
    address = service.getOperationByName("GetFeatureInfo").methods[0]["url"]
    row, col, view = tile_of("UTM32WGS84Quad", 14)
    parameters = {
        "service": "WMTS", "version": "1.0.0", "request": "GetFeatureInfo", "layer": "gis", "style": "ndvi",
        "format": "image/png", "tilematrixset": "UTM32WGS84Quad", "tilematrix": 14, "tilerow": row,
        "tilecol": col, "i": 100, "j": 50, "infoformat": "application/json", "time": "2020-05-01",
    }  # fmt: skip
    answer = owslib.openURL(address, urlencode(parameters))
    (feature,) = json.loads(answer.read())["features"]
    x, y = view.transform @ (100.5, 50.5)
    scene_col, scene_row = ~gis.ORIGIN @ (x, y)
    place = int(scene_row), int(scene_col)
    assert feature["properties"]["item"] == "day-2020-05-01"
    found = {band["name"]: band["reflectance"] for band in feature["properties"]["bands"]}
    wanted = {name: gis.reflectance("2020-05-01", band)[place] for name, band in (("B04", 2), ("B08", 3))}
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=0.0025)
    ndvi = (found["B08"] - found["B04"]) / (found["B08"] + found["B04"])
    assert feature["properties"]["results"][0]["value"] == pytest.approx(ndvi, abs=0.001)


def test_mistakes_are_exceptions_with_code_and_locator(gis_server: str) -> None:
    service = owslib.WebMapTileService(f"{gis_server}/wmts")
    with pytest.raises(util.ServiceException) as failed:
        service.gettile(
            layer="gis", style="sepia", tilematrixset="WebMercatorQuad", tilematrix="1", row=0, column=1,
            format="image/png",
        )  # fmt: skip
    assert "InvalidParameterValue" in str(failed.value) or "STYLE" in str(failed.value)


def test_the_legends_are_pictures_of_the_size_that_is_said(gis_server: str) -> None:
    service = owslib.WebMapTileService(f"{gis_server}/wmts")
    for style in service.contents["gis"].styles.values():
        answer = owslib.openURL(style["legend"])
        image = Image.open(io.BytesIO(answer.read()))
        assert image.format == "PNG"
        assert (str(image.width), str(image.height)) == (style["width"], style["height"])
        assert len(image.getcolors(1 << 16) or []) > 3
