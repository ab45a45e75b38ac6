"""Cookies and links' secrets: damaged ones open nothing, and are answered in a sentence."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote

from itsdangerous.encoding import base64_decode
from itsdangerous.exc import BadData

from tests.fuzz.mutations import mutated
from tileserver import Settings, create_app
from tileserver.accounts import sessions
from tileserver.store import accounts, geoservices, shares, sites
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade

KINDS: Final = (b"c", b"h", b"x", b"s", b"m", b"r", b"u", b"l")
"""Session, cookie of shares, CSRF token, and links: shared, to moderate, confirm, unsubscribe, sign in."""
_PATHS: Final = {b"s": "/s/", b"m": "/m/", b"r": "/r/", b"u": "/u/", b"l": "/account/login/"}
_ME: Final = "me@example.org"


class TokenTarget:
    """See `tests.fuzz.targets.Target`. The first byte says what the rest is sent as.

    Secrets are made anew each time, as they should be: cases are the same in one process alone.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        (folder / "archives").mkdir()
        path, now = folder / "comeo.sqlite", datetime(2026, 1, 1, tzinfo=UTC)
        database = Database(str(path))
        upgrade(database)
        later = datetime(2099, 1, 1, tzinfo=UTC)
        with database.writing() as connection:
            number = accounts.add_person(connection, _ME, "en", now)
            person = accounts.find_person(connection, number)
            assert person is not None
            self.session = sessions.begin(connection, person, datetime.now(UTC) + timedelta(seconds=1))
            found = sessions.find(connection, self.session, datetime.now(UTC) + timedelta(seconds=2))
            assert found is not None
            self.csrf = found[1]
            self.link = accounts.give_login(connection, _ME, "en", now, later)
            point = {"type": "Point", "coordinates": [9.0, 47.0]}
            site = sites.add_site(connection, number, {"en": "S"}, point, 0.0, now)
            one = geoservices.add_geoservice(
                connection,
                {"slug": "fields", "title": {"en": "F"}, "owner": number, "site": site, "collections": ["a"],
                 "period": "P1M", "timezone": "UTC", "start": now, "end": None, "locales": ["en"],
                 "alert_policy": {}, "bulletin_policy": {}, "visibility": "link", "created": now},
            )  # fmt: skip
            self.share, _ = shares.give(connection, one, "data", "", now, later)
        given = Settings(
            paths=(folder / "archives",), catalog=folder / "catalog.sqlite", workers=1, scan_seconds=3600,
            database=str(path),
        )  # fmt: skip
        self._client = create_app(given).test_client(use_cookies=False)
        self._samples = {b"c": self.session, b"h": self.share, b"x": self.csrf, b"s": self.share}

    def case(self, number: int) -> bytes:
        """A damaged secret, sent as what it is or as something else."""
        random = Random(number)
        known = [self.session, self.share, self.csrf, self.link]
        own, other = random.choice(known).encode(), random.choice(known).encode()
        return random.choice(KINDS) + mutated(own, other, random)[:3000]

    def check(self, data: bytes) -> str:
        """Send it: it opens nothing, unless it is the secret itself."""
        kind, text = data[:1], data[1:].decode("latin-1")
        sent = text.replace("\r", "").replace("\n", "").replace("\0", "")
        if kind == b"c":
            answer = self._client.get("/account", headers={"Cookie": f"comeo={sent}"})
            assert answer.get_json()["account"] is None or self._is_session(sent), sent
        elif kind == b"h":
            answer = self._client.get("/geoservices/fields", headers={"Cookie": f"comeo-shares={sent}"})
            assert answer.status_code == 404 or self.share in sent.strip().strip('"'), sent
        elif kind == b"x":
            cookie = {"Cookie": f"comeo={self.session}", "X-CSRF-Token": sent}
            answer = self._client.post("/sites", json={"name": {"en": "x"}}, headers=cookie)
            assert answer.status_code == 403 or sent.strip() == self.csrf, sent
        else:
            answer = self._client.get(_PATHS[kind] + quote(text, safe=""))
            own = {b"s": self.share, b"l": self.link}.get(kind)
            assert answer.status_code >= 400 or text.strip("/") == own, text
        assert answer.status_code < 500, answer.text
        assert _ME not in answer.text or answer.status_code == 200
        return f"{kind.decode()}: {HTTPStatus(answer.status_code).phrase}"

    def _is_session(self, sent: str) -> bool:
        """Whether a cookie is ours but for how its signature is spelt: base64 has several ways."""
        payload, _, signature = sent.strip().strip('"').rpartition(".")
        own, _, ours = self.session.rpartition(".")
        try:
            return payload == own and base64_decode(signature.split(";")[0]) == base64_decode(ours)
        except (BadData, ValueError):
            return False
