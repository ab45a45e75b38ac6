"""Bulletins: a pure function of the database, the same bytes each time, complete without a network."""

from __future__ import annotations

import math
import re
import statistics
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from comeo.errors import ParameterError
from comeo.indicators.catalogue import predefined
from tileserver.store import geoservices, observed, sites
from tileserver.store.database import Database
from tileserver.store.observed import Archived, Observed
from tileserver.store.tables import observation as table
from tileserver.watch.bulletins import svg
from tileserver.watch.bulletins.content import (
    Content,
    Material,
    canonical,
    changes_of,
    content_of,
    digest_of,
    grounds_of,
    material_of,
    moments_of,
)
from tileserver.watch.bulletins.page import Visa, bulletin_page
from tileserver.watch.document.calendar import Month
from tileserver.watch.setup.register import definition_of, register
from tileserver.watch.words import LANGUAGES

NOW = datetime(2021, 1, 1, tzinfo=UTC)
JULY = Month(2020, 7, "UTC")
NDVI = predefined().find("ndvi")
RING = [[10.0, 5.0], [10.01, 5.0], [10.01, 5.01], [10.0, 5.0]]


def definition(**changes: Any) -> Any:
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [RING]}}
    names = ("North", "<b>South</b> & “East”")
    return definition_of(
        {
            "slug": "fields", "title": {"en": "Fields", "ar": "حقول"}, "collections": ["c"],
            "sites": {
                "type": "FeatureCollection",
                "features": [{**feature, "properties": {"name": each}} for each in names],
            },
            "indicators": [{"indicator": "ndvi", "nominal": {"kind": "seasonal"}}],
            "start": "2020-01-01", **changes,
        }
    )  # fmt: skip


def fill(database: Database, **changes: Any) -> None:
    """Two sites: one as in the years before, the other low on two of three dates of July 2020."""
    assert NDVI is not None
    with database.writing() as connection:
        register(connection, definition(**changes), "owner@example.org", 1000, NOW)
        for number, place in enumerate(sites.leaves(connection, group(connection))):
            made = []
            for year in (2018, 2019, 2020):
                for day in (2, 7, 12, 17, 22):
                    low = number == 1 and year == 2020 and day in (7, 12)
                    cloudy = year == 2020 and day == 22
                    value = (0.4 if low else 0.8) + 0.01 * (day % 3)
                    made.append(
                        Observed(
                            place.id, NDVI.fingerprint, "c", f"i{year}{day}", "e",
                            datetime(year, 7, day, 10, tzinfo=UTC), "done", "x", value=value,
                            u=0.02, pixels=100.0, covered=1.0, clear=0.3 if cloudy else 1.0,
                            cloud_near=0.0, ratio=98.0,
                        )
                    )  # fmt: skip
            observed.keep(connection, made)


ARCHIVES = {("c", f"i{year}{day}", "e") for year in range(2015, 2021) for day in range(32)}
"""All of them."""


def group(connection: Any) -> int:
    found = geoservices.find_geoservice(connection, "fields")
    assert found is not None
    return found.site


def all_archives(connection: Connection) -> set[Archived]:
    """Of all observations: no scene was withdrawn."""
    found = connection.execute(select(table.c.collection, table.c.item, table.c.etag))
    return {(row.collection, row.item, row.etag) for row in found}


def material(database: Database, *, without: str = "") -> Material:
    """All that bulletins are made of, as if a scene had been withdrawn."""
    with database.reading() as connection:
        found = geoservices.find_geoservice(connection, "fields")
        assert found is not None
        archives = {each for each in all_archives(connection) if each[1] != without}
        return material_of(connection, found, archives)


def content(database: Database, month: Month = JULY, *, without: str = "") -> Content:
    return content_of(material(database, without=without), month, 1)


