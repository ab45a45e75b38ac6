"""People who use a server of geoservices: each signs in by the link that a mail would carry."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.tileserver.conftest import serving
from tileserver.http.session import HEADER
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade
from tileserver.store.outbox import Message, messages

SQUARE = [[9.0, 47.0], [9.01, 47.0], [9.01, 47.01], [9.0, 47.01], [9.0, 47.0]]
DEFINITION: dict[str, Any] = {
    "slug": "fields",
    "title": {"en": "Fields"},
    "collections": ["optical"],
    "sites": {"type": "Polygon", "coordinates": [SQUARE]},
    "indicators": [{"indicator": "ndvi", "nominal": {"kind": "fixed", "low": 0.2}}],
    "start": "2021-01-01",
}


@dataclass
class Caller:
    """A browser: cookies of its own, and the CSRF token that its page knows."""

    client: FlaskClient
    token: str = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def send(self, method: str, path: str, json: Any = None, **headers: str) -> TestResponse:
        """A write; it rests on any state unless If-Match says which."""
        own = {HEADER: self.token, "If-Match": "*", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.client.open(path, method=method, json=json, headers=own)


@dataclass
class House:
    """A server, and its database."""

    app: Flask
    database: Database

    def mail(self) -> list[Message]:
        with self.database.reading() as connection:
            return messages(connection)

    def link(self, email: str) -> str:
        """Path of the link that is sent to an address."""
        before = len(self.mail())
        answer = self.app.test_client().post("/account/login", json={"email": email})
        assert answer.status_code == 202
        (made,) = self.mail()[before:]
        assert made.address == email
        found = re.search(r"/account/login/\S+", made.body["text"])
        assert found
        return found.group()

    def enter(self, email: str) -> Caller:
        """Somebody who has signed in."""
        client = self.app.test_client()
        assert client.post(self.link(email)).status_code == 303
        return Caller(client, client.get("/account").headers[HEADER])

    def nobody(self) -> Caller:
        return Caller(self.app.test_client())


def house(archives: Path, folder: Path, **settings: object) -> House:
    """A server of geoservices, whose addresses may sign up."""
    path = folder / "comeo.sqlite"
    database = Database(str(path))
    upgrade(database)
    given = {"database": str(path), "sign_up": True, **settings}
    app = serving(archives, folder, **given).application
    return House(app, database)


Enter = Callable[[str], Caller]
