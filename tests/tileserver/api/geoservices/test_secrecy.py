"""A whole scenario, of which no public answer and no line of a log tells who anybody is."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from tests.tileserver.api.geoservices.test_rights import OWN, add_alert
from tests.tileserver.people import DEFINITION, Caller, House, house
from tileserver.logs import JsonLines
from tileserver.store import outbox
from tileserver.store.geoservices import find_geoservice

OWNER, MODERATOR = "olga.owner@example.org", "mo.moderator@example.net"
CHIEF, STRANGER = "chief@example.com", "who.ever@example.com"
NAMES = ("olga", "mo.moderator", "chief", "who.ever")
COMMENT = "seen by moderator"
ADDRESS = re.compile(r"[\w.+-]+@(?!\d)[\w-]+\.\w+")
"""What looks like an address; `ndvi@1.0.0` of an indicator is followed by a digit."""


def walk(made: House) -> list[str]:
    """People do what they do; the answers that everybody may read are returned."""
    owner, moderator = made.enter(OWNER), made.enter(MODERATOR)
    told = [{"email": CHIEF, "locale": "en"}]
    assert owner.send("POST", "/geoservices", {**DEFINITION, "recipients": told}).status_code == 201
    of = "/geoservices/fields"
    owner.send("PUT", f"{of}/roles", {"email": MODERATOR, "role": "moderator"})
    owner.send("POST", f"{of}/recipients", {"email": STRANGER})
    with made.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        number = add_alert(connection, one.id, one.site, "candidate")
        token = outbox.recipients_of(connection, one.id)[0].token
    decided = moderator.send(
        "POST", f"/alerts/{number}/decision", {"decision": "confirm", "comment": COMMENT}
    )
    assert decided.status_code == 200
    nobody = made.nobody()
    for path in (f"/r/{token}", f"/u/{token}"):
        assert nobody.get(path).status_code == 200
        assert nobody.client.post(path).status_code == 200
    assert owner.send("PUT", f"{of}/visibility", {"visibility": "public"}).status_code == 200
    made.app.test_client().post("/account/login", json={"email": "no address"})
    made.app.test_client().post("/account/login", json={"email": STRANGER, "x": 1})
    owner.send("PUT", f"{of}/roles", {"email": OWNER, "role": "viewer"})
    owner.send("POST", f"{of}/transfer", {"account": 999})
    return public_answers(made, number)


def public_answers(made: House, number: int) -> list[str]:
    """Of every address that answers GET to who has no account, refusals included."""
    nobody, texts = made.nobody(), []
    shared = Caller(made.app.test_client())
    for rule in made.app.url_map.iter_rules():
        if not rule.rule.startswith((*OWN, "/openapi", "/metrics")) or "GET" not in (rule.methods or ()):
            continue
        path = rule.rule.replace("<slug>", "fields").replace("<number>", str(number))
        path = path.replace("<token>", "a" * 32).replace("<name>", "0" * 16)
        for caller in (nobody, shared):
            answer = caller.get(path)
            assert answer.status_code < 500
            texts.append(answer.text + str(answer.headers))
    return texts


@pytest.mark.parametrize("kind", ["access log", "errors alone"])
def test_nobody_is_named(archives: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    made = house(archives, tmp_path, access_log=kind == "access log")
    with caplog.at_level(logging.DEBUG):
        texts = walk(made)
    assert sum('"slug":"fields"' in text for text in texts) >= 4, "it is public"
    lines = [JsonLines().format(each) for each in caplog.records]
    assert kind != "access log" or any("/decision" in line for line in lines)
    tokens = tokens_of(made)
    for text in (*texts, *lines):
        assert not ADDRESS.search(text), text
        for word in (*NAMES, COMMENT, *tokens):
            assert word not in text, (word, text)


def tokens_of(made: House) -> list[str]:
    """Secrets of links that were sent, and of recipients."""
    with made.database.reading() as connection:
        kept = [each.token for each in outbox.recipients_of(connection, 1)]
    sent = re.findall(r"/(?:login|r|u|m|s)/([\w-]{20,})", "".join(str(each.body) for each in made.mail()))
    assert len(kept) == 2
    assert len(sent) >= 2
    return [*kept, *sent]
