"""Links in messages: they show before they act, act once, and work without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comeo.indicators.catalogue import predefined
from tests.tileserver.conftest import Server
from tests.tileserver.tags import Tags
from tileserver.store import accounts, geoservices, outbox, sites
from tileserver.store import alerts as stored
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade

NOW = datetime.now(UTC)
BOX = [[[8.64, 47.46], [8.65, 47.46], [8.65, 47.465], [8.64, 47.46]]]
DATE = {
    "item": "new", "datetime": "2020-05-20T10:30:00Z", "value": 0.31, "u": 0.02, "low": 0.52, "high": None,
    "middle": 0.7, "spread": 0.05, "side": "low", "score": 5.1,
}  # fmt: skip
EVIDENCE = {
    "rule": {}, "over": None, "worst": DATE,
    "dates": [{**DATE, "item": "old", "datetime": "2020-05-01T10:30:00Z", "value": 0.71, "side": None}, DATE],
}  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(str(tmp_path / "comeo.sqlite"))
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def client(server: Server, archives: Path, database: Database) -> FlaskClient:
    return server(archives, database=str(database.path))


def make(database: Database, *, locale: str = "en", site: str = "North field") -> tuple[int, str]:
    """An alert that is to be decided on; its id and the secret of its link."""
    with database.writing() as connection:
        owner = accounts.add_person(connection, "owner@example.org", locale, NOW)
        shape = {"type": "Polygon", "coordinates": BOX}
        place = sites.add_site(connection, owner, {"en": site}, shape, 1e4, NOW)
        number = geoservices.add_geoservice(
            connection,
            {
                "slug": "fields", "title": {"en": "Fields", "fr": "Champs"}, "owner": owner, "site": place,
                "collections": ["optical"], "period": "P1M", "timezone": "UTC", "start": NOW, "end": None,
                "locales": ["en"], "alert_policy": {}, "bulletin_policy": {}, "visibility": "private",
                "created": NOW,
            },
        )  # fmt: skip
        document = predefined().find("ndvi")
        assert document is not None
        geoservices.follow(connection, number, 0, document, {"kind": "fixed", "low": 0.52})
        followed = geoservices.followed(connection, number)[0].id
        at = datetime.fromisoformat(DATE["datetime"])  # type: ignore[arg-type]
        made = stored.add_alert(
            connection,
            {
                "geoservice": number, "site": place, "gs_indicator": followed, "kind": "low",
                "state": "candidate", "severity": 3, "score": 5.1, "first_item": "new", "first_at": at,
                "last_item": "new", "last_at": at, "opened": NOW, "closed": None, "evidence": EVIDENCE,
                "verified": "holds",
            },
        )  # fmt: skip
        stored.add_event(connection, made, None, "candidate", "2 of 3 clear dates outside", NOW)
        outbox.add_recipient(connection, number, "chief@example.org", "fr", 1, "pending")
        alert = stored.find_alert(connection, made)
        assert alert is not None
        return made, stored.give_token(connection, alert, owner, NOW, NOW + timedelta(days=14))


def alert_of(database: Database, number: int) -> stored.Alert:
    with database.reading() as connection:
        found = stored.find_alert(connection, number)
    assert found is not None
    return found


def test_an_alert_is_shown_with_its_evidence_and_opening_the_link_changes_nothing(
    client: FlaskClient, database: Database
) -> None:
    number, token = make(database)
    for _ in range(2):
        answer = client.get(f"/m/{token}")
        assert answer.status_code == 200
    page = Tags(answer.text)
    assert "North field was 0.310 ± 0.040 on May 20, 2020" in page.text.replace("Vegetation (NDVI) of ", "")
    assert "nominal values are not below 0.52" in page.text
    assert "Verified on the original scene." in page.text
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 3
    assert "style=error" in (pictures[2] or "")
    for each in pictures:
        assert each.startswith("../"), "a proxy may give the server a prefix"  # type: ignore[union-attr]
        picture = client.get(each.removeprefix(".."))  # type: ignore[union-attr]
        assert picture.status_code == 200, picture.text
        assert picture.content_type == "image/webp"
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert alert_of(database, number).state == "candidate"


@pytest.mark.parametrize(
    ("form", "state", "decision"),
    [
        ({"decision": "confirm", "comment": "  Seen on the ground. "}, "confirmed", "confirm"),
        ({"decision": "dismiss", "reason": "harvest"}, "dismissed", "harvest"),
    ],
)
def test_an_alert_is_decided_on_once(
    client: FlaskClient, database: Database, form: dict[str, str], state: str, decision: str
) -> None:
    number, token = make(database)
    answer = client.post(f"/m/{token}", data=form)
    assert answer.status_code == 303
    found = alert_of(database, number)
    assert (found.state, found.decision, found.moderator) == (state, decision, 1)
    assert found.comment == form.get("comment", "").strip()
    again = client.post(f"/m/{token}", data={"decision": "dismiss", "reason": "other"})
    assert again.status_code == 409
    assert alert_of(database, number).state == state
    page = Tags(client.get(f"/m/{token}").text)
    assert "This alert is" in page.text
    assert "form" not in [tag for tag, _ in page.tags]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({}, "a decision is confirm or dismiss"),
        ({"decision": "delete"}, "a decision is confirm or dismiss"),
        ({"decision": "dismiss", "reason": "x"}, "a decision is confirm or dismiss"),
        ({"decision": "confirm", "comment": "x" * 1001}, "the comment has more than 1000 characters"),
    ],
)
def test_what_is_no_decision_is_told(
    client: FlaskClient, database: Database, form: dict[str, str], words: str
) -> None:
    number, token = make(database)
    answer = client.post(f"/m/{token}", data=form)
    assert answer.status_code == 422
    assert words in answer.json["detail"]  # type: ignore[index]
    assert alert_of(database, number).state == "candidate"


def test_unknown_and_old_links_are_told(client: FlaskClient, database: Database) -> None:
    number, _ = make(database)
    with database.writing() as connection:
        old = stored.give_token(
            connection, alert_of(database, number), 1, NOW - timedelta(days=20), NOW - timedelta(days=6)
        )
    for token in (old, "x" * 32):
        assert client.get(f"/m/{token}").status_code == 404
        assert client.post(f"/m/{token}", data={"decision": "confirm"}).status_code == 404
    assert alert_of(database, number).state == "candidate"
    assert client.get("/m/short").status_code == 422
    assert client.get(f"/u/{'x' * 32}").status_code == 404


def test_names_are_text_and_a_moderator_reads_their_own_language(
    client: FlaskClient, database: Database
) -> None:
    _, token = make(database, locale="ar", site="<script>alert(1)</script>")
    answer = client.get(f"/m/{token}")
    assert "<script" not in answer.text
    assert '<html lang="ar" dir="rtl">' in answer.text
    assert "تأكيد التنبيه" in answer.text


def test_a_recipient_confirms_and_leaves(client: FlaskClient, database: Database) -> None:
    make(database)

    def recipient() -> Any:
        with database.reading() as connection:
            return outbox.recipients_of(connection, 1)[0]

    token = recipient().token
    assert "Être informé des alertes de Champs ?" in client.get(f"/r/{token}").text
    assert recipient().state == "pending"
    assert "Vous serez informé" in client.post(f"/r/{token}").text
    assert recipient().state == "confirmed"
    client.get(f"/u/{token}")
    assert recipient().state == "confirmed", "mail servers look at links, too"
    answer = client.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert recipient().state == "unsubscribed"
    assert recipient().confirmed_at is None


def test_without_a_database_there_is_none_of_it(server: Server, archives: Path) -> None:
    client = server(archives)
    for path in (f"/m/{'x' * 32}", f"/u/{'x' * 32}", f"/r/{'x' * 32}"):
        assert client.get(path).status_code == 404


def test_a_link_ends_with_its_account(client: FlaskClient, database: Database) -> None:
    number, token = make(database)
    with database.writing() as connection:
        owner = accounts.person_of(connection, "owner@example.org")
        assert owner is not None
        accounts.change_person(connection, owner.id, {"disabled": NOW})
    assert client.get(f"/m/{token}").status_code == 404
    assert client.post(f"/m/{token}", data={"decision": "confirm"}).status_code == 404
    assert alert_of(database, number).state == "candidate"


def test_a_site_that_is_no_longer_there_keeps_its_name(client: FlaskClient, database: Database) -> None:
    number, token = make(database, site="West field")
    with database.writing() as connection:
        sites.change_site(connection, alert_of(database, number).site, {"archived": NOW})
    assert "West field" in client.get(f"/m/{token}").text


def test_what_somebody_was_told(client: FlaskClient, database: Database) -> None:
    make(database)
    with database.writing() as connection:
        to = outbox.recipients_of(connection, 1)[0]
        for number, line in enumerate(["One <b>line</b>", "Another line", "Not yet"]):
            body = {"text": "x\n", "line": line, "severity": 1}
            outbox.post(
                connection, f"alert:{number}:confirmed:r1", "email", to.address, "S", body, NOW, to.id
            )
        outbox.post(connection, "recipient:1:confirm", "email", to.address, "S", {"text": "x\n"}, NOW, to.id)
        connection.exec_driver_sql("UPDATE message SET state = 'sent' WHERE key <> 'alert:2:confirmed:r1'")
        connection.exec_driver_sql("UPDATE message SET state = 'folded' WHERE key = 'alert:1:confirmed:r1'")
    answer = client.get(f"/t/{to.token}")
    page = Tags(answer.text)
    assert page.text.index("Another line") < page.text.index("One <b>line</b>"), "the newest first"
    assert "Not yet" not in page.text
    assert f"/u/{to.token}" in answer.text
    assert 'lang="fr"' in answer.text
    assert client.get(f"/t/{'x' * 32}").status_code == 404
