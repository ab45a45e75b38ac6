"""A relay's geoservices are told to the origin above: all of it, once, under its own name, by its own key."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import ComeoError, ParameterError
from comeo.settings import SettingsError
from tests.tileserver.listening import listening
from tests.tileserver.people import House, house
from tests.tileserver.watch.test_worker import DAYS, Place
from tileserver.errors import ForbiddenError
from tileserver.signing import public_key, public_text
from tileserver.store import accounts, bulletins, geoservices, reports
from tileserver.store.reports import KINDS, Report
from tileserver.store.tables import geoservice
from tileserver.watch.reports import parcel
from tileserver.watch.reports.parcel import Parcel, pack, private_key, unpack
from tileserver.watch.reports.send import KEY, Reporter

SECRET, OTHER = "11" * 32, "22" * 32
KEY_OF_SECRET = public_key(public_text(private_key(SECRET)))
EPOCH = "ab" * 32
NOW = datetime(2018, 8, 1, tzinfo=UTC)
CLEAR = 4
"""Dates of the wood in the last 400 days that are clear."""
ALL = 1 + 1 + CLEAR + 1 + 1
"""The geoservice, its site, dates, alert and bulletin."""
READER = "chief@example.org"


@dataclass
class Above:
    """An origin, and where it is reached."""

    made: House
    address: str
    answers: list[int]

    def show(self, email: str | None = READER) -> Any:
        """What somebody sees of the relay's geoservice."""
        caller = self.made.enter(email) if email else self.made.nobody()
        return caller.get("/relays/north/geoservices/wood")


@contextmanager
def noting_answers(made: House) -> Iterator[tuple[str, list[int]]]:
    """A server for real, and what it answered."""
    answers: list[int] = []

    def app(environ: Any, start: Any) -> Any:
        def noting(status: str, headers: Any, *rest: Any) -> Any:
            answers.append(int(status[:3]))
            return start(status, headers, *rest)

        return made.app.wsgi_app(environ, noting)

    with listening(app) as port:
        yield f"http://127.0.0.1:{port}", answers


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("below") / "place")
    place.give(*DAYS)
    place.round()
    with place.database.writing() as connection:
        one = geoservices.find_geoservice(connection, "wood")
        assert one
        values = {"geoservice": one.id, "label": "2018-07", "revision": 1, "content": "{}", "composed": NOW}
        number = bulletins.add_bulletin(connection, {**values, "state": "sent", "sent_at": NOW})
        assert number
        bulletins.keep_file(connection, number, "en", "html", "<p>Août</p>".encode())
    return place


@pytest.fixture
def above(archives: Path, tmp_path: Path, below: Place) -> Iterator[Above]:
    with below.database.writing() as connection:
        key = public_text(private_key(accounts.make_secret(connection, KEY)))
    allowed = tmp_path / "relays.toml"
    allowed.write_text(f'[[relay]]\nname = "north"\nkey = "{key}"\nreaders = ["{READER}"]\n')
    made = house(archives, tmp_path, relays=allowed)
    with noting_answers(made) as (address, answers):
        yield Above(made, address, answers)
    made.database.close()


@contextmanager
def reporter(below: Place, address: str) -> Iterator[Reporter]:
    with below.worker() as worker:
        yield Reporter(worker.scenes, below.database, address, "north")


def test_what_a_relay_knows_is_read_above(below: Place, above: Above) -> None:
    with reporter(below, above.address) as one:
        assert one.turn(NOW) == ALL
        assert one.turn(NOW) == 0
        assert above.answers == [200], "nothing new is not told"
    answer = above.show()
    told = answer.get_json()
    assert told["title"] == {"en": "The wood"}
    assert [each["id"] for each in told["indicators"]] == ["ndvi"]
    (site,) = told["sites"]["features"]
    assert site["geometry"]["type"] == "Polygon"
    days = sorted(each["datetime"][:10] for each in told["observations"])
    assert len(days) == CLEAR
    assert set(days) < set(DAYS)
    assert all(0.5 < each["value"] < 0.99 and each["u"] > 0 for each in told["observations"])
    (alert,) = told["alerts"]
    assert (alert["site"], alert["state"], alert["kind"]) == (site["id"], "candidate", "low")
    assert told["bulletins"] == ["2018-07-r1/en"]
    assert "owner@example.org" not in answer.text
    chief = above.made.enter(READER)
    page = chief.get("/relays/north/geoservices/wood/bulletins/2018-07-r1/en")
    assert page.text == "<p>Août</p>"
    assert "sandbox" in page.headers["Content-Security-Policy"]
    (listed,) = chief.get("/relays").get_json()["relays"]
    assert (listed["name"], [each["slug"] for each in listed["geoservices"]]) == ("north", ["wood"])


