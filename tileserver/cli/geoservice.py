"""`comeo geoservice`: what an operator asks of what is followed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comeo.errors import ComeoError
from tileserver.cli.database import archives_argument, find_geoservice, now, open_database, open_scenes
from tileserver.cli.options import database_option
from tileserver.cli.work import make_worker

if TYPE_CHECKING:
    from tileserver.render.scenes import Scenes
    from tileserver.settings import Settings
    from tileserver.store.geoservices import Geoservice
    from tileserver.store.observed import Archived
    from tileserver.watch.document.definition import Definition


@click.group()
def geoservice() -> None:
    """Places that are followed: add, list, activate, explain."""


@geoservice.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--owner", required=True, help="E-mail address of who decides on it.")
@click.option(
    "--sites",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="KML, KMZ, GeoPackage, zipped Shapefile or GeoJSON, instead of `sites` in FILE.",
)
@database_option
def add(file: Path, owner: str, sites: Path | None, database: str | None) -> None:
    """Add the geoservice that FILE (.toml or .json) describes, as a draft: docs/geoservices.md."""
    from tileserver.render.documents import catalogue_of, install
    from tileserver.settings import Settings
    from tileserver.store import audit
    from tileserver.store.outbox import recipients_of
    from tileserver.watch.messages.recipients import shown
    from tileserver.watch.setup.register import register

    settings = Settings.from_environment(database=database)
    store = open_database(settings)
    install(catalogue_of(settings))
    definition = _definition_in(file, None if sites is None else _sites_in(sites, settings))
    with store.writing() as connection:
        time = now()
        number = register(
            connection, definition, owner, settings.max_vertices, time, settings.webhook_networks
        )
        audit.write(connection, time, None, "geoservice.added", "geoservice", number, slug=definition.slug)
        told = recipients_of(connection, number)
    for each in told:
        if each.secret:
            click.echo(f"{shown(each)} signs with {each.secret}")
    click.echo(f"{definition.slug} is a draft; `comeo geoservice activate {definition.slug} PATHS` starts it")


@geoservice.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@archives_argument
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="End of the two years.  [default: newest scene]"
)
def preview(file: Path, paths: tuple[Path, ...], until: datetime | None) -> None:
    """Say what the geoservice in FILE would have told in two years, and what its sites see."""
    from tileserver.settings import Settings
    from tileserver.watch.setup.preview import lines

    settings = Settings.from_environment(paths=paths)
    end = until.replace(tzinfo=UTC) if until else None
    with open_scenes(settings) as scenes:
        for line in lines(scenes, _definition_in(file), end):
            click.echo(line)


@geoservice.command()
@click.argument("slug")
@archives_argument
@database_option
def activate(slug: str, paths: tuple[Path, ...], database: str | None) -> None:
    """Let the geoservice SLUG run on the archives in PATHS."""
    from tileserver.settings import Settings
    from tileserver.store import audit
    from tileserver.watch.setup.register import activate as start

    settings = Settings.from_environment(paths=paths, database=database)
    store = open_database(settings)
    with open_scenes(settings) as scenes, store.writing() as connection:
        found = find_geoservice(connection, slug)
        start(connection, scenes, found)
        audit.write(connection, now(), None, "geoservice.active", "geoservice", found.id)
    click.echo(f"{slug} is active")


@geoservice.command(name="list")
@database_option
def list_all(database: str | None) -> None:
    """List all geoservices, with their alerts, and what fails."""
    from tileserver.settings import Settings
    from tileserver.store.alerts import alerts_of
    from tileserver.store.geoservices import geoservices
    from tileserver.store.sites import leaves
    from tileserver.store.tasks import failures_of
    from tileserver.watch.pieces import is_dead

    store = open_database(Settings.from_environment(database=database))
    with store.reading() as connection:
        for each in geoservices(connection):
            found = alerts_of(connection, each.id)
            going_on = sum(one.is_open for one in found)
            sites = len(leaves(connection, each.site))
            click.echo(f"{each.slug:24} {each.state:10}{sites:6} sites{len(found):6} alerts, {going_on} open")
            for failure in failures_of(connection, each.id):
                then = "given up" if is_dead(failure) else f"again from {failure.next_at:%Y-%m-%d %H:%M} UTC"
                often = "once" if failure.attempts == 1 else f"{failure.attempts} times"
                click.echo(f"  failed {often}, {then}: {failure.error}")


@geoservice.command()
@click.argument("slug")
@archives_argument
@database_option
def run(slug: str, paths: tuple[Path, ...], database: str | None) -> None:
    """Do now what is to be done of the geoservice SLUG, what failed or was given up included."""
    from tileserver.settings import Settings
    from tileserver.store import tasks
    from tileserver.store.lock import only_worker

    settings = Settings.from_environment(paths=paths, database=database)
    store = open_database(settings)
    with store.writing() as connection:
        found = find_geoservice(connection, slug)
        if found.state != "active":
            raise ComeoError(f"{slug} is {found.state}; `comeo geoservice activate {slug} PATHS` starts it")
        tasks.forget(connection, found.id)
    with only_worker(store) as held:
        if not held:
            click.echo("a worker is running, and does it in its next round")
            return
        with open_scenes(settings) as scenes:
            done = make_worker(settings, scenes, store).round(slug)
    click.echo(f"{done.observed} observations, {done.sent} messages sent")
    if done.failed:
        raise ComeoError("; ".join(f"{name}: {reason}" for name, reason in done.failed.items()))


@geoservice.command()
@click.argument("slug")
@archives_argument
@click.option("--site", type=int, help="Id of a site.  [default: the first]")
@database_option
def explain(slug: str, paths: tuple[Path, ...], site: int | None, database: str | None) -> None:
    """Say, date by date, why an alert of SLUG did or did not open on the archives in PATHS."""
    from tileserver.settings import Settings
    from tileserver.watch.alerts.explain import explain as lines

    settings = Settings.from_environment(paths=paths, database=database)
    store = open_database(settings)
    with open_scenes(settings) as scenes, store.reading() as connection:
        found = find_geoservice(connection, slug)
        for line in lines(connection, found, site, standing(connection, scenes, found)):
            click.echo(line)


@geoservice.command()
@database_option
def key(database: str | None) -> None:
    """Print the public key of this server's reports, for the operator of the origin (COMEO_RELAYS there)."""
    from tileserver.settings import Settings
    from tileserver.signing import public_text
    from tileserver.store import accounts
    from tileserver.watch.reports.parcel import private_key
    from tileserver.watch.reports.send import KEY

    with open_database(Settings.from_environment(database=database)).writing() as connection:
        click.echo(public_text(private_key(accounts.make_secret(connection, KEY))))


def standing(connection: Any, scenes: Scenes, found: Geoservice) -> set[Archived]:
    """The archives that count for a geoservice."""
    from tileserver.store.sites import leaves
    from tileserver.watch.observing import observe

    return observe.standing(scenes, found, leaves(connection, found.site))


def _sites_in(file: Path, settings: Settings) -> Any:
    from tileserver.files.sites_file import read_sites
    from tileserver.watch.setup.register import MOST_SITES

    most = settings.max_upload_bytes
    with file.open("rb") as opened:
        return read_sites(opened.read(most + 1), settings.max_vertices, MOST_SITES, most)


def _definition_in(file: Path, sites: Any = None) -> Definition:
    from tileserver.watch.setup.register import MOST_TEXT, read_definition

    if file.stat().st_size > MOST_TEXT:
        raise ComeoError(f"{file} has more than {MOST_TEXT >> 20} MB; simplify the outlines")
    return read_definition(file.read_bytes(), "toml" if file.suffix == ".toml" else "json", sites)
