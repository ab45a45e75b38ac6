"""`comeo geocode`: a Sentinel-1 GRD product as a map."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from tileserver.cli.places import LocalPath
from tileserver.cli.progress import terminal_progress


@click.command()
@click.argument("source", type=LocalPath("download it, and give the product's folder or zip"))
@click.option("-o", "--output", required=True, type=LocalPath(), help="A GeoTIFF to write.")
@click.option(
    "--dem", required=True,
    help="Heights of the ground: any path that GDAL reads, a VRT over the tiles of a DEM for example.",
)  # fmt: skip
@click.option(
    "--dem-heights",
    type=click.Choice(["egm2008", "egm96", "ellipsoid"]),
    help="What the DEM's heights are measured from.  [default: as its reference system or name says]",
)
@click.option(
    "--radiometry",
    type=click.Choice(["sigma0", "gamma0"]),
    default="sigma0",
    show_default=True,
    help="Backscatter by area of the ellipsoid, or of the plane that faces the radar.",
)
@click.option("--pixel", type=float, help="Metres.  [default: the product's spacing]")
@click.option("--bbox", nargs=4, type=float, metavar="W S E N", help="Area in degrees.  [default: all]")
@click.option("--keep-noise", is_flag=True, help="Leave thermal noise in.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def geocode(
    source: Path, output: Path, dem: str, dem_heights: Any, radiometry: Any, pixel: float | None,
    bbox: tuple[float, float, float, float] | None, keep_noise: bool, force: bool,
) -> None:  # fmt: skip
    """Write SOURCE, a Sentinel-1 GRD product (folder or zip), as a GeoTIFF of backscatter in decibels.

    The image is calibrated, and each pixel of a map in UTM is looked up in it by the satellite's orbit and
    the height of the ground. `comeo compress` takes the file.
    """
    from comeo.sources.container import open_container
    from comeo.sources.dem import Dem
    from comeo.sources.grd.geocode import GeocodeOptions, bounds_of
    from comeo.sources.grd.geocode import geocode as write_map
    from comeo.sources.grd.product import open_grd

    if output.suffix.lower() not in (".tif", ".tiff"):
        raise click.UsageError(f"{output.name} would be a GeoTIFF: let its name end in .tif")
    if output.exists() and not force:
        raise click.UsageError(f"{output} exists; replace it with --force")
    if not output.parent.is_dir():
        raise click.UsageError(f"the folder {output.parent} does not exist")
    if not source.exists():
        raise click.UsageError(f"{source} does not exist; check its name")
    with ExitStack() as stack:
        container = open_container(source)
        stack.callback(container.close)
        grd = open_grd(container)
        stack.callback(grd.close)
        ground = stack.enter_context(Dem(dem, dem_heights))
        ground.check_covers(bounds_of(grd))
        progress = stack.enter_context(terminal_progress(grd.name))
        options = GeocodeOptions(radiometry, pixel, not keep_noise, bbox)
        write_map(grd, ground, options, output, progress)
        if ground.voids:
            share = 100 * ground.voids / ground.pixels
            progress.note(f"{share:.1f} % of the map has no height in {ground.name}: it is taken as sea")
    click.echo(f"{output}  {output.stat().st_size:,} bytes")