def test_a_bulletin_says_what_was_observed(database: Database) -> None:
    fill(database)
    found = content(database)
    assert found["number"] == "fields-2020-07-r1"
    (one,) = found["indicators"]
    assert (one["scenes"], one["clear_scenes"]) == (5, 4)
    assert one["ratios"] == [98.0, 98.0, 98.0]
    north, south = one["sites"]
    assert (north["dates"], north["clear_dates"], north["outside"]) == (5, 4, 0)
    assert south["outside"] == 2
    values = [0.8 + 0.01 * (day % 3) for day in (2, 7, 12, 17)]
    assert north["value"] == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert north["u"] == pytest.approx(math.hypot(*[0.02] * 4) / 4, abs=1e-6)
    assert south["difference"] == pytest.approx(south["value"] - south["nominal"], abs=1e-5)
    assert south["difference"] < -0.15
    assert [each["side"] for each in south["curve"][-4:]] == [None, "low", "low", None]


def test_what_the_catalogue_no_longer_has_is_not_told(database: Database) -> None:
    fill(database)
    whole, found = content(database), content(database, without="i20202")
    assert found["indicators"][0]["scenes"] == whole["indicators"][0]["scenes"] - 1
    assert found["indicators"][0]["sites"][0]["dates"] == whole["indicators"][0]["sites"][0]["dates"] - 1


def test_the_same_database_gives_the_same_bytes(database: Database) -> None:
    fill(database)
    one, other = content(database), content(database)
    assert canonical(one) == canonical(other)
    assert digest_of(one) == digest_of(other)
    visa = Visa("A. Moderator", NOW, "Seen")
    assert bulletin_page(one, "fr", visa) == bulletin_page(other, "fr", visa)


def test_a_scene_that_was_withdrawn_does_not_count(database: Database) -> None:
    fill(database)
    before, after = content(database), content(database, without="i20207")
    assert [each["scenes"] for each in after["indicators"]] == [4]
    assert [each["outside"] for each in after["indicators"][0]["sites"]] == [0, 1]
    changed = {(each["site"], each["field"]) for each in changes_of(before, after)}
    north, south = (each["site"] for each in after["indicators"][0]["sites"])
    assert {(None, "scenes"), (south, "outside"), (north, "clear_dates"), (south, "value")} <= changed
    assert changes_of(before, before) == []


def test_grounds_are_of_what_was_seen_until_the_months_end(database: Database) -> None:
    fill(database)
    months = [Month(2020, 6, "UTC"), JULY, Month(2020, 8, "UTC")]
    before = grounds_of(material(database).moments, months)
    after = grounds_of(material(database, without="i20207").moments, months)
    assert before["2020-06"] == after["2020-06"]
    assert before["2020-07"] != after["2020-07"]
    assert before["2020-07"] == before["2020-08"], "nothing was seen in August"
    assert content(database)["observations"] == before["2020-07"]
    with database.reading() as connection:
        found = geoservices.find_geoservice(connection, "fields")
        assert found is not None
        moments = moments_of(connection, found, all_archives(connection))
    assert grounds_of(moments, months) == before


def test_what_was_most_active_comes_first(database: Database) -> None:
    fill(database)
    found = content(database)
    south = found["indicators"][0]["sites"][1]["site"]
    assert found["ranks"] == {
        "sites": [{"site": south, "outside": 2, "alerts": 0}],
        "periods": [{"label": "2020-07", "outside": 2, "alerts": 0}],
    }


def test_only_curves_that_are_drawn_are_kept(sqlite_database: Database) -> None:
    sections = [{"kind": "ranks"}, {"kind": "sites", "curves": 1}]
    fill(sqlite_database, bulletins={"sections": sections})
    found = content(sqlite_database)
    north, south = found["indicators"][0]["sites"]
    assert (bool(north["curve"]), bool(south["curve"])) == (False, True), "the unusual one is drawn"
    assert found["ranks"]["periods"] == [{"label": "2020-07", "outside": 2, "alerts": 0}]


def test_an_erratum_says_what_has_changed(sqlite_database: Database) -> None:
    fill(sqlite_database)
    sent = content(sqlite_database, without="i20207")
    erratum = content_of(material(sqlite_database), JULY, 2, sent)
    assert erratum["erratum"]["of"] == "fields-2020-07-r1"
    assert {"indicator": "ndvi", "site": None, "field": "scenes", "before": 4, "after": 5} in (
        erratum["erratum"]["changes"]
    )
    page = bulletin_page(erratum, "en", None)
    assert "what has changed since fields-2020-07-r1" in page
    assert "<td>Vegetation (NDVI): scenes</td><td>4</td><td>5</td>" in page


