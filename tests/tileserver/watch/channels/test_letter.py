"""Mail says all in text, in HTML and without pictures; with one it stays small."""

from __future__ import annotations

import io
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import insert

from tests.tileserver.tags import Tags
from tests.tileserver.watch.followed import NOW
from tests.tileserver.watch.mailserver import SENDER
from tests.tileserver.watch.test_worker import DAYS, Place
from tileserver.store import outbox
from tileserver.store.outbox import Message
from tileserver.store.tables import recipient
from tileserver.watch.channels.letter import MOST_BYTES, NOTHING, Enclosures, letter
from tileserver.watch.messages.digest import MOST_LINES
from tileserver.watch.messages.pictures import MOST_BYTES as MOST_PICTURE
from tileserver.watch.messages.pictures import SIDES, Pictures
from tileserver.watch.words import LANGUAGES

PAGE = {
    "locale": "en", "sentences": ["One <b>sentence</b> & more."], "rows": ["Dates:", "May 1: 0.5"],
    "links": [["Picture", "http://here/#a=b&c=d"], ["No more", "http://here/u/token"]],
}  # fmt: skip
WHERE = {"collection": "c", "item": "i", "bounds": [0, 0, 1, 1], "caption": "Now: May 1"}


def message(**body: Any) -> Message:
    given = {"text": "One sentence.\n", "page": PAGE, "picture": WHERE, **body}
    return Message(1, "k", "email", "a@b.org", None, "Alert", given, "queued", 0, NOW, NOW, None)


def jpeg(side: int = 320) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((side, side // 2, 3), np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def sent(one: Message, picture: bytes | None) -> EmailMessage:
    made = letter(one, SENDER, "name", NOW, Enclosures(lambda _: picture))
    read = message_from_bytes(made.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def page_of(mail: EmailMessage) -> Tags:
    html = mail.get_body(("html",))
    assert html is not None
    return Tags(html.get_content())


def test_parts_of_a_mail() -> None:
    mail = sent(message(), jpeg())
    assert [each.get_content_type() for each in mail.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/jpeg",
    ]  # fmt: skip
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines() == ["One sentence."]
    page = page_of(mail)
    assert "One <b>sentence</b> & more." in page.text
    assert [each["href"] for each in page.all("a")] == ["http://here/#a=b&c=d", "http://here/u/token"]
    (shown,) = page.all("img")
    (image,) = (each for each in mail.walk() if each.get_content_type() == "image/jpeg")
    assert f"cid:{image['Content-ID'].strip('<>')}" == shown["src"]
    assert image.get_content_disposition() == "inline"
    assert (shown["alt"], shown["width"], shown["height"]) == ("Now: May 1", "160", "320")
    assert not page.all("script")


def test_without_a_picture() -> None:
    for mail in (sent(message(), None), letter(message(), SENDER, "name", NOW, NOTHING)):
        assert [each.get_content_type() for each in mail.walk()] == [
            "multipart/alternative", "text/plain", "text/html",
        ]  # fmt: skip
        assert page_of(mail).all("img") == []


def test_a_message_of_text_alone_stays_so() -> None:
    one = message()
    plain = Message(1, "k", "email", "a@b.org", None, "Alert", {"text": "x\n"}, "queued", 0, NOW, NOW, None)
    assert sent(plain, jpeg()).get_content_type() == "text/plain"
    assert one.body["text"]


def test_a_picture_that_is_too_large_is_left_out() -> None:
    mail = sent(message(), jpeg() + b"\0" * MOST_BYTES)
    assert page_of(mail).all("img") == []


def test_arabic_is_written_from_right_to_left() -> None:
    mail = sent(message(page={**PAGE, "locale": "ar", "sentences": ["مرحبا"]}), None)
    page = page_of(mail)
    assert page.all("html")[0]["dir"] == "rtl"
    assert page.all("body")[0]["dir"] == "rtl"
    assert "text-align:right" in str(page.all("body")[0]["style"])
    assert "مرحبا" in page.text


@pytest.fixture(scope="module")
def wood(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A wood whose alert is told at once, in all languages."""
    place = Place(tmp_path_factory.mktemp("letters") / "place")
    place.give(*DAYS)
    with place.database.writing() as connection:
        connection.exec_driver_sql('UPDATE geoservice SET alert_policy = \'{"moderation": "none"}\'')
        for each in LANGUAGES:
            values = {
                "geoservice": 1, "list": "both", "channel": "email", "address": f"{each}@b.org",
                "locale": each,
                "state": "confirmed", "min_severity": 1, "rhythm": "each", "token": f"token-{each}" * 5,
            }  # fmt: skip
            connection.execute(insert(recipient).values(values))
    for _ in range(2):
        place.round()
    return place


def test_a_mail_with_a_picture_of_the_place_is_small(wood: Place) -> None:
    """On real scenes, in all languages; measured as it leaves."""
    with wood.database.reading() as connection:
        told = [each for each in outbox.messages(connection) if each.key.startswith("alert:")]
    assert {each.address for each in told} >= {f"{each}@b.org" for each in LANGUAGES}
    with wood.worker() as worker:
        draw = Pictures(worker.scenes).draw
        for each in told:
            mail = letter(each, SENDER, "n" * 32, NOW, Enclosures(draw))
            size = len(mail.as_bytes(policy=policy.SMTP))
            assert size <= MOST_BYTES
            (image,) = (part for part in mail.walk() if part.get_content_type() == "image/jpeg")
            with Image.open(io.BytesIO(image.get_content())) as opened:
                assert max(opened.size) == SIDES[0]
                assert np.asarray(opened).std() > 5, "it shows something"


def test_a_picture_is_made_once(wood: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with wood.database.reading() as connection:
        one = next(each for each in outbox.messages(connection) if "picture" in each.body)
    with wood.worker() as worker:
        pictures = Pictures(worker.scenes)
        first = pictures.draw(one.body["picture"])
        assert first is not None
        assert len(first) <= MOST_PICTURE
        monkeypatch.setattr(Pictures, "_draw", None)
        assert pictures.draw(one.body["picture"]) is first


def test_a_scene_that_is_gone_has_no_picture(wood: Place) -> None:
    with wood.worker() as worker:
        draw = Pictures(worker.scenes).draw
        assert draw({**WHERE, "collection": "romania-forest", "item": "gone"}) is None
        assert draw({**WHERE, "collection": "none"}) is None


def test_a_long_digest_is_small(wood: Place) -> None:
    """In the language that takes most bytes."""
    with wood.database.reading() as connection:
        lines = {
            each.address: each.body["line"] for each in outbox.messages(connection) if "line" in each.body
        }  # fmt: skip
    line = f"{lines['ar@b.org']} {'س' * 40}"  # a place of a long name
    rows = ["x", *[f"• {line}"] * MOST_LINES]
    one = message(text="\n".join(rows), page={**PAGE, "rows": rows})
    assert len(letter(one, SENDER, "name", NOW, NOTHING).as_bytes(policy=policy.SMTP)) <= MOST_BYTES
