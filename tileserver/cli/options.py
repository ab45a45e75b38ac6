"""What several commands read from their options, and how they say errors."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import click

database_option = click.option(
    "--database", help="SQLite file or address of PostgreSQL.  [default: COMEO_DATABASE]"
)
catalog_option = click.option(
    "--catalog",
    help="SQLite file of the catalogue, or address of PostgreSQL.  [default: COMEO_CATALOG, else temporary]",
)
PICTURES: Final = frozenset([".jp2", ".png", ".jpg", ".jpeg", ".webp", ".kmz"])


def moment_of(value: str | None) -> datetime | None:
    """An acquisition as it is given; refused where it is none."""
    from comeo.errors import SourceError
    from comeo.sources.naming import parse_time

    try:
        return None if value is None else parse_time(value, "the time given")
    except SourceError as error:
        raise click.BadParameter(str(error)) from error


def scale_of(value: str | None) -> float | str | None:
    """A factor, or a word for a scale of radar; refused where it is neither."""
    from comeo.errors import SourceError
    from comeo.sources.arguments import Given, parse_scale

    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        _, word = parse_scale(value)
    try:
        return Given(radar_scale=word).radar_scale
    except SourceError as error:
        raise click.BadParameter(str(error)) from error


def names_of(value: str | None) -> tuple[str, ...] | None:
    """Names with commas between them; refused where there is none."""
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not names:
        raise click.BadParameter("give names with commas between them, as B04,B03,B02")
    return names


def sentence(error: Exception) -> str:
    """An error in one sentence."""
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return str(error)
