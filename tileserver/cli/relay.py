"""`comeo relay`: archives over slow and broken links, from an origin to relays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from comeo.errors import ComeoError, NotFoundError
from comeo.places import ObjectAddress
from tileserver.cli.places import LocalOrBucketPath, LocalPath

if TYPE_CHECKING:
    from tileserver.cli.placing import Place
    from tileserver.relay.feed.lines import Why
    from tileserver.relay.feed.log import Log

_folder = click.argument("folder", type=LocalOrBucketPath(exists=True, file_okay=False))
_private = click.option(
    "--private", type=LocalPath(file_okay=False),
    help="Folder of the key and of what is kept, never copied with archives.  "
    "[default: FOLDER.relay; required for a bucket]",
)  # fmt: skip


@click.group()
def relay() -> None:
    """Archives over slow and broken links: an origin publishes, a relay runs."""


@relay.command()
@_folder
@click.option("--name", help="Of the origin, for people.  [default: as before]")
@click.option("--licence", help="Of the archives, as CC-BY-4.0.  [default: as before]")
@_private
@click.option(
    "--gone", type=click.Choice(["expired", "withdrawn", "replaced"]), default="expired", show_default=True,
    help="Why archives that have gone since the last time did; relays remove withdrawn ones at once.",
)  # fmt: skip
def publish(folder: Place, name: str | None, licence: str | None, private: Path | None, gone: Why) -> None:
    """Write the signed feed of the archives in FOLDER beside them, or bring it up to date.

    FOLDER is then an origin as it is: on a disk that is carried, behind any web server. It may be a bucket,
    s3://BUCKET/PREFIX, whose archives are read once as a whole, for their SHA-256.
    """
    from tileserver.catalog import SqliteCatalog
    from tileserver.relay.feed.following import Follower, file_href, object_href

    own = _private_of(folder, private)
    log = _log_of(folder, own, name, licence, wait=0)
    root: str | Path = str(folder) if isinstance(folder, ObjectAddress) else folder
    href = object_href(folder) if isinstance(folder, ObjectAddress) else file_href(folder)
    catalog = SqliteCatalog((root,), own / "catalog.sqlite", 0.0)
    try:
        with log.writing():
            before = log.last
            catalog.refresh(force=True)
            for fault in catalog.faults.values():
                raise ComeoError(f"{fault}; nothing was published")
            follower = Follower(catalog, log, href, lambda: datetime.now(UTC), gone)
            while follower.step():
                pass
            left = log.followed.again
            broken = catalog.broken()
    finally:
        catalog.close()
    for file, reason in sorted(broken.items()):
        click.echo(f"{file} is not told of: {reason}", err=True)
    there = sum(1 for each in log.told.values() if each is not None)
    click.echo(f"{folder}  {there:,} archives, {log.last - before:,} new lines, epoch {log.epoch}")
    click.echo(f"{'key':8}{log.key}")
    if left:
        raise ComeoError(f"{len(left)} archives could not be read, as {left[0][1]}; run the command again")


@relay.command()
@_folder
@click.argument("collection")
@click.argument("item")
@click.option(
    "--why", type=click.Choice(["withdrawn", "expired", "replaced"]), default="withdrawn", show_default=True,
    help="Relays remove what was withdrawn at once, and the rest as they are set.",
)  # fmt: skip
@_private
def withdraw(folder: Place, collection: str, item: str, why: Why, private: Path | None) -> None:
    """Tell relays that an ITEM of a COLLECTION is no longer there, once its archive has been removed.

    FOLDER is that of `publish`; for a server it is COMEO_RELAY_FOLDER/public, with --private the other one.
    """
    log = _log_of(folder, _private_of(folder, private))
    with log.writing():
        if (collection, item) not in log.told:
            raise NotFoundError(f"the feed has never told of {item} in {collection}; check both ids")
        log.drop((collection, item), why)
    click.echo(f"{item} {why}, line {log.last}")


def _private_of(folder: Place, private: Path | None) -> Path:
    """The private folder, which must not be where everybody reads."""
    if isinstance(folder, ObjectAddress):
        if private is None:
            raise ComeoError(
                f"the key of {folder} is kept on this machine; name a folder that stays, with --private"
            )
        private.mkdir(parents=True, exist_ok=True, mode=0o700)
        return private.resolve()
    own = (private or folder.resolve().with_name(f"{folder.resolve().name}.relay")).resolve()
    if own.is_relative_to(folder.resolve()):
        raise ComeoError(f"{own} lies in what is published; keep the key elsewhere (--private)")
    own.mkdir(parents=True, exist_ok=True, mode=0o700)
    return own


def _log_of(
    folder: Place, private: Path, name: str | None = None, licence: str | None = None, wait: int | None = None
) -> Log:
    from tileserver.relay.feed.log import About, Log

    about = About(name, licence, wait)
    if not isinstance(folder, ObjectAddress):
        return Log(folder, private, about)
    from tileserver.relay.publishing import BucketLog

    return BucketLog(folder, private, about)
