"""One budget a request: whichever route, its work is counted as a whole before it is done."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.tileserver.conftest import Server
from tests.tileserver.places import ITEM, position, tile_path, tile_url

COLLECTION = "/collections/optical"
LON, LAT = position(0.4, 0.4)
AREA = f"{LON},{LAT},{LON + 0.02},{LAT + 0.02}"
POLYGON = {
    "type": "Polygon",
    "coordinates": [[[LON, LAT], [LON + 0.02, LAT], [LON + 0.02, LAT + 0.02], [LON, LAT]]],
}
Z, X, Y = tile_path(0.4, 0.4, 12).split("/")
DEEP = tile_path(0.4, 0.4, 15).split("/")
INFO = (
    f"/wmts?service=WMTS&version=1.0.0&request=GetFeatureInfo&layer=optical&style=ndvi&format=image/png"
    f"&tilematrixset=WebMercatorQuad&tilematrix={DEEP[0]}&tilerow={DEEP[2]}&tilecol={DEEP[1]}&i=128&j=128&infoformat=text/plain"
)
ROUTES = {
    "tile": tile_url(),
    "tile of a collection": tile_url(COLLECTION),
    "tile of a layer": f"/ogc/collections/optical/map/tiles/WebMercatorQuad/{Z}/{Y}/{X}",
    "preview": f"{ITEM}/preview.png",
    "statistics": f"{ITEM}/statistics",
    "picture": f"{ITEM}/bbox/{AREA}.png",
    "GeoTIFF": f"{ITEM}/bbox/{AREA}.tif",
    "KMZ": f"{ITEM}/bbox/{AREA}.kmz",
    "series": f"{COLLECTION}/bbox/{AREA}.kmz",
    "polygon": f"{ITEM}/feature.tif",
    "estimate": f"{ITEM}/extracts/estimate",
}
POINTS = {
    "point": f"{ITEM}/point/{LON},{LAT}",
    "point of a collection": f"{COLLECTION}/point/{LON},{LAT}",
    "values of a layer": INFO,
}


def _ask(client: FlaskClient, url: str) -> TestResponse:
    if "/feature." in url:
        return client.post(url, json=POLYGON, buffered=True)
    return client.post(url, json={}) if url.endswith("/estimate") else client.get(url, buffered=True)


@pytest.mark.parametrize("route", [*ROUTES, *POINTS])
def test_decoding_is_bounded_on_every_route(route: str, server: Server, archives: Path) -> None:
    client = server(archives, max_decoded_samples=1000)
    answer = _ask(client, {**ROUTES, **POINTS}[route])
    assert answer.status_code == 413
    assert b"1000" in answer.data
    assert answer.json is None or answer.json["bound"] == "max_decoded_samples"


@pytest.mark.parametrize("route", ROUTES)
def test_warping_is_bounded_on_every_route(route: str, server: Server, archives: Path) -> None:
    if route == "estimate":
        pytest.skip("a few samples of the scene's own pixels")
    answer = _ask(server(archives, max_warped_samples=1000), ROUTES[route])
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["bound"] == "max_warped_samples"


@pytest.mark.parametrize("route", ["tile", "tile of a collection", "preview", "statistics", "KMZ", "series"])
def test_bytes_made_are_bounded(route: str, server: Server, archives: Path) -> None:
    answer = _ask(server(archives, max_made_bytes=10_000), ROUTES[route])
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["bound"] == "max_made_bytes"


@pytest.mark.parametrize("route", ["tile", "tile of a collection", "preview", "statistics", "KMZ", "GeoTIFF"])
def test_expressions_are_bounded_by_pixels_and_terms(route: str, server: Server, archives: Path) -> None:
    """Two hundred terms over sixteen million pixels took half a minute of a processor."""
    terms = quote("+".join(["B04"] * 90))
    client = server(archives, max_computed_samples=1_000_000)
    answer = client.get(f"{ROUTES[route]}?rescale=0,1&expression={terms}")
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["bound"] == "max_computed_samples"
    assert client.get(f"{ROUTES[route]}?rescale=0,1&expression=B04", buffered=True).status_code == 200


@pytest.mark.parametrize("route", ["tile of a collection", "series"])
def test_scenes_opened_are_bounded(route: str, server: Server, archives: Path) -> None:
    url = ROUTES[route] if route == "series" else tile_url(COLLECTION, zoom=12)
    answer = _ask(server(archives, max_opened_scenes=1), url)
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["bound"] == "max_opened_scenes"


@pytest.mark.parametrize("route", ["tile", "GeoTIFF", "KMZ", "polygon", "estimate", "point"])
def test_a_scene_that_is_opened_twice_is_one(route: str, server: Server, archives: Path) -> None:
    assert _ask(server(archives, max_opened_scenes=1), {**ROUTES, **POINTS}[route]).status_code == 200


def test_pictures_of_one_file_share_a_budget(server: Server, archives: Path) -> None:
    """Each scene of a series alone is within the bound."""
    one = f"{ROUTES['series']}?datetime=2020-05-10"
    least = 4 * 128 * 128
    limit = next(
        limit
        for limit in range(least, 40 * least, least)
        if server(archives, max_decoded_samples=limit).get(one).status_code == 200
    )
    assert server(archives, max_decoded_samples=limit).get(ROUTES["series"]).status_code == 413


NUMBERS = ("1e308", "nan", "inf", "-inf", "1e-308", "1e400", "9" * 60, "1e5", "-1e9")
FORMULAS = [
    template.format(number)
    for number in NUMBERS
    for template in (
        "gamma RGB {}", "sigmoidal RGB {} 0.5", "sigmoidal RGB 5 {}", "saturation {}",
        "gamma RGB 2 saturation {}",
    )
]  # fmt: skip


def test_no_number_of_a_colour_formula_is_a_fault_of_the_server(client: FlaskClient) -> None:
    for formula in FORMULAS:
        answer = client.get(tile_url(suffix=f".png?color_formula={quote(formula)}"))
        assert answer.status_code == 422, (formula, answer.status_code)
        assert answer.json is not None
        assert "numbers are 0 or lie between" in answer.json["detail"]


@pytest.mark.parametrize("number", [0.0, 0.001, 0.5, 1.0, 2.0, 20.0, 1000.0])
def test_every_number_within_the_bounds_makes_a_picture(client: FlaskClient, number: float) -> None:
    formula = f"saturation {number} sigmoidal RGB {number} 0.5 gamma RGB {max(number, 0.001)}"
    assert client.get(tile_url(suffix=f".png?color_formula={quote(formula)}")).status_code == 200


def test_the_operations_of_a_colour_formula_are_bounded(client: FlaskClient) -> None:
    answer = client.get(tile_url(suffix=".png?color_formula=" + quote(" ".join(["saturation 1"] * 9))))
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["bound"] == "color_formula"


LONG = "9" * 400
PARAMETERS = ("rescale", "max_size", "p", "histogram_bins", "expression", "bands", "width", "height")
VALUES = (LONG, f"-{LONG}", f"{LONG},{LONG}", "1e308", "nan", f"B04**{LONG}", "B04*1e308", "")


@pytest.mark.parametrize("name", PARAMETERS)
def test_no_value_of_a_parameter_is_a_fault_of_the_server(client: FlaskClient, name: str) -> None:
    urls = (f"{ITEM}/preview.png", f"{ITEM}/statistics", f"{ITEM}/bbox/{AREA}.png", f"{ITEM}/tilejson.json")
    for url in urls:
        for value in VALUES:
            answer = client.get(f"{url}?{name}={quote(value)}")
            assert answer.status_code < 500, (url, name, value)


def test_bands_that_are_none_are_not_all(client: FlaskClient) -> None:
    for url in (f"{ITEM}/statistics?bands=", f"{ITEM}/point/{LON},{LAT}?bands=,"):
        assert client.get(url).status_code == 422
    assert client.post(f"{ITEM}/extracts/estimate", json={"bands": []}).status_code == 422