def test_only_whom_the_operator_names_reads_it(below: Place, above: Above) -> None:
    with reporter(below, above.address) as one:
        one.turn(NOW)
    for email in ("stranger@example.org", None):
        assert above.show(email).status_code == 404
        caller = above.made.enter(email) if email else above.made.nobody()
        assert caller.get("/relays").get_json() == {"relays": []}


def test_what_is_no_more_goes_above_too(below: Place, above: Above) -> None:
    with reporter(below, above.address) as one:
        one.turn(NOW)
        later = NOW + timedelta(days=600)  # no date is younger than 400 days
        one._settled = None
        assert one.turn(later) == CLEAR
    told = above.show().get_json()
    assert told["observations"] == []
    assert told["alerts"], "an alert stays"


def test_an_answer_that_is_lost_changes_nothing(
    below: Place, above: Above, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken above, and not known below: it is told again, and stands there once."""
    with reporter(below, above.address) as one:
        with monkeypatch.context() as patch:
            patch.setattr(reports, "mark_told", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                one.turn(NOW)
        first = above.show().get_json()
        assert one.turn(NOW) == ALL
        assert {**above.show().get_json(), "at": first["at"]} == first


def test_parcels_are_small_and_come_one_a_turn(
    below: Place, above: Above, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tileserver.watch.reports.send.MOST_AT_ONCE", 2)
    with reporter(below, above.address) as one:
        assert [one.turn(NOW) for _ in range(5)] == [2, 2, 2, 2, 0]
    assert len(above.show().get_json()["observations"]) == CLEAR


def test_a_link_that_is_down_is_tried_again_after_a_while(below: Place, above: Above) -> None:
    with reporter(below, "http://127.0.0.1:9") as one:
        assert one.turn(NOW) == 0
        one.address = above.address
        assert one.turn(NOW + timedelta(seconds=10)) == 0
        assert above.answers == []
        assert one.turn(NOW + timedelta(seconds=31)) == ALL


def test_a_relay_that_is_not_known_is_refused_in_words(below: Place, above: Above) -> None:
    with below.worker() as worker:
        one = Reporter(worker.scenes, below.database, above.address, "south")
        with pytest.raises(ComeoError, match="knows no relay of that name"):
            one.turn(NOW)


def test_of_two_relays_each_has_its_own_word(archives: Path, tmp_path: Path) -> None:
    made = house(archives, tmp_path)
    said = {"title": {"en": "A"}, "state": "active"}
    with made.database.writing() as connection:
        for number, name in enumerate(("north", "south")):
            assert reports.take(
                connection, name, EPOCH, 1, [Report("geoservice", "wood", {**said, "n": number})], NOW
            )
        assert not reports.take(connection, "north", EPOCH, 1, [Report("geoservice", "wood", None)], NOW)
        found = [reports.reports_of(connection, name, "geoservice")[0].body for name in ("north", "south")]
    assert [each["n"] for each in found if each] == [0, 1]


def test_a_new_database_of_a_relay_begins_anew(archives: Path, tmp_path: Path) -> None:
    made = house(archives, tmp_path)
    some = [Report("geoservice", "wood", {"n": 1})]
    with made.database.writing() as connection:
        assert reports.take(connection, "north", EPOCH, 9, some, NOW)
        assert not reports.take(connection, "north", EPOCH, 8, some, NOW), "a copy that comes late"
        assert reports.take(connection, "north", "cd" * 32, 1, some, NOW)


BODY = {"title": {"en": "A"}, "state": "active", "timezone": "UTC", "collections": ["a"], "indicators": []}
SITE = {"name": {"en": "A"}, "geometry": {"type": "Point", "coordinates": [9.0, 47.0]}, "area_m2": 0.0}


def test_a_parcel_comes_back_as_it_was_packed() -> None:
    some = [
        Report("geoservice", "wood", BODY),
        Report("site", "wood/1", SITE),
        Report("alert", "wood/3", None),
    ]
    one = Parcel(EPOCH, 5, some)
    data, signature = pack(one, SECRET)
    assert unpack(data, signature, KEY_OF_SECRET) == one


def test_no_other_key_and_no_other_byte() -> None:
    data, signature = pack(Parcel(EPOCH, 1, [Report("geoservice", "wood", BODY)]), SECRET)
    key = KEY_OF_SECRET
    for place in range(0, len(data), 7):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(ForbiddenError):
            unpack(changed, signature, key)
    for wrong in ("", "é", "AAAA", signature[:-4], pack(Parcel(EPOCH, 1, []), OTHER)[1]):
        with pytest.raises(ForbiddenError):
            unpack(data, wrong, key)


def signed(data: bytes) -> tuple[bytes, str]:
    """Whatever a relay with a good key sends."""
    from base64 import b64encode

    return data, b64encode(private_key(SECRET).sign(parcel._CONTEXT + data)).decode()


@pytest.mark.parametrize(
    "row",
    [
        ["site", "wood/x", SITE], ["site", "wood/1", {**SITE, "owner": "a@b.org"}], ["person", "wood", {}],
        ["site", "wood/1", {**SITE, "geometry": {"type": "Point", "coordinates": ["a", 1]}}],
        ["geoservice", "../etc", BODY], ["geoservice", "a", {**BODY, "title": "A"}], ["alert", "wood/1", {}],
        ["bulletin", "wood/2018-07-r1/en", {"html": "x" * 300_001}], ["observation", "wood/ndvi/1/c", {}],
        ["geoservice", "wood", []], ["geoservice", "wood\n", BODY],
    ],
)  # fmt: skip
def test_what_is_none_of_the_kinds_is_refused_as_a_whole(row: Any) -> None:
    text = json.dumps({"epoch": EPOCH, "seq": 1, "reports": [["geoservice", "wood", BODY], row]})
    with pytest.raises(ParameterError):
        unpack(*signed(gzip.compress(text.encode())), KEY_OF_SECRET)


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: gzip.compress(text.encode())))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ParameterError):
        unpack(*signed(data), KEY_OF_SECRET)


def test_what_would_unpack_to_a_flood_is_refused() -> None:
    data = gzip.compress(b" " * (parcel.MOST_UNPACKED + 1))
    with pytest.raises(ParameterError, match="more than 16 MB"):
        unpack(*signed(data), KEY_OF_SECRET)


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "rsa:x", "ed25519:" + "é" * 44])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="44 characters"):
        public_key(text)


def test_every_kind_is_told(below: Place) -> None:
    with reporter(below, "http://127.0.0.1:9") as one:
        kinds = {each.kind for each in one._todo(NOW)}
    assert kinds == set(KINDS)


def test_a_draft_is_nobodys_business(below: Place) -> None:
    with below.database.writing() as connection:
        connection.execute(geoservice.update().values(state="draft"))
    try:
        with reporter(below, "http://127.0.0.1:9") as one:
            assert one._todo(NOW) == []
    finally:
        with below.database.writing() as connection:
            connection.execute(geoservice.update().values(state="active"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[relay]", "cannot be read"), ('[[relay]]\nname = "north"', "relay.0.key"),
        ('[[relay]]\nname = "north"\nkey = "ed25519:AAAA"', "44 characters"),
        ('[[relay]]\nname = "../x"\nkey = "k"', "relay.0.name"),
    ],
)  # fmt: skip
def test_a_file_of_relays_that_is_wrong_is_told_at_the_start(
    archives: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "relays.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=sentence):
        house(archives, tmp_path, relays=path)
