"""`comeo bulletin`: what geoservices say of their months, from draft to visa."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from comeo.errors import ComeoError, NotFoundError, ParameterError
from tileserver.cli.database import archives_argument, find_geoservice, now, open_database, open_scenes
from tileserver.cli.geoservice import standing
from tileserver.cli.options import database_option
from tileserver.cli.places import LocalPath

if TYPE_CHECKING:
    from tileserver.store.accounts import Person
    from tileserver.store.bulletins import Bulletin
    from tileserver.store.geoservices import Geoservice
    from tileserver.watch.bulletins.content import Material
    from tileserver.watch.document.calendar import Month

_NUMBER: Final = re.compile(r"(.+)-(\d{4}-\d{2})-r([1-9]\d{0,3})")
_as = click.option("--as", "address", required=True, help="E-mail address of who does it: their role counts.")
_note = click.option("--note", default="", help="What is written down with it; of a visa it is printed.")


@click.group()
def bulletin() -> None:
    """Bulletins of geoservices: list, compose, submit, approve, reject."""


@bulletin.command(name="list")
@click.argument("slug")
@database_option
def list_all(slug: str, database: str | None) -> None:
    """List the bulletins of the geoservice SLUG."""
    from tileserver.settings import Settings
    from tileserver.store.bulletins import bulletins_of, files_of
    from tileserver.watch.bulletins.steps import printed

    with open_database(Settings.from_environment(database=database)).reading() as connection:
        found = find_geoservice(connection, slug)
        for each in bulletins_of(connection, found.id):
            files = len(files_of(connection, each.id))
            click.echo(f"{each.id:6}  {printed(found, each):40}{each.state:10}{files:3} files")


@bulletin.command()
@click.argument("slug")
@click.argument("month", type=click.DateTime(["%Y-%m"]))
@archives_argument
@click.option("-o", "--output", type=LocalPath(), help="Only write a file: .html, .pdf or .json.")
@click.option("--locale", default="en", show_default=True, help="Language of the file.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--as", "address", help="E-mail address of who composes it, and will not approve it.")
@database_option
def compose(
    slug: str, month: datetime, paths: tuple[Path, ...], output: Path | None, locale: str, force: bool,
    address: str | None, database: str | None,
) -> None:  # fmt: skip
    """Compose what the geoservice SLUG says of a MONTH (2020-07) by its scenes in PATHS, as a draft."""
    from tileserver.settings import Settings
    from tileserver.watch.bulletins.content import material_of
    from tileserver.watch.document.calendar import Month

    if output is not None and output.suffix not in (".html", ".pdf", ".json"):
        raise click.UsageError(
            f"{output.name} would be HTML, PDF or JSON: let its name end in .html, .pdf or .json"
        )
    if output is not None and output.exists() and not force:
        raise ComeoError(f"{output} exists; replace it with --force")
    settings = Settings.from_environment(paths=paths, database=database)
    store = open_database(settings)
    with open_scenes(settings) as scenes, store.reading() as connection:
        found = find_geoservice(connection, slug)
        material = material_of(connection, found, standing(connection, scenes, found))
    own = Month(month.year, month.month, found.timezone)
    if own.end > now():
        raise ComeoError(f"{own.label} is not over; a bulletin is of a whole month")
    if output is not None:
        output.write_bytes(_file(material, own, output.suffix, locale))
        click.echo(f"{output}  {output.stat().st_size:,} bytes")
    else:
        with store.writing() as connection:
            click.echo(_keep(connection, material, own, address))


def _file(material: Material, month: Month, suffix: str, locale: str) -> bytes:
    from tileserver.watch.bulletins.content import canonical, content_of
    from tileserver.watch.bulletins.page import bulletin_page
    from tileserver.watch.bulletins.pdf import bulletin_pdf

    content = content_of(material, month, 1)
    if suffix == ".json":
        return canonical(content)
    if suffix == ".pdf":
        return bulletin_pdf(content, locale, None)
    return bulletin_page(content, locale, None).encode()


def _keep(connection: Any, material: Material, month: Month, address: str | None) -> str:
    """Keep a draft, and say so."""
    from tileserver.watch.bulletins import steps

    one = material.geoservice
    actor = None if address is None else _person(connection, one, address, "recompose").id
    kept = steps.recompose(connection, material, month, actor, now())
    return f"{steps.printed(one, kept)} is a draft; `comeo bulletin submit` lets it be decided on"


@bulletin.command()
@click.argument("number")
@_as
@_note
@database_option
def submit(number: str, address: str, note: str, database: str | None) -> None:
    """Let the draft NUMBER (romania-forest-2020-07-r1) be decided on."""
    _step(number, "submit", address, note, database)


@bulletin.command()
@click.argument("number")
@_as
@_note
@database_option
def approve(number: str, address: str, note: str, database: str | None) -> None:
    """Give the bulletin NUMBER its visa; `comeo work` prints and sends it."""
    _step(number, "approve", address, note, database)


@bulletin.command()
@click.argument("number")
@_as
@click.option("--note", required=True, help="What is to change.")
@database_option
def reject(number: str, address: str, note: str, database: str | None) -> None:
    """Refuse the bulletin NUMBER its visa."""
    _step(number, "reject", address, note, database)


def _step(number: str, step: str, address: str, note: str, database: str | None) -> None:
    from tileserver.settings import Settings
    from tileserver.store.bulletins import MOST_NOTE
    from tileserver.store.geoservices import get_geoservice
    from tileserver.watch.bulletins import steps

    if len(note) > MOST_NOTE:
        raise ParameterError(f"the note has more than {MOST_NOTE} characters; shorten it")
    with open_database(Settings.from_environment(database=database)).writing() as connection:
        one = _find(connection, number)
        of = get_geoservice(connection, one.geoservice)
        person = _person(connection, of, address, step)
        made = steps.STEPS[step](connection, one, note.strip(), person.id, now())
        click.echo(f"{steps.printed(of, made)} is {made.state}")


def _find(connection: Any, number: str) -> Bulletin:
    """The bulletin of a number as it is printed, or of an id."""
    from tileserver.store.bulletins import find_bulletin, find_printed

    found = None
    if (parts := _NUMBER.fullmatch(number)) is not None:
        found = find_printed(connection, parts[1], parts[2], int(parts[3]))
    elif number.isdecimal() and len(number) < 10:
        found = find_bulletin(connection, int(number))
    if found is None:
        raise NotFoundError(f"there is no bulletin {number}; `comeo bulletin list SLUG` names them")
    return found


def _person(connection: Any, of: Geoservice, address: str, step: str) -> Person:
    """Who has an address, if their role lets them take a step.

    Raises:
        ForbiddenError: If it does not.
    """
    from tileserver.accounts.rights import allowed
    from tileserver.errors import ForbiddenError
    from tileserver.store.accounts import person_of, role_of

    person = person_of(connection, address)
    role = role_of(connection, of.id, person.id) if person is not None and person.disabled is None else None
    if person is None or not allowed("POST", f"/bulletins/<number>/{step}", role, is_public=False):
        raise ForbiddenError(f"{address} has no role in {of.slug} that may {step} its bulletins")
    return person
