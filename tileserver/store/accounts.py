"""Accounts, links that sign in, roles, and counts of attempts."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

from sqlalchemy import Connection, Row, Select, delete, insert, or_, select, update

from tileserver.store.database import insert_new
from tileserver.store.geoservices import Geoservice
from tileserver.store.tables import account, attempt, geoservice, login_link, role, secret
from tileserver.store.tokens import digest_of, new_token

Role = Literal["viewer", "moderator", "editor", "owner"]
_KEPT: Final = timedelta(days=1)  # what has expired


@dataclass(frozen=True, slots=True)
class Person:
    """A row of the table of accounts: see there."""

    id: int
    email: str
    name: str
    locale: str
    oidc_sub: str | None
    confirmed: datetime | None
    created: datetime
    disabled: datetime | None
    epoch: int


def people(connection: Connection) -> list[Person]:
    """All accounts, by address."""
    return [_person(each) for each in connection.execute(select(account).order_by(account.c.email))]


def find_person(connection: Connection, number: int) -> Person | None:
    """The account of an id."""
    found = connection.execute(select(account).where(account.c.id == number)).first()
    return None if found is None else _person(found)


def person_of(connection: Connection, email: str) -> Person | None:
    """The account of an address."""
    found = connection.execute(select(account).where(account.c.email == email.lower())).first()
    return None if found is None else _person(found)


def person_of_subject(connection: Connection, subject: str) -> Person | None:
    """The account that signs in at a provider as a subject: see `accounts.identities`."""
    found = connection.execute(select(account).where(account.c.oidc_sub == subject)).first()
    return None if found is None else _person(found)


def add_person(connection: Connection, email: str, locale: str, now: datetime) -> int:
    """Id of the account of an address, which is made where there is none."""
    own = email.lower()
    name = email.partition("@")[0]
    insert_new(connection, account, {"email": own, "name": name, "locale": locale, "created": now})
    return int(connection.execute(select(account.c.id).where(account.c.email == own)).scalar_one())


def change_person(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Change fields of an account."""
    connection.execute(update(account).where(account.c.id == number).values(dict(values)))


def end_sessions(connection: Connection, number: int) -> None:
    """Sign an account out wherever it is signed in."""
    change_person(connection, number, {"epoch": account.c.epoch + 1})


def give_login(connection: Connection, email: str, locale: str, now: datetime, expires: datetime) -> str:
    """The secret of a link that signs an address in, once; only its digest is kept."""
    connection.execute(delete(login_link).where(login_link.c.expires < now - _KEPT))
    token = new_token()
    values = {
        "token_sha": digest_of(token), "email": email.lower(), "locale": locale, "created": now,
        "expires": expires,
    }  # fmt: skip
    connection.execute(insert(login_link).values(values))
    return token


def find_login(connection: Connection, token: str, now: datetime) -> tuple[str, str] | None:
    """Address and locale of a link's secret; None if it is unknown, used or too old."""
    found = connection.execute(
        select(login_link.c.email, login_link.c.locale).where(_is_good(token, now))
    ).first()
    return None if found is None else (found.email, found.locale)


def use_login(connection: Connection, token: str, now: datetime) -> bool:
    """Use a link's secret up; False if that cannot be."""
    return connection.execute(update(login_link).where(_is_good(token, now)).values(used=now)).rowcount == 1


def _is_good(token: str, now: datetime) -> Any:
    own = login_link.c
    return (own.token_sha == digest_of(token)) & own.used.is_(None) & (own.expires > now)


def secret_of(connection: Connection, name: str) -> str | None:
    """A key that all processes share; None if it has not been made."""
    return cast(
        "str | None", connection.execute(select(secret.c.value).where(secret.c.name == name)).scalar()
    )


def make_secret(connection: Connection, name: str) -> str:
    """A key that all processes share, made where there is none."""
    insert_new(connection, secret, {"name": name, "value": secrets.token_hex(32)})
    return str(secret_of(connection, name))


def count_attempt(connection: Connection, key: str, since: datetime, old: datetime) -> int:
    """How often something has been tried since a time, this attempt included; what is old is forgotten."""
    connection.execute(delete(attempt).where(attempt.c.since < old))
    own = (attempt.c.key == key) & (attempt.c.since == since)
    insert_new(connection, attempt, {"key": key, "since": since, "count": 0})
    query = update(attempt).where(own).values(count=attempt.c.count + 1).returning(attempt.c.count)
    return int(connection.execute(query).scalar_one())


def role_of(connection: Connection, of: int, person: int) -> Role | None:
    """The role that an account has in a geoservice."""
    query = select(role.c.role).where(role.c.geoservice == of, role.c.account == person)
    return cast("Role | None", connection.execute(query).scalar())


def roles_of(connection: Connection, of: int) -> list[tuple[Person, Role]]:
    """All who have a role in a geoservice."""
    query = (
        select(account, role.c.role.label("role"))
        .join(role, role.c.account == account.c.id)
        .where(role.c.geoservice == of)
        .order_by(account.c.id)
    )
    return [(Person(**values), own) for values, own in _with_roles(connection, query)]


def moderators(connection: Connection, of: int) -> list[Person]:
    """Those who decide on a geoservice's alerts: its moderators, else its owner."""
    found = [(one, own) for one, own in roles_of(connection, of) if one.disabled is None]
    return [one for one, own in found if own == "moderator"] or [one for one, own in found if own == "owner"]


def set_role(connection: Connection, of: int, person: int, given: Role) -> None:
    """Give an account a role in a geoservice, instead of the one that it has."""
    drop_role(connection, of, person)
    connection.execute(insert(role).values(geoservice=of, account=person, role=given))


def drop_role(connection: Connection, of: int, person: int) -> bool:
    """Take the role of an account in a geoservice; False if it has none."""
    query = delete(role).where(role.c.geoservice == of, role.c.account == person)
    return connection.execute(query).rowcount == 1


def seen_by(
    connection: Connection, person: int | None, opened: Collection[int] = ()
) -> list[tuple[Geoservice, Role | None]]:
    """Geoservices that somebody sees, by slug.

    Args:
        connection: In a transaction.
        person: Id of the account: those in which it has a role; None of nobody.
        opened: Ids of those that links open, unless they are private. Public ones are everybody's.
    """
    own = (role.c.geoservice == geoservice.c.id) & (role.c.account == (person or 0))
    query = (
        select(geoservice, role.c.role.label("role"))
        .join(role, own, isouter=True)
        .where(
            or_(
                geoservice.c.visibility == "public",
                role.c.role.is_not(None),
                geoservice.c.id.in_(opened) & (geoservice.c.visibility == "link"),
            )
        )
        .order_by(geoservice.c.slug)
    )
    return [(Geoservice(**values), own) for values, own in _with_roles(connection, query)]


def _with_roles(connection: Connection, query: Select[Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Rows of a table, each with the role that was read beside it."""
    for row in connection.execute(query):
        values = dict(row._mapping)
        own = values.pop("role")
        yield values, own


def _person(row: Row[Any]) -> Person:
    return Person(**row._mapping)
