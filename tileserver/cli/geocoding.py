"""Options of the commands that bring radar products onto a map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from comeo.sources import GeocodeOptions

Command = TypeVar("Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--dem",
        help="Heights of the ground: any path that GDAL reads, a VRT over the tiles of a DEM for example.",
    ),
    click.option(
        "--dem-heights",
        type=click.Choice(["egm2008", "egm96", "ellipsoid"]),
        help="What the DEM's heights are measured from.  [default: as its reference system or name says]",
    ),
    click.option(
        "--radiometry",
        type=click.Choice(["sigma0", "gamma0", "rtc"]),
        help="Backscatter by area of the ellipsoid, of the plane that faces the radar, or flattened for "
        "terrain.  [default: sigma0]",
    ),
    click.option("--pixel", type=float, help="Metres.  [default: the product's spacing]"),
    click.option(
        "--crs",
        help="A map projection in metres, as EPSG:3413.  [default: UTM; beyond 84° polar stereographic]",
    ),
    click.option("--bbox", nargs=4, type=float, metavar="W S E N", help="Area in degrees.  [default: all]"),
    click.option("--keep-noise", is_flag=True, help="Leave thermal noise in."),
    click.option("--incidence", is_flag=True, help="Make a layer of the local incidence angle, too."),
    click.option("--mask", is_flag=True, help="Leave out what lies in layover or in shadow."),
    click.option(
        "--orbit",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="A precise orbit file (.EOF), instead of the product's own orbit.",
    ),
)


def geocoding_options(command: Command) -> Command:
    """Add the options to a command, which gets them as keywords: see `options_of`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def options_of(given: dict[str, Any]) -> GeocodeOptions | None:
    """What is given of the options; None if nothing is.

    Args:
        given: Keywords of the options, from the command.

    Raises:
        SourceError: If what is given takes a DEM, and there is none.
    """
    from comeo.sources import GeocodeOptions  # noqa: PLC0415 - the command starts quickly

    wanted = {name: value for name, value in given.items() if value not in (None, False)}
    if wanted.pop("keep_noise", False):
        wanted["noise"] = False
    return GeocodeOptions(**wanted) if wanted else None
