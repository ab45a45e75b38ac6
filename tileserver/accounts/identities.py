"""Accounts of those who sign in at a provider of identities."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from tileserver.accounts.oidc import Identity
from tileserver.errors import ForbiddenError
from tileserver.store import accounts, audit
from tileserver.store.accounts import Person
from tileserver.watch.document.definition import Email
from tileserver.watch.words import language_of

UNVERIFIED: Final = "your provider has not verified your address; verify it there, or sign in by mail"
REFUSED: Final = "this address may not sign in here; ask who runs the server"
TAKEN: Final = (
    "this address signs in as somebody else at the provider; sign in by mail, or ask who runs the server"
)
_EMAIL: Final[TypeAdapter[str]] = TypeAdapter(Email)


def enter(connection: Connection, identity: Identity, now: datetime, *, sign_up: bool) -> Person:
    """The account of an identity, which is made where there is none and people may sign up.

    It is found by the provider's subject first, which is one person's for ever; an address may change. By its
    address it is found only if the provider has verified that: at many providers anybody may write any
    address into their profile, and would get the account of whoever owns it. An account that has another
    subject is not given to a new one either: a mailbox that was handed on is no reason.

    Args:
        connection: In a transaction that writes.
        identity: Who has signed in.
        now: Time.
        sign_up: Whether addresses without an account may make one.

    Raises:
        ForbiddenError: If there is no account for them, saying why.
    """
    subject = subject_of(identity)
    person = accounts.person_of_subject(connection, subject)
    if person is None:
        person = _by_address(connection, identity, now, sign_up=sign_up)
        accounts.change_person(
            connection, person.id, {"oidc_sub": subject, "confirmed": person.confirmed or now}
        )
        audit.write(connection, now, person.id, "account.linked", "account", person.id)
    if person.disabled is not None:
        raise ForbiddenError(REFUSED)
    audit.write(connection, now, person.id, "account.entered", "account", person.id, by="oidc")
    return person


def subject_of(identity: Identity) -> str:
    """What is kept of a subject: it is one person's at its issuer alone, and its length is not known."""
    return hashlib.sha256(f"{identity.issuer}\n{identity.subject}".encode()).hexdigest()


def _by_address(connection: Connection, identity: Identity, now: datetime, *, sign_up: bool) -> Person:
    try:
        email = _EMAIL.validate_python(identity.email)
    except ValidationError:
        raise ForbiddenError(UNVERIFIED) from None
    person = accounts.person_of(connection, email)
    if person is None and sign_up:
        number = accounts.add_person(connection, email, language_of(identity.locale), now)
        person = accounts.find_person(connection, number)
    if person is None or person.disabled is not None:
        raise ForbiddenError(REFUSED)
    if person.oidc_sub is not None:
        raise ForbiddenError(TAKEN)
    return person
