"""Messages show the scene in which the place of an alert was last seen, in its collection, as it is seen."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from comeo.indicators.document import read_document
from tests.tileserver.watch.alerts.test_groups import COUNT, GRAVE, IN, OUT, Case, drought
from tests.tileserver.watch.alerts.test_lifecycle import Case as OneSite
from tests.tileserver.watch.followed import ndvi, observation, square
from tests.tileserver.watch.mapped import RADAR
from tests.tileserver.watch.test_worker import SAMPLES, Place
from tileserver.render.documents import lent
from tileserver.store import alerts as stored
from tileserver.store import observed, outbox, sites
from tileserver.store.database import Database
from tileserver.store.outbox import Message
from tileserver.watch.bulletins.content import content_of, material_of
from tileserver.watch.bulletins.page import model_of
from tileserver.watch.document.calendar import Month
from tileserver.watch.messages.digest import tell_digests
from tileserver.watch.messages.evidence import evidence_in
from tileserver.watch.messages.pictures import Pictures
from tileserver.watch.messages.shown import Scene, look_of, viewer_link

TOLD = "3 of 5 sites of The wood are outside nominal values of Vegetation"
JANUARY = Month(2026, 1, "UTC")
MAIL, DAILY, HOOK = "mail@b.org", "daily@b.org", "https://example.org/"


class Group(Case):
    """Five fields, three of them outside, the third farthest, of which people and a program are told."""

    def __init__(self, database: Database) -> None:
        recipients: list[dict[str, Any]] = [
            {"email": MAIL}, {"email": DAILY, "rhythm": "daily"}, {"webhook": HOOK},
        ]  # fmt: skip
        super().__init__(database, {"recipients": recipients}, moderation="none")
        with database.writing() as connection:
            for each in outbox.recipients_of(connection, self.geoservice.id):
                outbox.set_recipient(connection, each.id, "confirmed", self.now)
        self.state = drought(0, 1, 2)
        self.state[2] = {1: IN, 2: GRAVE, 3: GRAVE}
        self.worst = self.places[2].site

    def alarm(self) -> None:
        self.see(self.state)
        self.verify()
        self.tell()
        self.tell()

    def end(self) -> None:
        for number in range(COUNT):
            self.state[number] |= {9: IN, 10: IN}
        self.alarm()

    def messages(self, address: str) -> list[Message]:
        with self.database.reading() as connection:
            found = outbox.messages(connection)
        return [each for each in found if each.address == address]

    def alerts_told(self, address: str) -> list[Message]:
        return [each for each in self.messages(address) if each.key.startswith("alert:")]


@pytest.fixture
def group(sqlite_database: Database) -> Group:
    made = Group(sqlite_database)
    made.alarm()
    return made


def test_a_letter_about_a_group_tells_how_many_and_shows_the_worst(group: Group) -> None:
    (told,) = group.alerts_told(MAIL)
    assert told.body["line"].startswith(TOLD)
    assert TOLD in told.body["text"]
    with group.database.reading() as connection:
        version = sites.newest_version(connection, group.worst)
    assert version is not None
    (west, south), (east, north) = (version.geometry["coordinates"][0][place] for place in (0, 2))
    picture = told.body["picture"]
    assert picture["bounds"] == pytest.approx([west, south, east, north])
    assert (picture["collection"], picture["item"]) == ("scenes", "day-3")
    assert picture["caption"].endswith("January 4, 2026")


def test_a_digest_about_a_group_tells_how_many_and_that_it_is_over(group: Group) -> None:
    group.end()
    tell_digests(group.database, "http://here", group.now + timedelta(days=1))
    (digest,) = (each for each in group.messages(DAILY) if each.key.startswith("digest:"))
    _, first, last = digest.body["page"]["rows"]
    assert first.startswith(f"• {TOLD}")
    assert last.startswith("• Fewer sites of The wood than make an alert are outside nominal values")


def test_an_event_about_a_group_tells_how_many_and_the_worst(group: Group) -> None:
    (told,) = group.alerts_told(HOOK)
    data = told.body["event"]["data"]
    worst = {"id": group.worst, "name": "Field 2"}
    assert data["group"] == {"count": 3, "of": COUNT, "worst": worst}
    assert (data["site"]["id"], data["value"]) == (group.geoservice.site, GRAVE)
    assert (data["collection"], data["item"]) == ("scenes", "day-3")


def test_an_event_about_a_site_names_no_group(sqlite_database: Database) -> None:
    case = two_collections(sqlite_database)
    assert "group" not in event_in(case)


def test_what_is_shown_of_a_group_is_a_scene_of_its_worst_site(sqlite_database: Database) -> None:
    """Another site may have been outside later, in a scene that does not show the worst one."""
    group = Group(sqlite_database)
    group.state[0] |= {4: OUT}
    group.alarm()
    (one,) = group.alerts()
    assert one.last_item == "day-4"
    (told,) = group.alerts_told(MAIL)
    assert told.body["picture"]["item"] == "day-3"
    assert "item=day-3\n" in told.body["text"]
    with group.database.reading() as connection:
        assert evidence_in(connection, one, "en").map == "#collection=scenes&item=day-3"


def test_a_bulletin_names_a_group_that_had_an_alert(group: Group) -> None:
    with group.database.reading() as connection:
        material = material_of(connection, group.geoservice, group.archives)
    content = content_of(material, JANUARY, 1)
    (section,) = (each for each in model_of(content, "en", None)["sections"] if each["kind"] == "alerts")
    assert [each["site"] for each in section["entries"]] == ["The wood"]
    ranked = {each["site"]: each["alerts"] for each in content["ranks"]["sites"]}
    assert ranked == {each.site: 1 for each in group.places[:3]}, "it is an alert of each of its sites"


def two_collections(database: Database) -> OneSite:
    """A site that is seen inside in one collection, and then outside in another one."""
    case = OneSite(
        database, collections=["scenes", "others"], recipients=[{"webhook": HOOK}],
        alerts={"moderation": "none"},
    )  # fmt: skip
    seen = [observation(1, IN), *(replace(observation(day, OUT), collection="others") for day in (2, 3))]
    with database.writing() as connection:
        outbox.set_recipient(connection, 1, "confirmed", case.now)
        observed.keep(connection, seen)
    case.see(seen)
    case.verify()
    case.tell()
    case.tell()
    return case


def event_in(case: OneSite) -> dict[str, Any]:
    with case.database.reading() as connection:
        (told,) = (each for each in outbox.messages(connection) if each.key.startswith("alert:"))
    data: dict[str, Any] = told.body["event"]["data"]
    return data


def test_each_date_is_shown_in_the_collection_that_it_was_seen_in(sqlite_database: Database) -> None:
    case = two_collections(sqlite_database)
    data = event_in(case)
    assert (data["collection"], data["item"]) == ("others", "day-3")
    assert data["picture"] == "http://here/#collection=others&item=day-3"
    with case.database.reading() as connection:
        shown = evidence_in(connection, case.alerts()[0], "en")
    before, after = (each.source.partition("/bbox/")[0] for each in shown.pictures)
    assert before == "collections/scenes/items/day-1"
    assert after == "collections/others/items/day-3"
    assert shown.map == "#collection=others&item=day-3"


def test_links_are_of_any_name() -> None:
    scene = Scene("a&b", "c d/é", None)
    assert viewer_link("http://here/", scene) == "http://here/#collection=a%26b&item=c%20d%2F%C3%A9"
    assert viewer_link("", scene).startswith("#collection=")


def test_optical_scenes_are_in_true_colour_and_radar_is_not() -> None:
    assert look_of(ndvi())["style"] == "true-color"
    assert "style" not in look_of(read_document(RADAR.encode(), "toml"))


@pytest.fixture
def flooded(tmp_path: Path) -> Iterator[Place]:
    """A place whose backscatter is followed in the bundled scenes of radar, and is always outside."""
    with lent(read_document(RADAR.encode(), "toml")) as name:
        place = Place(
            tmp_path / "place", collections=["simulated-radar"], sites=square(8.66, 47.39, 0.01),
            indicators=[{"indicator": name, "nominal": {"kind": "fixed", "low": 90}}],
            start="2019-01-01", alerts={"moderation": "none"},
        )  # fmt: skip
        for each in SAMPLES.glob("simulated_radar_*.zarr.zip"):
            shutil.copy(each, place.archives)
        for _ in range(2):
            place.round()
        yield place


def test_a_mail_about_radar_has_a_picture(flooded: Place) -> None:
    with flooded.database.reading() as connection:
        (one,) = stored.alerts_of(connection, 1)
        seen = evidence_in(connection, one, "en")
        mails = [each for each in outbox.messages(connection) if "picture" in each.body]
    assert all("style=" not in each.source for each in seen.pictures), "as moderators see it"
    assert mails
    with flooded.worker() as worker:
        drawn = Pictures(worker.scenes).draw(mails[0].body["picture"])
    assert drawn is not None
    with Image.open(io.BytesIO(drawn)) as opened:
        assert np.asarray(opened).std() > 5, "it shows something"
