"""Geoservices over HTTP: from draft to archive, sites and their versions, decisions, people."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from covjson_pydantic.coverage import CoverageCollection
from covjson_pydantic.ndarray import NdArrayFloat
from lxml import etree
from pyarrow import parquet

from tests.tileserver.api.geoservices.test_rights import add_alert
from tests.tileserver.people import DEFINITION, SQUARE, House
from tileserver.app import scenes_of
from tileserver.catalog import Search
from tileserver.store import observed, tasks
from tileserver.store.geoservices import find_geoservice, followed
from tileserver.store.observed import Observed
from tileserver.store.sites import leaves
from tileserver.store.tasks import Task, key_of

ME = "me@example.org"


def test_from_draft_to_archive(server_of: House) -> None:
    me = server_of.enter(ME)
    made = me.send("POST", "/geoservices", DEFINITION)
    assert made.status_code == 201
    assert made.headers["Location"].endswith("/geoservices/fields")
    assert made.get_json()["state"] == "draft"
    assert (made.get_json()["start"], made.get_json()["end"], made.get_json()["role"]) == (
        "2021-01-01",
        None,
        "owner",
    )
    assert me.send("POST", "/geoservices", DEFINITION).status_code == 409
    tag = me.get("/geoservices/fields").headers["ETag"]
    changed = me.send("PATCH", "/geoservices/fields", {"title": {"en": "A"}}, If_Match=tag)
    assert (changed.status_code, changed.get_json()["title"]) == (200, {"en": "A"})
    lost = me.send("PATCH", "/geoservices/fields", {"title": {"en": "B"}}, If_Match=tag)
    assert lost.status_code == 412
    assert me.send("POST", "/geoservices/fields/pause").status_code == 409
    copied = me.send("POST", "/geoservices/fields/copy", {"slug": "fields-2"})
    assert (copied.status_code, copied.get_json()["state"], copied.get_json()["indicators"]) == (
        201, "draft", changed.get_json()["indicators"],
    )  # fmt: skip
    assert me.send("POST", "/geoservices/fields/archive").get_json()["state"] == "archived"
    assert me.send("DELETE", "/geoservices/fields").status_code == 409
    assert me.send("DELETE", "/geoservices/fields-2").status_code == 204
    assert me.get("/geoservices/fields-2").status_code == 404


def test_it_runs_where_scenes_show_it(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    away = me.send("POST", "/geoservices/fields/activate")
    assert away.status_code == 409
    assert "shows any of the sites" in away.get_json()["detail"]
    west, south, east, north = (
        server_of.app.test_client()
        .get("/stac/collections/optical")
        .get_json()["extent"]["spatial"]["bbox"][0]
    )
    middle = {"type": "Point", "coordinates": [(west + east) / 2, (south + north) / 2]}
    me.send("POST", "/geoservices", {**DEFINITION, "slug": "here", "sites": middle})
    active = me.send("POST", "/geoservices/here/activate")
    assert active.status_code == 200, active.text
    assert active.get_json()["state"] == "active"
    assert me.send("POST", "/geoservices/here/pause").get_json()["state"] == "paused"


def test_a_site_has_versions(server_of: House) -> None:
    me = server_of.enter(ME)
    body = {"name": {"en": "North"}, "geometry": {"type": "Polygon", "coordinates": [SQUARE]}}
    made = me.send("POST", "/sites", body)
    assert made.status_code == 201
    number, tag = made.get_json()["id"], made.headers["ETag"]
    same = me.send("PUT", f"/sites/{number}", body, If_Match=tag)
    assert same.get_json()["properties"]["version"] == 1
    point = {"name": {"en": "N"}, "geometry": {"type": "Point", "coordinates": [9.0, 47.0]}}
    moved = me.send("PUT", f"/sites/{number}", point, If_Match=tag)
    assert moved.get_json()["properties"]["version"] == 2
    assert me.send("PUT", f"/sites/{number}", point, If_Match=tag).status_code == 412
    group = me.send("POST", "/sites", {"name": {"en": "All"}, "members": [number, number]}).get_json()
    assert group["properties"]["members"] == [number]
    inside = me.send("PUT", f"/sites/{group['id']}/members", {"members": [group["id"]]})
    assert inside.status_code == 422
    assert me.send("PUT", f"/sites/{group['id']}/members", {"members": [999]}).status_code == 422
    assert me.send("DELETE", f"/sites/{group['id']}").status_code == 204
    assert [each["id"] for each in me.get("/sites").get_json()["features"]] == [number]


def test_a_site_that_is_followed_stays(server_of: House) -> None:
    me = server_of.enter(ME)
    site = me.send("POST", "/geoservices", DEFINITION).get_json()["site"]
    assert me.send("DELETE", f"/sites/{site}").status_code == 409
    me.send("POST", "/geoservices/fields/archive")
    assert me.send("DELETE", f"/sites/{site}").status_code == 204


FIELD = [[8.64, 47.44], [8.65, 47.44], [8.65, 47.45], [8.64, 47.45], [8.64, 47.44]]
"""In the scenes."""
SEEN = {**DEFINITION, "sites": {"type": "Polygon", "coordinates": [FIELD]}}


def test_series_and_latest_values(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", SEEN)
    observe(server_of, {"old": 0.5, "middle": 0.1})
    found = me.get("/geoservices/fields/series").get_json()
    rows = found["series"][0]["observations"]
    assert [(each["value"], each["side"]) for each in rows] == [(0.5, None), (0.1, "low")]
    day = me.get("/geoservices/fields/series?datetime=2021-01-02").get_json()["series"][0]["observations"]
    assert len(day) == 1
    lines = list(csv.DictReader(io.StringIO(me.get("/geoservices/fields/series?f=csv").text)))
    assert [each["value"] for each in lines] == ["0.5", "0.1"]
    table = parquet.read_table(io.BytesIO(me.get("/geoservices/fields/series?f=parquet").data))
    assert table.column("value").to_pylist() == [0.5, 0.1]
    assert table.column("datetime").to_pylist() == [datetime.fromisoformat(each["datetime"]) for each in rows]
    assert table.column("side").to_pylist() == [None, "low"]
    assert me.get("/geoservices/fields/series?site=99").status_code == 404
    assert me.get("/geoservices/fields/series?indicator=no").status_code == 404
    (feature,) = me.get("/geoservices/fields/sites.geojson").get_json()["features"]
    assert (feature["properties"]["value"], feature["properties"]["state"]) == (0.1, "low")


@pytest.mark.parametrize("parts", [1, 2])
def test_a_series_is_told_as_coveragejson(server_of: House, parts: int) -> None:
    me = server_of.enter(ME)
    polygons = [[[[x + shift, y] for x, y in FIELD]] for shift in (0.0, 0.02)[:parts]]
    site = {"type": "MultiPolygon", "coordinates": polygons} if parts > 1 else {
        "type": "Polygon", "coordinates": polygons[0]
    }  # fmt: skip
    me.send("POST", "/geoservices", {**DEFINITION, "sites": site})
    observe(server_of, {"old": 0.5, "middle": 0.1})
    answer = me.get("/geoservices/fields/series?f=coveragejson")
    assert answer.content_type == "application/prs.coverage+json"
    read = CoverageCollection.model_validate_json(answer.text)  # what is no such document is refused
    (coverage,) = read.coverages
    values = coverage.ranges["value"]
    assert isinstance(values, NdArrayFloat)
    assert values.values == [0.5, 0.1]
    assert coverage.domain.domainType == ("PolygonSeries" if parts == 1 else "PointSeries")
    times = coverage.domain.axes.t
    assert times is not None
    assert times.values == [datetime(2021, 1, day, tzinfo=UTC) for day in (1, 2)]


def test_what_the_catalogue_no_longer_has_is_not_told(server_of: House) -> None:
    """An archive that was replaced, whichever was observed last, and a scene that was withdrawn."""
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", SEEN)
    observe(server_of, {"old": 0.5, "middle": 0.6})
    observe(server_of, {"middle": 0.1, "new": 0.1, "gone": 0.1}, etag="z")
    rows = me.get("/geoservices/fields/series").get_json()["series"][0]["observations"]
    assert [(each["item"], each["value"], each["side"]) for each in rows] == [
        ("old", 0.5, None),
        ("middle", 0.6, None),
    ]
    (feature,) = me.get("/geoservices/fields/sites.geojson").get_json()["features"]
    assert (feature["properties"]["value"], feature["properties"]["state"]) == (0.6, "nominal")


def observe(server_of: House, values: dict[str, float], etag: str | None = None) -> None:
    """Keep values of scenes, on days of January 2021; of the archives that there are, or of another one."""
    etags = {each.id: each.etag for each in scenes_of(server_of.app).catalog.records(Search())}
    with server_of.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        (site,), (indicator,) = leaves(connection, one.site), followed(connection, one.id)
        made = [
            Observed(
                site.id, indicator.sha256, "optical", item, etag or etags[item],
                datetime(2021, 1, day, tzinfo=UTC), "done", "test", value=value, u=0.01, pixels=100.0,
                covered=1.0, clear=1.0, cloud_near=0.0,
            )
            for day, (item, value) in enumerate(values.items(), 1)
        ]  # fmt: skip
        observed.keep(connection, made)


def test_failures_are_told_to_those_who_can_change_it(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    assert me.get("/geoservices/fields/failures").get_json() == {"failures": [], "number": 0}
    now = datetime(2026, 11, 29, tzinfo=UTC)
    with server_of.database.writing() as connection:
        for attempts in (1, 6):
            key = key_of(1, 1, "optical", "old", str(attempts))
            tasks.keep(connection, Task("observe", key, None, attempts, now, "old: damaged"))
        tasks.keep(connection, Task("tell", "11/", None, 1, now, "of another geoservice"))
    first, second = me.get("/geoservices/fields/failures").get_json()["failures"]
    assert first == {
        "step": "observe", "error": "old: damaged", "attempts": 1, "given_up": False,
        "next": "2026-11-29T00:00:00Z",
    }  # fmt: skip
    assert (second["given_up"], second["next"]) == (True, None)


def test_decisions_and_the_feed(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    with server_of.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        number = add_alert(connection, one.id, one.site, "candidate")
    assert not entries(me.get("/geoservices/fields/alerts.atom").data)
    path = f"/alerts/{number}/decision"
    assert me.send("POST", path, {"decision": "dismiss"}).status_code == 422
    decided = me.send("POST", path, {"decision": "confirm", "comment": "cut"})
    assert (decided.status_code, decided.get_json()["state"]) == (200, "confirmed")
    assert decided.get_json()["events"][-1]["note"] == "confirm: cut"
    assert me.send("POST", path, {"decision": "dismiss", "reason": "cloud"}).status_code == 409
    assert len(entries(me.get("/geoservices/fields/alerts.atom").data)) == 1
    assert me.get("/geoservices/fields/alerts?state=candidate").get_json()["alerts"] == []


def entries(feed: bytes) -> list[etree._Element]:
    return etree.fromstring(feed).findall("{http://www.w3.org/2005/Atom}entry")


def test_people(server_of: House) -> None:
    me, other = server_of.enter(ME), server_of.enter("other@example.org")
    me.send("POST", "/geoservices", DEFINITION)
    told = me.send("POST", "/geoservices/fields/recipients", {"email": "chief@example.org"})
    assert [each["state"] for each in told.get_json()["recipients"]] == ["pending"]
    number = told.get_json()["recipients"][0]["id"]
    assert me.send("DELETE", f"/geoservices/fields/recipients/{number}").status_code == 204
    again = me.send("POST", "/geoservices/fields/recipients", {"email": "chief@example.org"})
    assert [each["state"] for each in again.get_json()["recipients"]] == ["unsubscribed"]
    own = other.get("/account").get_json()["account"]["id"]
    assert me.send("POST", "/geoservices/fields/transfer", {"account": own}).status_code == 404
    me.send("PUT", "/geoservices/fields/roles", {"email": "other@example.org", "role": "viewer"})
    assert me.send("POST", "/geoservices/fields/transfer", {"account": own}).status_code == 204
    assert other.get("/geoservices/fields").get_json()["role"] == "owner"
    assert me.get("/geoservices/fields").get_json()["role"] == "editor"


PEOPLE = "/geoservices/fields/recipients"


def test_recipients_of_other_channels(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    wish = {"webhook": "https://hook.example.org/in/secret-path?key=abc", "rhythm": "daily", "list": "alerts"}
    made = me.send("POST", PEOPLE, wish)
    assert made.status_code == 201
    secret = made.get_json()["secret"]
    assert secret.startswith("whsec_")
    (one,) = made.get_json()["recipients"]
    assert (one["webhook"], one["rhythm"], one["list"], one["state"]) == (
        "https://hook.example.org/…", "daily", "alerts", "pending",
    )  # fmt: skip
    listed = me.get(PEOPLE)
    assert listed.headers["ETag"] == made.headers["ETag"], "what is shown once is no part of the state"
    again = me.send("POST", PEOPLE, wish)
    for answer in (listed, again):
        assert "secret" not in answer.text
        assert "abc" not in answer.text
    renewed = me.send("POST", f"{PEOPLE}/{one['id']}/secret").get_json()["secret"]
    assert renewed.startswith("whsec_")
    assert renewed != secret
    assert me.send("POST", f"{PEOPLE}/999/secret").status_code == 404
    assert me.send("DELETE", f"{PEOPLE}/{one['id']}").status_code == 204
    back = me.send("POST", PEOPLE, wish).get_json()
    assert back["recipients"][0]["state"] == "pending", "a program has no link to come back by"
    assert back["secret"] not in {secret, renewed}
    phone = me.send("POST", PEOPLE, {"apprise": "atalk://user@key1234/+15557654321"})
    assert phone.status_code == 201
    assert phone.get_json()["recipients"][1]["apprise"].startswith("atalk://user@k")
    assert "key1234" not in phone.text
    assert me.send("POST", f"{PEOPLE}/{phone.get_json()['recipients'][1]['id']}/secret").status_code == 404


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"webhook": "http://hook.example.org/"}, "to be reached by https"),
        ({"webhook": "https://127.0.0.1/"}, "no public address"),
        ({"webhook": "https://[::ffff:169.254.169.254]/"}, "no public address"),
        ({"webhook": "https://2130706433/"}, "neither the name of a host"),
        ({"webhook": "https://user:pass@hook.example.org/"}, "user name"),
        ({"webhook": "https://hook.example.org:22/"}, "port 22"),
        ({"apprise": "json://127.0.0.1/"}, "json is no service"),
        ({"apprise": "tgram://x/1?verify=no"}, "no options here"),
        ({"email": "a@b.org", "webhook": "https://hook.example.org/"}, "give one of"),
        ({}, "give one of"),
        ({"email": "a@b.org", "rhythm": "hourly"}, "rhythm"),
    ],
)  # fmt: skip
def test_recipients_that_are_refused(server_of: House, wish: dict[str, Any], sentence: str) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    answer = me.send("POST", PEOPLE, wish)
    assert answer.status_code in {400, 422}
    assert sentence in answer.text
    assert "pass@" not in answer.text
    assert me.get(PEOPLE).get_json()["recipients"] == []


def test_an_editor_does_not_do_away_with_those_who_decide(server_of: House) -> None:
    me, editor = server_of.enter(ME), server_of.enter("editor@example.org")
    me.send("POST", "/geoservices", DEFINITION)
    me.send("PUT", "/geoservices/fields/roles", {"email": "editor@example.org", "role": "editor"})
    for rule in ({"bulletins": {"visa": "none"}}, {"alerts": {"moderation": "none"}}):
        refused = editor.send("PATCH", "/geoservices/fields", rule)
        assert refused.status_code == 403
        assert "only the owner changes" in refused.get_json()["detail"]
    same = {"alerts": {"moderation": "required", "dates": 1}, "bulletins": {"visa": "required"}}
    assert editor.send("PATCH", "/geoservices/fields", same).status_code == 200
    assert me.send("PATCH", "/geoservices/fields", {"bulletins": {"visa": "none"}}).status_code == 200


@pytest.mark.parametrize("expires", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_link_does_not_end_outside_the_calendar(server_of: House, expires: str) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", {**DEFINITION, "visibility": "link"})
    refused = me.send("POST", "/geoservices/fields/shares", {"expires": expires})
    assert refused.status_code in (400, 422)


def test_a_name_of_blanks_is_none(server_of: House) -> None:
    assert server_of.enter(ME).send("PATCH", "/account", {"name": "  "}).status_code == 422
