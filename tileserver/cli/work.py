"""`comeo work`: what follows places."""

from __future__ import annotations

import logging
import signal
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from comeo.errors import ComeoError
from tileserver.cli.database import archives_argument, now, open_database, open_scenes
from tileserver.cli.options import database_option, sentence

if TYPE_CHECKING:
    from tileserver.render.scenes import Scenes
    from tileserver.settings import Settings
    from tileserver.store.database import Database
    from tileserver.watch.channels.transport import Transport
    from tileserver.watch.reports.send import Reporter
    from tileserver.watch.worker import Worker

log = logging.getLogger("comeo")


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


def with_geoservices(settings: Settings, *, work: bool) -> Settings:
    """Settings of a server with geoservices, whose database is up to date and whose worker is running.

    Args:
        settings: Of the server; where no database is named, it is beside the first folder's archives.
        work: Whether the worker is started.
    """
    from tileserver.cli.sibling import start_worker

    if settings.database is None:
        if not settings.paths:
            raise ComeoError("geoservices are kept on disk; name a file for them (COMEO_DATABASE)")
        first = settings.paths[0]
        folder = first if first.is_dir() else first.parent
        settings = settings.model_copy(update={"database": str((folder / "comeo.sqlite").resolve())})
    open_database(settings).close()
    if work:
        start_worker(settings)
    return settings


def make_worker(settings: Settings, scenes: Scenes, store: Database) -> Worker:
    """What follows the geoservices of a database over the scenes of the settings."""
    from tileserver.store.nightly import folder_beside
    from tileserver.watch.maps.keeping import MapMaker
    from tileserver.watch.messages.receipts import Receipts
    from tileserver.watch.observing.places import originals_of
    from tileserver.watch.worker import Worker

    beside = store.path.with_name(f"{store.path.name}.sent") if store.path else Path("comeo-sent")
    maps = MapMaker(scenes, store, settings.maps_folder)
    return Worker(
        scenes, store, settings.own_address, originals_of(settings), _channels(settings, scenes, store),
        Receipts(settings.receipts or beside), now, maps, _reporter(settings, scenes, store),
        settings.backups or folder_beside(store),
    )  # fmt: skip


def _reporter(settings: Settings, scenes: Scenes, store: Database) -> Reporter | None:
    """What tells the origin above; None where there is none.

    Raises:
        ComeoError: If this server has no name there.
    """
    from tileserver.watch.reports.send import Reporter

    if not settings.report_to:
        return None
    if not settings.report_name:
        raise ComeoError(
            "COMEO_REPORT_TO: name this server, as the origin's operator does (COMEO_REPORT_NAME)"
        )
    return Reporter(scenes, store, settings.report_to, settings.report_name)


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


def _round(worker: Worker) -> bool:
    """Do a round; whether there may be more to do at once."""
    done = worker.round()
    did = {"observations": done.observed, "messages sent": done.sent, "maps": done.maps}
    if any(did.values()):
        log.info(", ".join(f"{number} {what}" for what, number in did.items() if number))
    for name, reason in done.failed.items():
        log.warning("%s: %s", name, reason)
    return done.maps > 0


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
