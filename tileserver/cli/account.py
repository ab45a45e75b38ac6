"""`comeo account`: links that sign in where there is no mail, and accounts that are no longer to."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from comeo.errors import NotFoundError, ParameterError
from tileserver.cli.options import database_option


@click.group()
def account() -> None:
    """Accounts: link, list, disable, audit."""


@account.command()
@click.argument("address")
@click.option("--locale", default="en", show_default=True, help="Language, if there is no account yet.")
@database_option
def link(address: str, locale: str, database: str | None) -> None:
    """Print a link that signs ADDRESS in, once, within 15 minutes; an account is made by it."""
    from pydantic import TypeAdapter, ValidationError

    from tileserver.accounts.login import GOOD_FOR
    from tileserver.cli.database import open_database
    from tileserver.settings import Settings
    from tileserver.store.accounts import give_login
    from tileserver.watch.document.definition import Email

    try:
        TypeAdapter(Email).validate_python(address)
    except ValidationError as error:
        raise ParameterError(f"{address} is no e-mail address") from error
    settings, now = Settings.from_environment(database=database), datetime.now(UTC)
    with open_database(settings).writing() as connection:
        token = give_login(connection, address, locale, now, now + GOOD_FOR)
    click.echo(f"{settings.own_address}/account/login/{token}")


@account.command(name="list")
@database_option
def list_all(database: str | None) -> None:
    """List all accounts."""
    from tileserver.cli.database import open_database
    from tileserver.settings import Settings
    from tileserver.store.accounts import people

    with open_database(Settings.from_environment(database=database)).reading() as connection:
        for each in people(connection):
            state = "disabled" if each.disabled else "confirmed" if each.confirmed else "never signed in"
            click.echo(f"{each.id:6}  {each.email:40}{state}")


@account.command()
@click.argument("address")
@database_option
def disable(address: str, database: str | None) -> None:
    """Let ADDRESS sign in no more, and end its sessions."""
    from tileserver.cli.database import open_database
    from tileserver.settings import Settings
    from tileserver.store import audit
    from tileserver.store.accounts import change_person, person_of

    now = datetime.now(UTC)
    with open_database(Settings.from_environment(database=database)).writing() as connection:
        found = person_of(connection, address)
        if found is None:
            raise NotFoundError(f"there is no account of {address}; `comeo account list` names them")
        change_person(connection, found.id, {"disabled": now, "epoch": found.epoch + 1})
        audit.write(connection, now, None, "account.disabled", "account", found.id)
    click.echo(f"{address} signs in no more")


@account.command(name="audit")
@click.option("--most", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Lines.")
@database_option
def audited(most: int, database: str | None) -> None:
    """Say what people have changed last: when, which account, what, and its particulars."""
    from tileserver.cli.database import open_database
    from tileserver.settings import Settings
    from tileserver.store.audit import newest

    with open_database(Settings.from_environment(database=database)).reading() as connection:
        for each in newest(connection, most):
            who = "-" if each.actor is None else f"account:{each.actor}"
            detail = " ".join(f"{name}={value}" for name, value in each.detail.items())
            click.echo(f"{each.at:%Y-%m-%d %H:%M:%S}  {who:14}{each.action:24}{each.object:18}{detail}")
