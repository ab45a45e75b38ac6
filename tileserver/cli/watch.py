"""`comeo work` and `comeo geoservice`: what follows places, and what an operator asks of it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comeo.errors import ComeoError, NotFoundError
from tileserver.cli.options import database_option, sentence
from tileserver.cli.places import LocalPath

if TYPE_CHECKING:
    from tileserver.render.scenes import Scenes
    from tileserver.settings import Settings
    from tileserver.store.database import Database
    from tileserver.store.geoservices import Geoservice
    from tileserver.store.observed import Archived
    from tileserver.watch.channels.transport import Transport
    from tileserver.watch.document.definition import Definition
    from tileserver.watch.observing.originals import Originals
    from tileserver.watch.worker import Worker

log = logging.getLogger("comeo")
archives_argument = click.argument(
    "paths", nargs=-1, required=True, type=LocalPath("geoservices observe archives on disk")
)


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def open_database(settings: Settings) -> Database:
    """The database of the settings, up to date.

    Raises:
        ComeoError: If none is set, or it cannot be opened.
    """
    from tileserver.store.database import Database
    from tileserver.store.migrate import upgrade

    if settings.database is None:
        raise ComeoError("there is no database of geoservices; name one with --database (COMEO_DATABASE)")
    database = Database(settings.database)
    upgrade(database)
    return database


def with_geoservices(settings: Settings, *, work: bool) -> Settings:
    """Settings of a server with geoservices, whose database is up to date and whose worker is running.

    Args:
        settings: Of the server; where no database is named, it is beside the first folder's archives.
        work: Whether the worker is started.
    """
    from tileserver.cli.sibling import start_worker

    if settings.database is None:
        first = settings.paths[0]
        folder = first if first.is_dir() else first.parent
        settings = settings.model_copy(update={"database": str((folder / "comeo.sqlite").resolve())})
    open_database(settings).close()
    if work:
        start_worker(settings)
    return settings


@contextmanager
def open_scenes(settings: Settings) -> Iterator[Scenes]:
    """Scenes for a process that is no server."""
    from tileserver.catalog import SqliteCatalog
    from tileserver.render.scenes import Scenes
    from tileserver.temporary import temporary_folder

    path = settings.catalog or temporary_folder("catalog") / "catalog.sqlite"
    settings = settings.model_copy(update={"catalog": path})
    catalog = SqliteCatalog(settings.paths, path, settings.scan_seconds, lambda *_: None)
    catalog.refresh(force=True)
    try:
        yield Scenes.open(settings, catalog)
    finally:
        catalog.close()


@click.command()
@archives_argument
@database_option
@click.option("--once", is_flag=True, help="Do what is to be done now, and end.")
@click.option("--every", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds.")
def work(paths: tuple[Path, ...], database: str | None, once: bool, every: float) -> None:
    """Follow the places of geoservices in the archives in PATHS: observe, raise alerts, send messages."""
    from tileserver.settings import Settings
    from tileserver.store.lock import only_worker

    settings = Settings.from_environment(paths=paths, database=database)
    store = open_database(settings)
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    with open_scenes(settings) as scenes:
        worker = make_worker(settings, scenes, store)
        while not ended.is_set():
            with only_worker(store) as held:
                if held and _rounds(worker, ended, every, once=once):
                    return
            if once:
                raise ComeoError(
                    "another worker is at it, perhaps that of a server; it does what is to be done"
                )
            ended.wait(every)


def _rounds(worker: Worker, ended: threading.Event, every: float, *, once: bool) -> bool:
    """Do what is to be done, again and again or once; whether that is all."""
    while not ended.is_set():
        try:
            while _round(worker) and not ended.is_set():
                pass  # one map a round: what is left is not waited for
        except (ComeoError, OSError) as error:  # a full disk, a database that is busy: it goes on when it can
            if once:
                raise
            log.warning("%s", sentence(error))
        except Exception as error:
            if once:
                raise
            log.warning("a round has failed: %s: %s", type(error).__name__, error)
            log.debug("a round has failed", exc_info=error)
        if once:
            break
        ended.wait(every)
    return True


def make_worker(settings: Settings, scenes: Scenes, store: Database) -> Worker:
    """What follows the geoservices of a database over the scenes of the settings."""
    from tileserver.store.nightly import folder_beside
    from tileserver.watch.maps.keeping import MapMaker
    from tileserver.watch.messages.receipts import Receipts
    from tileserver.watch.worker import Worker

    beside = store.path.with_name(f"{store.path.name}.sent") if store.path else Path("comeo-sent")
    maps = MapMaker(scenes, store, settings.maps_folder)
    return Worker(
        scenes, store, settings.own_address, _originals(settings), _channels(settings, scenes, store),
        Receipts(settings.receipts or beside), now, maps, settings.backups or folder_beside(store),
    )  # fmt: skip


def _originals(settings: Settings) -> Originals | None:
    """Where sources are found; None if nowhere."""
    from tileserver.watch.observing.originals import FirstOf, OriginalFolders, OriginalItems

    places: list[Originals] = [OriginalFolders(settings.originals)] if settings.originals else []
    if settings.original_items:
        places.append(OriginalItems(settings.original_items))
    return FirstOf(places) if places else None


def _channels(settings: Settings, scenes: Scenes, store: Database) -> Transport:
    """Ways by which messages leave; mail only where there is a server for it."""
    from tileserver.outgoing.guard import Guard
    from tileserver.watch.bulletins.steps import attachment
    from tileserver.watch.channels.letter import Enclosures
    from tileserver.watch.channels.mail import Smtp
    from tileserver.watch.channels.services import Services
    from tileserver.watch.channels.transport import Channels
    from tileserver.watch.channels.webhook import Webhooks
    from tileserver.watch.messages.pictures import Pictures

    webhooks = Webhooks(store, Guard(settings.webhook_networks), settings.own_address)
    ways: dict[str, Transport] = {"webhook": webhooks, "apprise": Services()}
    if settings.smtp:
        enclosures = Enclosures(Pictures(scenes).draw, partial(attachment, store))
        ways["email"] = Smtp.of(settings.smtp, settings.mail_from, enclosures)
        if not settings.mail_from:
            raise ComeoError("mail needs an address that it is from; set COMEO_MAIL_FROM")
        if not settings.public_url:
            log.warning("links in mail lead to %s; set COMEO_PUBLIC_URL", settings.own_address)
    return Channels(ways)


def _round(worker: Worker) -> bool:
    """Do a round; whether there may be more to do at once."""
    done = worker.round()
    did = {"observations": done.observed, "messages sent": done.sent, "maps": done.maps}
    if any(did.values()):
        log.info(", ".join(f"{number} {what}" for what, number in did.items() if number))
    for name, reason in done.failed.items():
        log.warning("%s: %s", name, reason)
    return done.maps > 0


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


@click.command()
@click.argument("file", type=LocalPath())
@database_option
def backup(file: Path, database: str | None) -> None:
    """Write sites, geoservices, observations, alerts and messages into FILE (.zip)."""
    from tileserver.settings import Settings
    from tileserver.store.backup import backup as write

    rows = write(open_database(Settings.from_environment(database=database)), file)
    click.echo(f"{file}  {sum(rows.values()):,} rows, {file.stat().st_size:,} bytes")


@click.command()
@click.argument("file", type=LocalPath(exists=True, dir_okay=False))
@database_option
def restore(file: Path, database: str | None) -> None:
    """Fill an empty database with what the backup FILE holds."""
    from tileserver.settings import Settings
    from tileserver.store.backup import restore as read
    from tileserver.store.database import Database

    settings = Settings.from_environment(database=database)
    if settings.database is None:
        raise ComeoError("there is no database to fill; name one with --database (COMEO_DATABASE)")
    rows = read(Database(settings.database), file)
    click.echo(f"{sum(rows.values()):,} rows restored")


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


def standing(connection: Any, scenes: Scenes, found: Geoservice) -> set[Archived]:
    """The archives that count for a geoservice."""
    from tileserver.store.sites import leaves
    from tileserver.watch.observing import observe

    return observe.standing(scenes, found, leaves(connection, found.site))


def find_geoservice(connection: Any, slug: str) -> Geoservice:
    """The geoservice of a slug.

    Raises:
        NotFoundError: If there is none.
    """
    from tileserver.store import geoservices

    found = geoservices.find_geoservice(connection, slug)
    if found is None:
        raise NotFoundError(f"there is no geoservice {slug}; `comeo geoservice list` names them")
    return found
