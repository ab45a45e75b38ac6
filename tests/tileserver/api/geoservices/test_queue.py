"""What a moderator works through, and what each alert rests on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from tests.tileserver.api.geoservices.test_rights import add_alert
from tests.tileserver.people import DEFINITION, House
from tileserver.store import alerts as stored
from tileserver.store.geoservices import find_geoservice
from tileserver.store.tables import alert, gs_indicator, observation, site_version

ME, OTHER = "me@example.org", "other@example.org"
AT = datetime(2026, 6, 10, tzinfo=UTC)


def add(made: House, state: str, *, slug: str = "fields", severity: int = 2, days: int = 0) -> int:
    with made.database.writing() as connection:
        one = find_geoservice(connection, slug)
        assert one
        number = add_alert(connection, one.id, one.site, state)
        values = {"severity": severity, "first_at": AT + timedelta(days=days)}
        connection.execute(update(alert).where(alert.c.id == number).values(values))
    return number


def test_the_most_severe_first_and_of_them_the_oldest(server_of: House) -> None:
    me = server_of.enter(ME)
    for slug in ("fields", "more", "most", "told", "unsure"):
        me.send("POST", "/geoservices", {**DEFINITION, "slug": slug})
    late, early = add(server_of, "candidate", days=5), add(server_of, "candidate", slug="most", days=1)
    grave = add(server_of, "candidate", slug="more", severity=3, days=9)
    add(server_of, "confirmed", slug="told", severity=3)
    add(server_of, "verifying", slug="unsure", severity=3)
    told = me.get("/alerts").get_json()
    assert [each["id"] for each in told["alerts"]] == [grave, early, late]
    assert told["waiting"] == 3
    assert told["alerts"][0]["names"]["geoservice"] == {"en": "Fields"}
    assert told["alerts"][0]["names"]["indicator"]["en"] == "Vegetation (NDVI)"
    assert [each["id"] for each in me.get("/alerts?geoservice=more").get_json()["alerts"]] == [grave]
    first = me.get("/alerts?limit=1").get_json()
    assert (len(first["alerts"]), first["waiting"]) == (1, 3)
    assert server_of.nobody().get("/alerts").status_code == 401


def test_those_alone_that_one_may_decide_on(server_of: House) -> None:
    me, other = server_of.enter(ME), server_of.enter(OTHER)
    me.send("POST", "/geoservices", {**DEFINITION, "visibility": "public"})
    number = add(server_of, "candidate")
    assert other.get("/alerts").get_json() == {"alerts": [], "waiting": 0}
    for role, seen in (("viewer", 0), ("editor", 0), ("moderator", 1)):
        me.send("PUT", "/geoservices/fields/roles", {"email": OTHER, "role": role})
        assert other.get("/alerts").get_json()["waiting"] == seen, role
    assert other.get(f"/alerts/{number}/evidence").status_code == 200


def test_evidence_is_told_in_words(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", {**DEFINITION, "title": {"en": "Fields", "fr": "Champs"}})
    number = add(server_of, "candidate")
    told = me.get(f"/alerts/{number}/evidence?locale=fr").get_json()
    assert told["heading"].startswith("Site 1 · ")
    assert "était de" in told["sentences"][0] or "0,1" in told["sentences"][0]
    (row,) = told["rows"]
    assert row["outside"] is True
    assert row["day"] == "1 janvier 2021"
    assert "0,10" in row["value"]
    assert "bbox" in told["pictures"][-1]["source"]
    assert "style=error" in told["error"]["source"]
    assert (told["ratio"], told["habit"]) == (None, None)
    assert me.get(f"/alerts/{number}/evidence").get_json()["locale"] == "en"
    me.send("PATCH", "/account", {"locale": "es"})
    assert me.get(f"/alerts/{number}/evidence").get_json()["locale"] == "es"
    assert server_of.nobody().get(f"/alerts/{number}/evidence").status_code == 404


def test_evidence_names_the_ratio_of_the_scene_and_its_collection(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    number = add(server_of, "candidate")
    with server_of.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        version = connection.execute(select(site_version.c.id)).scalar_one()
        digest = connection.execute(select(gs_indicator.c.sha256)).scalar_one()
        values = {
            "site_version": version, "indicator": digest, "collection": "others", "item": "old", "etag": "e",
            "datetime": AT, "state": "done", "engine": "t", "ratio": 98.6, "pixels": 1.0, "covered": 1.0,
        }  # fmt: skip
        connection.execute(observation.insert().values(values))
    told = me.get(f"/alerts/{number}/evidence").get_json()
    assert told["ratio"] == "Archive: ×99."
    assert told["pictures"][0]["source"].startswith("collections/others/items/old/bbox/")


def test_who_decided_is_told_to_those_who_have_a_role_alone(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", {**DEFINITION, "visibility": "public"})
    number = add(server_of, "candidate")
    assert me.get(f"/alerts/{number}").get_json()["moderator"] is None
    me.send("PATCH", "/account", {"name": "Ada"})
    me.send("POST", f"/alerts/{number}/decision", {"decision": "confirm"})
    assert me.get(f"/alerts/{number}").get_json()["moderator"] == "Ada"
    assert "Ada" not in server_of.nobody().get(f"/alerts/{number}").text
    assert server_of.nobody().get(f"/alerts/{number}/evidence").status_code == 200


def test_a_habit_is_told_where_it_holds(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    for _ in range(6):
        number = add(server_of, "candidate")
        me.send("POST", f"/alerts/{number}/decision", {"decision": "dismiss", "reason": "harvest"})
    number = add(server_of, "candidate")
    told = me.get(f"/alerts/{number}/evidence?locale=en").get_json()
    assert told["habit"] == (
        "6 of 6 such alerts in the month of June were dismissed: Harvest. Other limits would spare them."
    )
    with server_of.database.reading() as connection:
        assert stored.find_alert(connection, number)
