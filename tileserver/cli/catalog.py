"""`comeo catalog`: what servers know of the archives, looked at and made anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from comeo.errors import ComeoError
from tileserver.cli.options import catalog_option
from tileserver.cli.places import LocalOrBucketPath

if TYPE_CHECKING:
    from tileserver.catalog import Catalog
    from tileserver.cli.placing import Place

_paths = click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=LocalOrBucketPath("name the folders that the server serves, on disk or in buckets"),
)


@click.group()
def catalog() -> None:
    """Look at the catalogue of a server, or make it anew."""


@catalog.command()
@_paths
@catalog_option
def status(paths: tuple[Place, ...], catalog: str | None) -> None:
    """Tell what the catalogue of the archives in PATHS has, brought up to date."""
    with _opened(paths, catalog) as opened:
        opened.refresh(force=True)
        _tell(opened)


@catalog.command()
@_paths
@catalog_option
def rebuild(paths: tuple[Place, ...], catalog: str | None) -> None:
    """Forget what the catalogue has, and read all archives in PATHS again.

    A catalogue in PostgreSQL that was of other folders is of these from then on.
    """
    with _opened(paths, catalog, take_over=True) as opened:
        opened.rebuild()
        _tell(opened)


@contextmanager
def _opened(paths: tuple[Place, ...], named: str | None, *, take_over: bool = False) -> Iterator[Catalog]:
    """The catalogue that is set.

    Raises:
        ComeoError: If none is, or it cannot be opened.
    """
    from tileserver.catalog import open_catalog
    from tileserver.relay.indexing.index import bucket_index
    from tileserver.settings import Settings

    settings = Settings.from_environment(paths=paths, catalog=named)
    if settings.catalog is None:
        raise ComeoError(
            "no catalogue is named, so that each server makes a temporary one; "
            "name it with --catalog (COMEO_CATALOG)"
        )
    found = open_catalog(settings, index=bucket_index(settings), take_over=take_over)
    try:
        yield found
    finally:
        found.close()


def _tell(found: Catalog) -> None:
    for summary in found.collections():
        days = [day.date().isoformat() for day in (summary.start, summary.end) if day is not None]
        click.echo(f"{summary.id:24}{summary.count:>10,}  {' to '.join(dict.fromkeys(days))}".rstrip())
    for place, fault in found.faults.items():
        click.echo(f"{place} could not be looked at: {fault}", err=True)
    broken = found.broken()
    click.echo(f"{'scenes':24}{found.count():>10,}")
    click.echo(f"{'archives left out':24}{len(broken):>10,}")
    for name, reason in list(broken.items())[:10]:
        click.echo(f"  {name}: {reason}")
    click.echo(f"{'place in the feed':24}{found.position()}")
