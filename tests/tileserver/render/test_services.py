"""Small services: styles, looks, times, geometries, encoding."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import morecantile
import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.warp import transform
from rio_tiler.models import ImageData

from comeo.errors import BoundError, NotFoundError, ParameterError
from comeo.grid import Grid
from comeo.scene import Band
from tileserver import Settings
from tileserver.render.describe import zoom_range
from tileserver.render.encode import PICTURES, encode
from tileserver.render.look import Appearance, palette, resolve
from tileserver.render.picture import colour, observe
from tileserver.render.styles import find_style, styles_for
from tileserver.render.temporal import parse_interval, rfc3339

FOUR = tuple(Band(name, 1e-4, -0.1, "reflectance") for name in ("B02", "B03", "B04", "B08"))
TEN = (*FOUR, *(Band(name, 1e-4, 0.0, "reflectance") for name in ("B05", "B8A", "B11", "B12")))
RADAR = (Band("VV", unit="dB"), Band("VH", unit="dB"))
SETTINGS = Settings()


def test_styles_are_those_that_the_bands_can_give() -> None:
    assert [name for name in styles_for(FOUR) if not name.startswith("b0")] == [
        "true-color", "false-color", "ndvi", "ndwi"
    ]  # fmt: skip
    assert {"moisture", "burn", "short-wave-infrared", "b8a"} <= set(styles_for(TEN))
    assert list(styles_for(RADAR)) == ["radar", "vv", "vh"]
    assert styles_for([Band("B04"), Band("B03"), Band("B02")]) == {}


def test_a_style_that_bands_cannot_give_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"moisture needs .*B11"):
        find_style("moisture", FOUR)
    with pytest.raises(ParameterError, match="there is no style sepia"):
        find_style("sepia", FOUR)


def test_moisture_takes_the_bands_that_there_are() -> None:
    assert find_style("moisture", TEN).expression == "(B8A-B11)/(B8A+B11)"
    without = [band for band in TEN if band.name != "B8A"]
    assert find_style("moisture", without).expression == "(B08-B11)/(B08+B11)"


def test_bands_without_a_range_get_the_one_of_their_unit() -> None:
    look = resolve(Appearance(bands=("B04",)), FOUR, SETTINGS, picture=True)
    assert look.rescale is not None
    assert look.rescale[0] == pytest.approx((1000.0, 4000.0))
    look = resolve(Appearance(bands=("B04",), unscale=True), FOUR, SETTINGS, picture=True)
    assert look.rescale == ((0.0, 0.3),)


def test_data_are_left_alone() -> None:
    look = resolve(Appearance(), FOUR, SETTINGS, picture=False)
    assert (look.bands, look.rescale, look.resampling) == (("B02", "B03", "B04", "B08"), None, "nearest")
    look = resolve(Appearance(style="ndvi"), FOUR, SETTINGS, picture=False)
    assert (look.bands, look.rescale, look.physical) == (("B08", "B04"), None, True)


def test_contradictions_are_refused() -> None:
    wrong: list[tuple[Appearance, type[Exception]]] = [
        (Appearance(bands=("B04",), expression="B04"), ParameterError),
        (Appearance(bands=("B99",)), NotFoundError),
        (Appearance(bands=("B04",) * 17), BoundError),
        (Appearance(bands=("B04", "B03")), ParameterError),
        (Appearance(expression="B04"), ParameterError),
        (Appearance(style="ndvi", color_formula="gamma RGB 2"), ParameterError),
    ]
    for appearance, error in wrong:
        with pytest.raises(error):
            resolve(appearance, FOUR, SETTINGS, picture=True)


def test_nothing_is_coloured_that_is_not_valid() -> None:
    image = _image(np.array([[[1000, 2000, 4000]]], np.uint16), [[[True, False, False]]])
    look = resolve(Appearance(bands=("B04",)), FOUR, SETTINGS, picture=True)
    shown = colour(observe(image, look), look)
    np.testing.assert_array_equal(shown.data[0], [[0, 85, 255]])
    np.testing.assert_array_equal(np.ma.getmaskarray(shown.array)[0], [[True, False, False]])


def test_a_colour_map_spans_the_range() -> None:
    values = np.array([[[-0.2, 0.35, 0.9, 5.0]]], np.float32)
    image = ImageData(np.ma.MaskedArray(values, mask=False), band_names=["x"])
    look = resolve(Appearance(style="ndvi"), FOUR, SETTINGS, picture=True)
    picture = Image.open(io.BytesIO(encode(colour(image, look), look, "png"))).convert("RGB")
    colours = palette("rdylgn")
    found = [picture.getpixel((column, 0)) for column in range(4)]
    assert found[0] == tuple(colours[0, :3])
    assert found[2] == found[3] == tuple(colours[255, :3])
    assert np.abs(np.array(found[1]) - colours[127, :3].astype(int)).max() <= 4


@pytest.mark.parametrize("extension", sorted(PICTURES))
@pytest.mark.parametrize("bands", [("B04",), ("B04", "B03", "B02")])
@pytest.mark.parametrize("masked", [False, True])
def test_pictures_show_what_they_are_of(extension: str, bands: tuple[str, ...], masked: bool) -> None:
    ramp = np.linspace(1000, 4000, 64).astype(np.uint16)
    values = np.broadcast_to(ramp, (len(bands), 64, 64)).copy()
    mask = np.zeros(values.shape, bool)
    mask[:, :32, :32] = masked
    look = resolve(Appearance(bands=bands), FOUR, SETTINGS, picture=True)
    blob = encode(colour(observe(_image(values, mask), look), look), look, extension)
    shown = np.asarray(Image.open(io.BytesIO(blob)).convert("RGBA")).astype(int)
    expected = np.clip((ramp - 1000.0) / 3000 * 255, 0, 255)
    tolerance = 1 if extension == "png" else 12
    assert np.abs(shown[40, :, 0] - expected).max() <= tolerance
    hidden = shown[8, 8]
    if masked and extension == "jpg":
        assert hidden[:3].min() > 230
    else:
        assert hidden[3] == (0 if masked else 255)


def test_a_geotiff_says_what_is_in_it() -> None:
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    mask = np.zeros(values.shape, bool)
    mask[:, 0, 0] = True
    look = resolve(Appearance(bands=("B04", "B08")), FOUR, SETTINGS, picture=False)
    for nodata in (0, None):
        image = _image(values, mask)
        image.nodata, image.band_names = nodata, ["B04", "B08"]
        blob = encode(image, look, "tif", {"id": "scene"})
        with rasterio.Env(), MemoryFile(blob).open() as dataset:
            assert dataset.nodata == nodata
            assert dataset.descriptions == ("B04", "B08")
            assert dataset.tags()["id"] == "scene"
            np.testing.assert_array_equal(dataset.read_masks(1) > 0, ~mask[0])
            np.testing.assert_array_equal(dataset.read()[~mask], values[~mask])


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        (None, None, None),
        ("2024-05-01", "2024-05-01T00:00:00Z", "2024-05-01T23:59:59.999999Z"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z", "2024-05-01T08:00:00Z"),
        ("2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.123456Z", "2024-05-01T10:00:00.123456Z"),
        ("../2024-05-01", None, "2024-05-01T23:59:59.999999Z"),
        ("2024-05-01/..", "2024-05-01T00:00:00Z", None),
        ("2024-05-01/", "2024-05-01T00:00:00Z", None),
        ("2024-05-01/2024-05-02", "2024-05-01T00:00:00Z", "2024-05-02T23:59:59.999999Z"),
    ],
)
def test_times(text: str | None, start: str | None, end: str | None) -> None:
    found = [moment and rfc3339(moment) for moment in parse_interval(text)]
    assert found == [start, end]


@pytest.mark.parametrize(
    "text",
    ["", "..", "../..", "/", "a/b", "2024-05-01/2024-04-01", "2024-13-01", "2024-05-01T25:00:00Z", "2024",
     "2024-05-01T10:00:00", "1/2/3", "2024-05-01T10:00:00+99:00", "9999-12-31T23:59:59-23:59", "0000-01-01"],
)  # fmt: skip
def test_times_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParameterError):
        parse_interval(text)


def test_times_are_written_in_utc() -> None:
    assert rfc3339(datetime(2024, 5, 1, 10, tzinfo=UTC)) == "2024-05-01T10:00:00Z"


def _image(values: Any, mask: Any) -> ImageData:
    count = len(values)
    return ImageData(
        np.ma.MaskedArray(values, mask=mask), bounds=(0, 0, 10, 10), crs=CRS.from_epsg(32632),
        band_names=["B04", "B03", "B02"][:count], scales=[1e-4] * count, offsets=[-0.1] * count,
    )  # fmt: skip


@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad"])
def test_zooms_across_the_antimeridian_are_those_of_elsewhere(tms: str) -> None:
    def zooms(lon: float, epsg: int) -> tuple[int, int]:
        crs = CRS.from_epsg(epsg)
        (x,), (y,) = transform("EPSG:4326", crs, [lon], [-17.0])
        grid = Grid(crs, Affine(10, 0, x - 5000, 0, -10, y), 1000, 1000)
        return zoom_range(grid, morecantile.tms.get(tms))

    low, high = zooms(177.0, 32760)
    assert zooms(180.0, 32760)[1] == high
    assert abs(zooms(180.0, 32760)[0] - low) <= 1