def test_what_editors_write_is_text(sqlite_database: Database) -> None:
    text = "# In {{month}}\n\n**{{value:site-1}}** <i>{{ 7 * 7 }}</i> of {{sites}}\n\n- {{clear:site-2:ndvi}}"
    with pytest.raises(ParameterError, match="no placeholder"):
        definition(bulletins={"sections": [{"kind": "text", "text": {"en": text}}]})
    text = text.replace("{{ 7 * 7 }}", "{% raw %} #set")
    with sqlite_database.writing() as connection:
        sections = [{"kind": "text", "text": {"en": text}}]
        register(connection, definition(bulletins={"sections": sections}), "owner@example.org", 1000, NOW)
    page = bulletin_page(content(sqlite_database), "en", None)
    assert "<h2>In July 2020</h2>" in page
    assert "<strong>–</strong> &lt;i&gt;{% raw %} #set&lt;/i&gt; of 2" in page


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{{value:site-3}}", "there is no site-3; there are site-1 to site-2"),
        ("{{value:site-1:evi}}", "evi is not followed; ndvi are"),
    ],
)
def test_texts_name_what_there_is(sqlite_database: Database, text: str, sentence: str) -> None:
    sections = [{"kind": "text", "text": {"en": text}}]
    with pytest.raises(ParameterError, match=sentence), sqlite_database.writing() as connection:
        register(connection, definition(bulletins={"sections": sections}), "owner@example.org", 1000, NOW)


class Addresses(HTMLParser):
    """What a page would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.found += own + (["script"] if tag in ("script", "link", "iframe", "object") else [])


@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_page_is_whole_without_a_network(sqlite_database: Database, locale: str) -> None:
    fill(sqlite_database)
    text = bulletin_page(content(sqlite_database), locale, None)
    assert len(text.encode()) < 300_000
    assert Addresses(text).found == []
    assert not re.search(r"url\(|@import", text)
    assert "<b>South" not in text
    assert "&lt;b&gt;South&lt;/b&gt;" in text
    assert ('dir="rtl"' in text) == (locale == "ar")
    assert digest_of(content(sqlite_database)) in text
    assert "{" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL), "a word was left unfilled"


def test_a_period_without_clear_dates_is_told(sqlite_database: Database) -> None:
    fill(sqlite_database)
    empty = content(sqlite_database, Month(2020, 8, "UTC"))
    assert [each["value"] for each in empty["indicators"][0]["sites"]] == [None, None]
    assert "–" in bulletin_page(empty, "en", None)


DATES = st.lists(
    st.fixed_dictionaries(
        {
            "value": st.floats(-1e6, 1e6), "u": st.none() | st.floats(0, 1e3),
            "low": st.none() | st.floats(-1e6, 1e6), "high": st.none() | st.floats(-1e6, 1e6),
            "side": st.sampled_from([None, "low", "high"]), "day": st.integers(0, 364),
        }
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(DATES)
@example([{"value": 1e6, "u": 1e-10, "low": None, "high": None, "side": None, "day": 3}])
@example([{"value": 5e-324, "u": None, "low": 0.0, "high": None, "side": None, "day": 3}])
def test_any_curve_is_drawn_inside_its_frame(dates: list[dict[str, Any]]) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    told = [
        {**each, "datetime": (start + timedelta(days=each["day"])).isoformat()}
        for each in sorted(dates, key=lambda each: each["day"])
    ]
    picture = ElementTree.fromstring(
        svg.curve(told, start, start + timedelta(days=365), list("JFMAMJJASOND"))
    )
    circles = picture.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(dates)
    for each in circles:
        assert 0 <= float(each.get("cx", "nan")) <= svg.WIDTH
        assert 0 <= float(each.get("cy", "nan")) <= svg.HEIGHT
