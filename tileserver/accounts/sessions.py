"""Sessions: a signed cookie that names the account and its epoch, and the CSRF token that belongs to it.

Flask-Login is not used: it rests on the application's secret key, which would have to be known before the
database is open, and its sessions go on after one signs out. An epoch in the account ends all of them.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection

from tileserver.store import accounts
from tileserver.store.accounts import Person

KEY: Final = "session"
SECONDS: Final = 30 * 86_400
"""How long a session lasts."""


def begin(connection: Connection, person: Person, now: datetime) -> str:
    """The cookie of a new session."""
    key = accounts.make_secret(connection, KEY)
    return str(_signer(key).dumps([person.id, person.epoch, int(now.timestamp())]))


def find(connection: Connection, cookie: str, now: datetime) -> tuple[Person, str] | None:
    """Account and CSRF token of a cookie; None if it is forged, over, or the account is disabled."""
    key = accounts.secret_of(connection, KEY)
    if key is None:
        return None
    try:
        number, epoch, since = _signer(key).loads(cookie)
    except (BadSignature, ValueError, TypeError):
        return None
    person = accounts.find_person(connection, number)
    if person is None or person.disabled is not None or person.epoch != epoch:
        return None
    if not 0 <= now.timestamp() - since + 1 < SECONDS:
        return None
    return person, hmac.new(key.encode(), b"csrf " + cookie.encode(), "sha256").hexdigest()


def _signer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="comeo session")
