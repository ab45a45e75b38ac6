"""What a geoservice would have said, over HTTP, by the bundled series; nothing of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.tileserver.people import DEFINITION, Caller, House, house
from tileserver.store.tables import metadata

SAMPLES = Path(__file__).resolve().parents[4] / "samples"
WEST, SOUTH = 22.1505, 45.2035


def square(west: float, south: float, side: float = 0.0012) -> dict[str, Any]:
    ring = [
        [west, south],
        [west + side, south],
        [west + side, south + side],
        [west, south + side],
        [west, south],
    ]
    return {"type": "Polygon", "coordinates": [ring]}


FOREST: dict[str, Any] = {
    **DEFINITION, "slug": "forest", "collections": ["romania-forest"], "sites": square(WEST, SOUTH),
    "indicators": [{"indicator": "ndvi", "nominal": {"kind": "seasonal"}}],
    "recipients": [{"email": "a@example.org"}, {"email": "b@example.org", "min_severity": 3}],
}  # fmt: skip


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> House:
    return house(SAMPLES, tmp_path_factory.mktemp("preview"))


@pytest.fixture(scope="module")
def me(forest: House) -> Caller:
    return forest.enter("me@example.org")


def rows(made: House) -> dict[str, int]:
    with made.database.reading() as connection:
        return {
            each.name: connection.execute(select(func.count()).select_from(each)).scalar_one()
            for each in metadata.sorted_tables
        }


def test_it_tells_what_would_have_been_and_keeps_nothing(forest: House, me: Caller) -> None:
    before = rows(forest)
    answer = me.send("POST", "/geoservices/preview?locale=fr", FOREST)
    assert answer.status_code == 200, answer.text
    told = answer.get_json()
    assert rows(forest) == before
    assert "no-store" in answer.headers["Cache-Control"]
    assert (told["sites"], told["cost"]["observations"]) == (1, 65)
    ((site,),) = [each["sites"] for each in told["indicators"]]
    assert len(site["observations"]) == 65
    assert site["clear_dates"] == sum(each["reason"] is None for each in site["observations"])
    assert 0 < site["sight"]["coding"] < site["sight"]["smallest_change"]
    assert site["advice"]["code"] == "fine"
    assert site["advice"]["sentence"] == "Ce site peut être suivi."
    assert told["until"].startswith("2020-") or told["until"].startswith("2021-")


def test_deviations_make_messages(me: Caller) -> None:
    low = {**FOREST, "indicators": [{"indicator": "ndvi", "nominal": {"kind": "fixed", "low": 0.93}}]}
    told = me.send("POST", "/geoservices/preview", low).get_json()
    (site,) = told["indicators"][0]["sites"]
    (one,) = site["deviations"]
    assert one["alert"]
    assert one["over"] is None
    of_a = 1
    of_b = 1 if one["severity"] == 3 else 0
    assert told["cost"]["messages"] == 1 + of_a + of_b
    quiet = {**low, "alerts": {"moderation": "none"}, "recipients": []}
    assert me.send("POST", "/geoservices/preview", quiet).get_json()["cost"]["messages"] == 0


def test_sites_one_by_one(me: Caller) -> None:
    two = [
        {"type": "Feature", "properties": {"name": name}, "geometry": square(WEST, south)}
        for name, south in (("North", SOUTH + 0.002), ("South", SOUTH))
    ]
    both = {**FOREST, "sites": {"type": "FeatureCollection", "features": two}}
    told = me.send("POST", "/geoservices/preview?site=1", both).get_json()
    (site,) = told["indicators"][0]["sites"]
    assert (told["sites"], site["name"], told["cost"]["observations"]) == (2, {"en": "South"}, 65)
    assert me.send("POST", "/geoservices/preview?site=2", both).status_code == 404


def test_a_site_elsewhere_is_told_so(me: Caller) -> None:
    away = {**FOREST, "sites": square(9.0, 47.0)}
    told = me.send("POST", "/geoservices/preview", away).get_json()
    (site,) = told["indicators"][0]["sites"]
    assert (site["advice"]["code"], site["observations"]) == ("not-shown", [])


def test_a_tiny_site_is_too_small_and_told_from_which_area_on_not(me: Caller) -> None:
    change = {"indicator": "ndvi", "nominal": {"kind": "change", "dates": 3}}
    tiny = {
        **FOREST,
        "sites": square(WEST, SOUTH, 0.0002),
        "alerts": {"min_pixels": 1},
        "indicators": [change],
    }
    told = me.send("POST", "/geoservices/preview", tiny).get_json()
    (site,) = told["indicators"][0]["sites"]
    assert site["advice"]["code"] == "too-small"
    area = site["advice"]["area_m2"]
    assert area > site["area_m2"]
    assert f"at least {area / 1e4:.2f} ha" in site["advice"]["sentence"]
    assert "too small for ×" in site["advice"]["sentence"]


def test_a_kept_one_and_a_site_that_one_has(forest: House, me: Caller) -> None:
    body = {"name": {"en": "Slope"}, "geometry": square(WEST, SOUTH)}
    site = me.send("POST", "/sites", body).get_json()["id"]
    by_number = {key: value for key, value in FOREST.items() if key != "sites"} | {"site": site}
    told = me.send("POST", "/geoservices/preview", by_number).get_json()
    assert told["indicators"][0]["sites"][0]["name"] == {"en": "Slope"}
    made = me.send("POST", "/geoservices", by_number)
    assert made.get_json()["site"] == site
    kept = me.send("POST", "/geoservices/forest/preview").get_json()
    assert kept["indicators"] == told["indicators"]
    other = forest.enter("other@example.org")
    assert other.send("POST", "/geoservices/preview", by_number).status_code == 422
    assert other.send("POST", "/geoservices", {**by_number, "slug": "mine"}).status_code == 422
    assert other.send("POST", "/geoservices/forest/preview").status_code == 404


def test_what_cannot_be_previewed_is_said_of_its_field(me: Caller, forest: House) -> None:
    both = me.send("POST", "/geoservices/preview", {**FOREST, "site": 1})
    assert both.status_code == 422
    assert "give either sites" in both.text
    unknown = {**FOREST, "indicators": [{"indicator": "no", "nominal": {"kind": "fixed", "low": 0}}]}
    answer = me.send("POST", "/geoservices/preview", unknown)
    assert (answer.status_code, answer.get_json()["detail"]) == (
        404, "indicators.0: there is no indicator no; see /pof",
    )  # fmt: skip
    assert forest.nobody().send("POST", "/geoservices/preview", FOREST).status_code == 401
    stale = Caller(me.client, "wrong")
    assert stale.send("POST", "/geoservices/preview", FOREST).status_code == 403


def test_one_that_takes_too_long_is_told(tmp_path: Path) -> None:
    hasty = house(SAMPLES, tmp_path, series_seconds=0.01)
    answer = hasty.enter("me@example.org").send("POST", "/geoservices/preview", FOREST)
    assert answer.status_code == 503
    assert "preview fewer sites" in answer.get_json()["detail"]


def test_a_geoservice_called_preview_can_be_reached(me: Caller) -> None:
    assert me.send("POST", "/geoservices", {**FOREST, "slug": "preview"}).status_code == 201
    assert me.get("/geoservices/preview").status_code == 200
    assert me.send("DELETE", "/geoservices/preview").status_code == 204
