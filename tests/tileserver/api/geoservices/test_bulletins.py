"""Bulletins over HTTP: from draft to what everybody may read; who wrote a draft does not approve it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime

import pytest
import rfc8785

from tests.tileserver.people import DEFINITION, Caller, House
from tileserver.store import accounts
from tileserver.store import bulletins as stored
from tileserver.store.geoservices import find_geoservice
from tileserver.watch.bulletins import steps
from tileserver.watch.bulletins.content import material_of
from tileserver.watch.bulletins.publish import files_of
from tileserver.watch.document.calendar import Month

OWNER, MODERATOR = "owner@example.org", "moderator@example.org"
NOW = datetime(2021, 3, 6, tzinfo=UTC)
FEBRUARY = Month(2021, 2, "UTC")


class Desk:
    """A server with a geoservice and the draft of a bulletin."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.owner, self.moderator = house.enter(OWNER), house.enter(MODERATOR)
        definition = {**DEFINITION, "locales": ["en", "ar"], "visibility": "public"}
        assert self.owner.send("POST", "/geoservices", definition).status_code == 201
        role = {"email": MODERATOR, "role": "moderator"}
        assert self.owner.send("PUT", "/geoservices/fields/roles", role).status_code == 200
        with house.database.writing() as connection:
            one = find_geoservice(connection, "fields")
            assert one is not None
            draft = steps.due(connection, material_of(connection, one, set()), FEBRUARY, [])
            assert draft is not None
            number = steps.write(connection, draft, NOW)
            assert number == 1

    def step(self, who: Caller, name: str, note: str = "", number: int = 1) -> int:
        """Do what one has just read to be possible."""
        tag = who.get(f"/bulletins/{number}.json").headers["ETag"]
        answer = who.send("POST", f"/bulletins/{number}/{name}", {"note": note}, If_Match=tag)
        return answer.status_code

    def print(self) -> None:
        """What the worker does with what is approved."""
        with self.house.database.writing() as connection:
            one = stored.find_bulletin(connection, 1)
            assert one is not None
            content = steps.read(connection, one)
            files, lacking = files_of(content, ["en", "ar"], steps.visa_of(connection, one))
            assert lacking == []
            for (locale, kind), body in files.items():
                stored.keep_file(connection, 1, locale, kind, body)
            steps.move(connection, one, "sent", "sent to 0", NOW, sent_at=NOW)


@pytest.fixture
def desk(server_of: House) -> Desk:
    return Desk(server_of)


def test_from_draft_to_what_everybody_reads(desk: Desk) -> None:
    nobody = desk.house.nobody()
    assert nobody.get("/geoservices/fields/bulletins").get_json()["bulletins"] == []
    for kind in ("json", "html", "pdf"):
        assert nobody.get(f"/bulletins/1.{kind}").status_code == 404
    assert "Draft: not approved" in desk.moderator.get("/bulletins/1.html").text
    assert "it is draft, and printed when it is sent" in desk.moderator.get("/bulletins/1.pdf").text
    assert desk.step(desk.moderator, "approve") == 409, "it is submitted first"
    assert desk.step(desk.moderator, "submit") == 200
    assert desk.step(desk.moderator, "approve", "Seen") == 200
    assert nobody.get("/bulletins/1.html").status_code == 404
    desk.print()
    (row,) = nobody.get("/geoservices/fields/bulletins").get_json()["bulletins"]
    assert (row["number"], row["state"], row["revision"]) == ("fields-2021-02-r1", "sent", 1)
    assert row["visa"] == {"name": "#2", "at": row["visa"]["at"], "note": "Seen"}
    assert "events" not in nobody.get("/bulletins/1.json").get_json()
    for each in row["files"]:
        body = nobody.get(each["href"]).data
        assert (len(body), hashlib.sha256(body).hexdigest()) == (each["bytes"], each["sha256"])
    assert len(row["files"]) == 4
    content = nobody.get("/bulletins/1.json").get_json()["content"]
    assert hashlib.sha256(rfc8785.dumps(content)).hexdigest() == row["sha256"]


def test_who_has_no_role_reads_no_address(desk: Desk) -> None:
    desk.step(desk.owner, "submit")
    desk.step(desk.moderator, "approve", "Seen")
    desk.print()
    for path in ("/geoservices/fields/bulletins", "/bulletins/1.json", "/bulletins/1.html"):
        assert "example.org" not in desk.house.nobody().get(path).text


