"""Signing in by a link in a mail: asked for by anybody, sent to whom it concerns, good once."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from comeo.errors import NotFoundError
from tileserver.accounts.sessions import KEY
from tileserver.errors import TooManyError
from tileserver.store import accounts, audit, outbox
from tileserver.store.accounts import Person
from tileserver.watch.words import word

GOOD_FOR: Final = timedelta(minutes=15)
MOST_BY_ADDRESS: Final = 5
"""Links that are sent to an address in 15 minutes."""
MOST_BY_CLIENT: Final = 30
"""Links that a client asks for in 15 minutes."""
NO_LINK: Final = "this link is unknown, used or too old; ask for another one"


def ask(
    connection: Connection, email: str, locale: str, server: str, now: datetime, *, sign_up: bool
) -> None:
    """Put a link into the outbox, if the address is one that may sign in; who asks is not told.

    Args:
        connection: In a transaction that writes.
        email: Address.
        locale: Of the mail, if the address has no account.
        server: Where people reach the server, without a slash at the end; never what a client says.
        now: Time.
        sign_up: Whether addresses without an account may make one.
    """
    person = accounts.person_of(connection, email)
    may = sign_up if person is None else person.disabled is None
    step = connection.begin_nested()  # what is done is the same for all, so that time does not tell either
    own = person.locale if person else locale
    link = f"{server}/account/login/{accounts.give_login(connection, email, own, now, now + GOOD_FOR)}"
    body = {"text": word(own, "login-sentence", link=link)}
    key = f"login:{hashlib.sha256(link.encode()).hexdigest()}"
    outbox.post(connection, key, "email", email.lower(), word(own, "subject-login"), body, now)
    if may:
        step.commit()
    else:
        step.rollback()


def limit(connection: Connection, email: str, client: str, now: datetime) -> None:
    """Count that somebody asks.

    Raises:
        TooManyError: If that is too often.
    """
    key = accounts.make_secret(connection, KEY)
    window = int(GOOD_FOR.total_seconds())
    since = datetime.fromtimestamp(now.timestamp() // window * window, UTC)
    for what, most in ((email.lower(), MOST_BY_ADDRESS), (_network(client), MOST_BY_CLIENT)):
        digest = hmac.new(key.encode(), what.encode(), "sha256").hexdigest()
        if accounts.count_attempt(connection, digest, since, since - GOOD_FOR) > most:
            raise TooManyError("links have been asked for too often; wait a quarter of an hour")


def sign_in(connection: Connection, token: str, now: datetime) -> Person:
    """Who a link signs in; it is used up, and an account is made where there is none.

    Raises:
        NotFoundError: If it is not good, or the account is disabled.
    """
    found = accounts.find_login(connection, token, now)
    if found is None or not accounts.use_login(connection, token, now):
        raise NotFoundError(NO_LINK)
    email, locale = found
    number = accounts.add_person(connection, email, locale, now)
    person = accounts.find_person(connection, number)
    if person is None or person.disabled is not None:
        raise NotFoundError(NO_LINK)
    if person.confirmed is None:
        accounts.change_person(connection, number, {"confirmed": now})
    audit.write(connection, now, number, "account.entered", "account", number, by="link")
    return person


def _network(client: str) -> str:
    """Of IPv6 the network, of which a client has all addresses."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    return client if address.version == 4 else str(ipaddress.ip_network((client, 64), strict=False))
