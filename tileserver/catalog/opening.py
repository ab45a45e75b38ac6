"""Which catalogue the settings ask for, and where what is kept beside it lies."""

from __future__ import annotations

from pathlib import Path

from tileserver.catalog.base import Catalog
from tileserver.catalog.finding import BucketIndex
from tileserver.catalog.indexed import Watch
from tileserver.catalog.sqlite import SqliteCatalog
from tileserver.settings import Settings
from tileserver.temporary import temporary_folder


def placed(settings: Settings) -> Settings:
    """The settings with a place for the catalogue, and for what lies beside it where no other is set.

    Beside a catalogue in a database there is no place: that is temporary then, as without a catalogue.
    """
    catalog = settings.catalog
    file = catalog if isinstance(catalog, Path) else temporary_folder("catalog") / "catalog.sqlite"
    return settings.model_copy(
        update={
            "catalog": catalog or file,
            "store": settings.store or file.with_name(f"{file.stem}-kept.sqlite"),
            "uploads": settings.uploads or file.with_name(f"{file.stem}-uploads"),
            "observations": settings.observations or Path(f"{file}.observations"),
        }
    )


def open_catalog(
    settings: Settings,
    watch: Watch | None = None,
    *,
    index: BucketIndex | None,
    take_over: bool = False,
) -> Catalog:
    """Open the catalogue of settings that have a place for it: see `placed`.

    Args:
        settings: Of the server.
        watch: See `IndexedCatalog`.
        index: By which buckets are looked at: see `tileserver.relay.indexing`; None to list them.
        take_over: See `PostgresCatalog`; a file is of its folders anyway.

    Raises:
        SettingsError: If there is no database at its address.
        ComeoError: If it cannot be opened.
    """
    where = settings.catalog
    if isinstance(where, str):
        from tileserver.catalog.postgres import PostgresCatalog  # noqa: PLC0415 (an extra)

        return PostgresCatalog(
            settings.roots, where, settings.scan_seconds, watch, index=index, take_over=take_over
        )
    if where is None:
        raise ValueError("the settings have no place for the catalogue")
    return SqliteCatalog(settings.roots, where, settings.scan_seconds, watch, index=index)