def test_the_page_runs_nothing_and_fetches_nothing(desk: Desk) -> None:
    answer = desk.owner.get("/bulletins/1.html?locale=ar")
    assert 'dir="rtl"' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in policy
    assert "script" not in policy
    assert "style=" not in answer.text, "which the policy would refuse"


def test_languages(desk: Desk) -> None:
    def language(header: str) -> str:
        text = desk.owner.get("/bulletins/1.html", headers={"Accept-Language": header}).text
        found = re.search(r'<html lang="(\w+)"', text)
        assert found
        return found.group(1)

    assert (language("ar-EG,en"), language("fr"), language("")) == ("ar", "en", "en")
    refused = desk.owner.get("/bulletins/1.html?locale=fr")
    assert refused.status_code == 404
    assert "has bulletins in en, ar" in refused.get_json()["detail"]


def test_one_decides_on_what_one_has_read(desk: Desk) -> None:
    tag = desk.owner.get("/bulletins/1.json").headers["ETag"]
    assert desk.owner.get("/bulletins/1.json", headers={"If-None-Match": tag}).status_code == 304
    lost = desk.moderator.client.post(
        "/bulletins/1/submit", json={}, headers={"X-CSRF-Token": desk.moderator.token}
    )
    assert lost.status_code == 428
    assert desk.step(desk.owner, "submit") == 200
    late = desk.moderator.send("POST", "/bulletins/1/reject", {"note": "no"}, If_Match=tag)
    assert late.status_code == 412


def test_who_composes_by_hand_does_not_approve(desk: Desk) -> None:
    changed = desk.owner.send("PATCH", "/geoservices/fields", {"title": {"en": "Meadows"}})
    assert changed.status_code == 200
    assert desk.step(desk.moderator, "recompose") == 200
    assert "Meadows" in desk.owner.get("/bulletins/1.html").text
    assert desk.step(desk.moderator, "recompose") == 409, "there is nothing new"
    assert desk.step(desk.moderator, "submit") == 200
    assert desk.step(desk.moderator, "approve") == 409
    assert desk.step(desk.owner, "approve") == 200


def test_a_rejection_says_why(desk: Desk) -> None:
    desk.step(desk.owner, "submit")
    assert desk.step(desk.moderator, "reject", "  ") == 409
    assert desk.step(desk.moderator, "reject", "Name the field") == 200
    events = desk.owner.get("/bulletins/1.json").get_json()["events"]
    assert [each["note"] for each in events] == ["composed", "submitted", "Name the field"]
    tag = desk.owner.get("/bulletins/1.json").headers["ETag"]
    again = desk.owner.send("POST", "/bulletins/1/recompose", If_Match=tag)
    assert (again.status_code, again.get_json()["number"]) == (200, "fields-2021-02-r2")
    assert desk.step(desk.owner, "recompose", number=1) == 409, "there is a later one"


def test_what_bulletins_say_is_changed_and_told(desk: Desk) -> None:
    told = desk.owner.get("/geoservices/fields").get_json()["bulletins"]
    assert (told["visa"], [each["kind"] for each in told["sections"]]) == (
        "required", ["sites", "ranks", "alerts", "method"],
    )  # fmt: skip
    policy = {"visa": "automatic", "sections": [{"kind": "text", "text": {"en": "{{value:site-1}}"}}]}
    changed = desk.owner.send("PATCH", "/geoservices/fields", {"bulletins": policy})
    assert changed.get_json()["bulletins"]["visa"] == "automatic"
    assert changed.get_json()["bulletins"]["after_days"] == 7
    for text, sentence in (
        ("{{value:site-2}}", "there is no site-2"), ("{{7*7}}", "there is no placeholder {{7*7}}"),
    ):  # fmt: skip
        sections = [{"kind": "text", "text": {"en": text}}]
        refused = desk.owner.send("PATCH", "/geoservices/fields", {"bulletins": {"sections": sections}})
        assert refused.status_code in (400, 422)
        assert sentence in json.dumps(refused.get_json())


def test_accounts_that_are_gone_leave_their_visa(desk: Desk) -> None:
    desk.step(desk.owner, "submit")
    desk.step(desk.moderator, "approve")
    with desk.house.database.writing() as connection:
        person = accounts.person_of(connection, MODERATOR)
        assert person is not None
        accounts.change_person(connection, person.id, {"disabled": NOW})
    assert "Approved by #2" in desk.owner.get("/bulletins/1.html?locale=en").text
