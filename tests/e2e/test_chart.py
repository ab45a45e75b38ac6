"""The chart in a real browser: pixels, drawn and uploaded fields, over two years with cloudy dates."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rasterio import warp

from comeo.compression import compress
from tests.e2e.clicks import DRAWING
from tests.e2e.conftest import BANDS, Server, Visit, numbers, until
from tests.e2e.test_accessibility import violations
from tests.e2e.test_viewer import PHONE, fragment
from tests.scenes import array_classes, array_group, array_scene

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Visits = Callable[..., Visit]
SIDE = 128
# Near infrared reflectance by date, with red at 0.05: NDVI = (nir − 0.05) / (nir + 0.05)
DATES = {
    "2019-04-10": 0.15, "2019-06-20": 0.45, "2019-08-30": 0.25,
    "2020-04-12": 0.20, "2020-06-15": 0.05, "2020-08-28": 0.30,
}  # fmt: skip
CLOUDY = "2020-06-15"
FARM = "#collection=farm&item=farm-2020-08-28"


def ndvi(nir: float) -> float:
    return (nir - 0.05) / (nir + 0.05)


@pytest.fixture(scope="module")
def farm(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of one field at six dates, of which one is under cloud."""
    folder = tmp_path_factory.mktemp("farm")
    for day, nir in DATES.items():
        values = np.broadcast_to(numbers(0.04, 0.06, 0.05, nir), (4, SIDE, SIDE)).copy()
        classes = np.full((SIDE // 2, SIDE // 2), 6 if day == CLOUDY else 1, np.uint8)
        scene = array_scene(
            array_group(values, names=BANDS), scene_id=f"farm-{day}", collection="farm",
            classes=array_classes(classes),
        )  # fmt: skip
        object.__setattr__(scene, "datetime", datetime.fromisoformat(f"{day}T10:00:00").replace(tzinfo=UTC))
        compress(scene, folder / f"{day}.zarr.zip", codec="dct", step=20.0)
    with Server(folder, folder / "server.log") as running:
        yield running.address


class Clicks:
    """Clicks, counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    def on(self, target: Locator) -> None:
        target.click()
        self.count += 1

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press, move and release at shares of the map's width and height: one click."""
        box = self.page.locator("#map").bounding_box()
        assert box is not None
        (x0, y0), (x1, y1) = (
            (box["x"] + east * box["width"], box["y"] + south * box["height"]) for east, south in (start, end)
        )
        self.page.mouse.move(x0, y0)
        self.page.mouse.down()
        for part in (0.3, 0.6, 1.0):
            self.page.mouse.move(x0 + part * (x1 - x0), y0 + part * (y1 - y0))
        self.page.mouse.up()
        self.count += 1


def place_on_map(page: Page, east: float, south: float) -> tuple[float, float]:
    box = page.locator("#map").bounding_box()
    assert box is not None
    return box["x"] + east * box["width"], box["y"] + south * box["height"]


def read_table(page: Page) -> list[tuple[str, str, str]]:
    """Rows of the table of values: date, value, clear share."""
    page.locator(".chart-table summary").click()
    rows = page.locator(".chart-table tbody tr").all()
    found = [tuple(row.locator("th, td").all_inner_texts()) for row in rows]
    page.locator(".chart-table summary").click()
    return found  # type: ignore[return-value]


def outline(page: Page) -> dict[str, Any]:
    """A rectangle well inside the scene, in degrees."""
    west, south, east, north = 8.6376, 47.4618, 8.6410, 47.4640
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def chart_a_field(page: Page, clicks: Clicks) -> None:
    """Open the chart and draw a field inside the scene: three clicks."""
    clicks.on(page.get_by_role("button", name="Chart"))
    clicks.on(page.get_by_role("button", name="Rectangle"))
    until(page, DRAWING)
    clicks.drag((0.62, 0.40), (0.72, 0.55))


def test_a_fields_curve_of_all_years_takes_three_clicks(visit: Visits, farm: str) -> None:
    seen = visit(farm)
    page = seen.open(FARM)
    clicks = Clicks(page)
    chart_a_field(page, clicks)
    page.locator(".chart-plot canvas").wait_for()
    assert clicks.count == 3

    rows = read_table(page)
    assert len(rows) == len(DATES)
    for (day, value, clear), (date, nir) in zip(rows, DATES.items(), strict=True):
        assert str(int(date[8:])) in day
        assert clear == ("0 %" if date == CLOUDY else "100 %")
        if date == CLOUDY:
            assert value == "–"
            continue
        middle, margin = (float(part) for part in value.replace("−", "-").split(" ± "))
        assert middle == pytest.approx(ndvi(nir), abs=0.02)
        assert 0 <= margin < 0.05
    summary = page.locator(".chart-details > .hint").inner_text()
    assert "6 dates, 1 of them cloudy" in summary
    assert "95 of 100" in summary
    assert seen.complaints == []


def test_a_point_of_the_curve_shows_its_values_and_a_click_its_picture(visit: Visits, farm: str) -> None:
    seen = visit(farm)
    page = seen.open(FARM)
    page.get_by_role("button", name="Chart").click()
    page.locator(".chart").wait_for()
    page.mouse.click(*place_on_map(page, 0.66, 0.5))
    page.locator(".chart-plot canvas").wait_for()
    assert page.locator("#pixel").is_hidden(), "clicks are the chart's while it is open"
    plot = page.locator(".u-over").bounding_box()
    assert plot is not None
    page.mouse.move(plot["x"] + 1, plot["y"] + plot["height"] / 2)
    assert seen.eventually(lambda: "10 Apr 2019" in page.locator(".chart-readout").inner_text())
    assert "±" in page.locator(".chart-readout").inner_text()
    with page.expect_response(lambda answer: "items/farm-2019-04-10/tiles/" in answer.url):
        page.mouse.click(plot["x"] + 1, plot["y"] + plot["height"] / 2)
    assert seen.eventually(lambda: "item=farm-2019-04-10" in fragment(page))
    page.get_by_role("button", name="Later value").click()
    assert "20 Jun 2019" in page.locator(".chart-readout").inner_text()
    with page.expect_response(lambda answer: "items/farm-2019-06-20/tiles/" in answer.url):
        page.get_by_role("button", name="Show this date").click()
    page.keyboard.press("Escape")
    assert "chart=" not in fragment(page)
    page.mouse.click(*place_on_map(page, 0.66, 0.5))
    page.locator("#pixel:not([hidden])").wait_for()
    assert seen.complaints == []


def test_indicators_years_and_the_file(visit: Visits, farm: str) -> None:
    seen = visit(farm)
    page = seen.open(f"{FARM}&chart=ndvi*8.639_47.463")
    page.locator(".chart-plot canvas").wait_for()
    page.get_by_label("Compare years").check()
    assert page.locator(".chart-key li").all_inner_texts()[:2] == ["2019", "2020"]
    page.locator(".chart-indicators label", has_text="NDWI").click()
    page.locator(".chart-key li", has_text="NDWI").wait_for()
    assert page.get_by_label("Compare years").is_disabled()
    assert "chart=ndvi*ndwi*" in fragment(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "farm_ndvi_ndwi.csv"
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert len(rows) == 2 * len(DATES)
    assert {row["indicator"] for row in rows} == {"ndvi", "ndwi"}
    assert [row["clear"] for row in rows if row["date"] == CLOUDY] == ["0", "0"]
    page.get_by_label("From date").last.fill("2020-01-01")
    assert seen.eventually(lambda: len(read_table(page)) == 6)
    assert seen.complaints == []


def gpx(ring: list[list[float]]) -> bytes:
    points = "".join(f'<trkpt lat="{y}" lon="{x}"></trkpt>' for x, y in ring)
    return (
        '<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"><trk><name>walk</name>'
        f"<trkseg>{points}</trkseg></trk></gpx>"
    ).encode()


def kml(ring: list[list[float]]) -> bytes:
    coordinates = " ".join(f"{x},{y},400" for x, y in ring)
    return (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>north</name><Polygon>'
        f"<outerBoundaryIs><LinearRing><coordinates>{coordinates}</coordinates></LinearRing></outerBoundaryIs>"
        "</Polygon></Placemark></Document></kml>"
    ).encode()


def kmz(ring: list[list[float]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", kml(ring))
    return content.getvalue()


UTM32 = (
    'PROJCS["UTM 32N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",9],PARAMETER["scale_factor",0.9996],'
    'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1]]'
)


def shapefile(ring: list[list[float]]) -> bytes:
    """A zip of one polygon in metres, with a name (ESRI, Shapefile Technical Description, 1998)."""
    points = list(zip(*warp.transform("EPSG:4326", "EPSG:32632", *zip(*ring, strict=True)), strict=True))[
        ::-1
    ]
    box = [side(each) for side in (min, max) for each in zip(*points, strict=True)]
    shape = struct.pack("<i4d3i", 5, *box, 1, len(points), 0) + b"".join(
        struct.pack("<2d", *p) for p in points
    )

    def file(body: bytes) -> bytes:
        return struct.pack(">7i", 9994, *[0] * 5, (100 + len(body)) // 2) + struct.pack(
            "<2i8d", 1000, 5, *box, 0, 0, 0, 0
        ) + body  # fmt: skip

    table = struct.pack("<B3BIHH20x", 3, 120, 1, 1, 1, 65, 11) + struct.pack(
        "<11sc4xBB14x", b"name", b"C", 10, 0
    )
    parts = {
        "plot.shp": file(struct.pack(">2i", 1, len(shape) // 2) + shape),
        "plot.shx": file(struct.pack(">2i", 50, len(shape) // 2)),
        "plot.dbf": table + b"\r" + b" plot      " + b"\x1a",
        "plot.prj": UTM32.encode(),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def test_fields_of_every_kind_of_file_are_uploaded_in_two_clicks(visit: Visits, farm: str) -> None:
    seen = visit(farm)
    page = seen.open(FARM)
    ring = outline(page)["coordinates"][0]
    shape = {"type": "Polygon", "coordinates": [ring]}
    features = [{"type": "Feature", "properties": {"name": n}, "geometry": shape} for n in ("a", "b")]
    collection = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    one = {"kml": kml(ring), "kmz": kmz(ring), "gpx": gpx(ring), "zip": shapefile(ring)}
    page.get_by_role("button", name="Chart").click()
    for kind, content in {**one, "geojson": collection}.items():
        with (
            page.expect_response(lambda answer: "/series" in answer.url and answer.ok) as asked,
            page.expect_file_chooser() as chooser,
        ):
            page.get_by_role("button", name="Upload…").click()
            chooser.value.set_files(
                {"name": f"fields.{kind}", "mimeType": "application/octet-stream", "buffer": content}
            )
        sent = json.loads(asked.value.request.post_data or "")["features"][0]["geometry"]["coordinates"][0]
        assert sorted(sent[:4]) == pytest.approx(np.array(sorted(ring[:4])), abs=1e-6)
        page.locator(".chart-plot canvas").wait_for()
        count = len(DATES) * (2 if kind == "geojson" else 1)
        assert seen.eventually(lambda count=count: len(read_table(page)) == count), kind  # type: ignore[misc]
    assert page.locator(".chart-key li").all_inner_texts()[:2] == ["a", "b"]
    assert seen.complaints == []


def test_files_that_cannot_be_used_say_why(visit: Visits, farm: str) -> None:
    seen = visit(farm)
    page = seen.open(FARM)
    page.get_by_role("button", name="Chart").click()
    metres = json.dumps({"type": "Point", "coordinates": [472480, 5257490]})
    for name, content, sentence in (
        ("a.geojson", b"{", "The file cannot be read"),
        ("a.kml", b"<kml><", "The file cannot be read"),
        ("a.geojson", metres.encode(), "Its coordinates are not degrees"),
        ("a.dxf", b"", "This kind of file cannot be read"),
        ("a.zip", b"PK", "The file cannot be read"),
    ):
        page.locator(".chart input[type=file]").set_input_files(
            {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        )
        page.locator(".chart-status", has_text=sentence).wait_for()


def test_on_a_phone_and_in_arabic(visit: Visits, farm: str) -> None:
    seen = visit(farm, **PHONE, color_scheme="dark")
    page = seen.open(f"{FARM}&lang=ar&chart=ndvi*8.639_47.463")
    page.locator(".chart-plot canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator(".chart-plot").evaluate("plot => getComputedStyle(plot).direction") == "ltr"
    inside = page.locator(".tool-body").evaluate("body => body.scrollWidth <= body.clientWidth")
    assert inside
    assert seen.complaints == []


def test_the_greenest_month_of_a_year_is_found_shown_and_sent(visit: Visits, farm: str) -> None:
    seen = visit(farm)
    page = seen.open(FARM)
    clicks = Clicks(page)
    chart_a_field(page, clicks)
    months = page.locator(".chart-months tbody tr")
    months.first.wait_for()
    assert [row.locator("th").inner_text() for row in months.all()] == ["2019", "2020"]
    assert "20 Jun 2019" in page.get_by_role("button", name="Highest:").inner_text()
    greenest = months.first.locator("[data-extreme=highest]")
    assert greenest.get_attribute("aria-label", timeout=1000).startswith("June 2019: 0.8")  # type: ignore[union-attr]
    clicks.on(greenest)
    page.get_by_role("heading", name="20 Jun 2019").wait_for()
    assert "The map shows 20 Jun 2019." in page.locator(".chart-month-said").inner_text()
    clicks.on(page.get_by_role("button", name="Send a link to it"))
    assert clicks.count == 5
    link = page.locator("#share-link").input_value()
    assert "item=farm-2019-06-20" in link
    assert "chart=ndvi" in link, "the field goes with its picture"
    assert "20 Jun 2019" in page.locator(".chart-readout").text_content(), "one date is told"  # type: ignore[operator]
    assert violations(page) == []
    assert seen.complaints == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900)])
def test_the_means_of_months_are_in_sight_and_a_year_is_told_with_one_click(
    visit: Visits, farm: str, width: int, height: int
) -> None:
    seen = visit(farm, viewport={"width": width, "height": height})
    page = seen.open(FARM)
    clicks = Clicks(page)
    chart_a_field(page, clicks)
    last = page.locator(".chart-months tbody tr").last
    last.wait_for()
    card, row = page.locator(".tool-body").bounding_box(), last.bounding_box()
    assert card is not None
    assert row is not None
    assert row["y"] + row["height"] <= card["y"] + card["height"], "the months lie below the fold"
    year = page.locator(".chart-months").get_by_role("button", name="2019", exact=True)
    clicks.on(year)
    assert year.get_attribute("aria-pressed") == "true"
    told = page.locator(".chart-month-said").inner_text()
    assert told.startswith("2019: highest in June, 0.8"), told
    assert "lowest in April, 0.5" in told
    assert "3 dates" in page.locator(".chart-details > .hint").inner_text()
    assert "20 Jun 2019" in page.get_by_role("button", name="Highest:").inner_text()
    assert "10 Apr 2019" in page.get_by_role("button", name="Lowest:").inner_text()
    assert clicks.count == 4
    year.click()
    assert "6 dates" in page.locator(".chart-details > .hint").inner_text()
    assert seen.complaints == []


def test_what_the_chart_shows_has_a_key(visit: Visits, farm: str) -> None:
    seen = visit(farm)
    page = seen.open(FARM)
    chart_a_field(page, Clicks(page))
    page.locator(".chart-key li").last.wait_for()
    assert page.locator(".chart-key li").all_inner_texts() == ["95 of 100 true values", "cloudy"]
    names = page.locator(".chart-months thead th").all_inner_texts()
    assert len(set(names)) == 12, "letters alone do not tell months apart"
    assert seen.complaints == []


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_field_is_brought_to_where_no_card_covers_it(visit: Visits, farm: str, language: str) -> None:
    seen = visit(farm, viewport={"width": 1280, "height": 800})
    page = seen.open(f"{FARM}&lang={language}")
    page.locator("#open-chart").click()
    page.locator(".chart input[type=file]").wait_for(state="attached")
    content = json.dumps(outline(page)).encode()
    page.locator(".chart input[type=file]").set_input_files(
        {"name": "a.geojson", "mimeType": "application/geo+json", "buffer": content}
    )
    page.locator(".chart-plot canvas").wait_for()
    card, stage = (page.locator(name).bounding_box() for name in ("#tool", "#map"))
    assert card is not None
    assert stage is not None

    def edges() -> tuple[float, float]:
        """Left and right edge of the field on the screen, by the camera in the link."""
        zoom, _, lon = (float(each) for each in fragment(page).partition("map=")[2].split("&")[0].split("/"))
        middle, scale = stage["x"] + stage["width"] / 2, 512 * 2**zoom / 360
        longitudes = [x for x, _ in outline(page)["coordinates"][0]]
        return middle + (min(longitudes) - lon) * scale, middle + (max(longitudes) - lon) * scale

    def is_free() -> bool:
        left, right = edges()
        beside = left >= card["x"] + card["width"] or right <= card["x"]
        return beside and left >= stage["x"] and right <= stage["x"] + stage["width"]

    assert seen.eventually(is_free), (edges(), card, stage)
    assert seen.complaints == []
