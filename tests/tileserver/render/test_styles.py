"""Styles: offered where bands allow, and equal to the indices that quality reports measure."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from rasterio.warp import transform

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import ParameterError
from comeo.indicators.catalogue import document
from comeo.quality.render import physical, rendering_of
from comeo.scene import Band, Window
from tests.scenes import array_group, array_scene
from tests.tileserver.conftest import FINE, Server
from tileserver.render.plan import RenderRequest, resolve
from tileserver.render.styles import error_style, find_style, styles_for
from tileserver.settings import Settings

FOUR = tuple(Band(name, 1e-4, -0.1, "reflectance") for name in ("B02", "B03", "B04", "B08"))
TEN = (*FOUR, *(Band(name, 1e-4, 0.0, "reflectance") for name in ("B05", "B8A", "B11", "B12")))
RADAR = (Band("VV", unit="dB"), Band("VH", unit="dB"))
ITEM = "/collections/dark/items/dark"
SIZE = 64


def test_styles_are_those_that_the_bands_can_give() -> None:
    assert [name for name in styles_for(FOUR) if not name.startswith("b0")] == [
        "true-color", "false-color", "ndvi", "ndwi", "evi", "savi", "gndvi"
    ]  # fmt: skip
    assert {"moisture", "burn", "short-wave-infrared", "b8a"} <= set(styles_for(TEN))
    assert list(styles_for(RADAR))[:3] == ["vv", "vh", "radar"]
    assert styles_for([Band("B04"), Band("B03"), Band("B02")]) == {}


def test_a_style_with_numbers_and_functions_in_it_is_offered() -> None:
    evi = find_style("evi", FOUR)
    assert "2.5" in evi.expression
    assert "max(" in evi.expression
    assert "evi" not in styles_for(FOUR[1:])  # without blue


def test_a_style_that_bands_cannot_give_is_refused_by_the_bands_that_it_needs() -> None:
    with pytest.raises(ParameterError, match="moisture needs B8A or B08, and B11 in reflectance"):
        find_style("moisture", FOUR)
    with pytest.raises(ParameterError, match="style sepia is unknown"):
        find_style("sepia", FOUR)


def test_moisture_takes_the_bands_that_there_are() -> None:
    for bands, near in ((TEN, "B8A"), ([band for band in TEN if band.name != "B8A"], "B08")):
        found = find_style("moisture", bands).indicator
        assert found is not None
        assert found.expression.bands == (near, "B11")


def test_errors_are_shown_on_the_range_of_their_unit() -> None:
    shown = [error_style(bands) for bands in (FOUR, RADAR, [Band("DN")], [])]
    assert [style and style.rescale for style in shown] == [((0.0, 0.03),), ((0.0, 3.0),), None, None]


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of reflectances around 0, many of them negative, and some of exactly 0."""
    values = np.random.default_rng(3).integers(900, 1150, (4, SIZE, SIZE)).astype(np.uint16)
    values[:, :8] = 1000
    group = array_group(values, names=["B02", "B03", "B04", "B08"], transform=FINE)
    folder = tmp_path_factory.mktemp("dark")
    compress(array_scene(group, scene_id="dark", collection="dark"), folder / "dark.zarr.zip", step=1.0)
    return folder


@pytest.mark.parametrize("name", ["ndvi", "ndwi", "evi"])
def test_a_style_serves_what_quality_measures_where_reflectances_are_negative(
    server: Server, dark: Path, name: str
) -> None:
    with open_archive(dark / "dark.zarr.zip") as archive:
        group = archive.groups["r10m"]
        stored = archive.read(group.levels[0], Window(0, 0, SIZE, SIZE))
    index = rendering_of(document(name), group.bands)
    assert index is not None
    reflectance = physical(stored, group.bands)
    assert (reflectance[[2, 3]] < 0).any(axis=(1, 2)).all()
    expected = index.evaluate(reflectance[list(index.places)])
    assert np.isfinite(expected).all()
    assert np.abs(expected).max() <= 1

    client = server(dark)
    served = [
        np.load(io.BytesIO(client.get(f"{ITEM}/preview.npy?{query}&max_size={SIZE}&return_mask=false").data))
        for query in (f"style={name}", f"expression={quote(index.expression.text)}")
    ]
    np.testing.assert_allclose(served[0], expected, atol=1e-6)
    np.testing.assert_array_equal(served[0], served[1])

    # Points are computed from doubles: a reflectance of 0 is 7e-9 off in the floats of an image.
    for row, col in ((3, 3), (20, 5), (40, 60), (63, 0)):
        (lon,), (lat,) = transform(
            "EPSG:32632", "EPSG:4326", *([each] for each in FINE @ (col + 0.5, row + 0.5))
        )
        answer: Any = client.get(f"{ITEM}/point/{lon},{lat}?style={name}").json
        assert answer["results"][0]["value"] == pytest.approx(float(expected[0, row, col]), abs=2e-4)


def test_a_users_own_expression_is_literal(server: Server, dark: Path) -> None:
    query = f"expression={quote('(B08-B04)/(B08+B04)')}&max_size={SIZE}&return_mask=false"
    served = np.load(io.BytesIO(server(dark).get(f"{ITEM}/preview.npy?{query}").data))
    assert np.nanmax(np.abs(served)) > 1


def test_errors_are_those_of_backscatter_though_an_angle_comes_first() -> None:
    bands = [Band("angle", unit="degrees"), *RADAR]
    style = error_style(bands)
    assert style is not None
    assert style.unit == "dB"
    plan = resolve(RenderRequest(style="error"), bands, Settings(), picture=True)
    assert [band.name for band in plan.sources] == [band.name for band in RADAR]
