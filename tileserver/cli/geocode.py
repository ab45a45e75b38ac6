"""`comeo geocode`: a Sentinel-1 GRD product as a map."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from tileserver.cli.geocoding import geocoding_options, options_of
from tileserver.cli.places import LocalPath
from tileserver.cli.progress import terminal_progress
from tileserver.cli.signals import ended_at_a_step


@click.command()
@click.argument("source", type=LocalPath("download it, and give the product's folder or zip"))
@click.option("-o", "--output", required=True, type=LocalPath(), help="A GeoTIFF to write.")
@geocoding_options
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def geocode(source: Path, output: Path, force: bool, **given: Any) -> None:
    """Write SOURCE, a Sentinel-1 GRD product (folder or zip), as a GeoTIFF of backscatter in decibels.

    The image is calibrated, and each pixel of a map is looked up in it by the satellite's orbit and the
    height of the ground: --dem is needed. --incidence writes a layer of the local incidence angle beside
    OUTPUT, --mask one of layover and shadow. `comeo compress` takes the file, or SOURCE itself.
    """
    from comeo.sources.container import open_container
    from comeo.sources.grd.geocode import geocode as write_map
    from comeo.sources.grd.geocode import incidence_beside, mask_beside
    from comeo.sources.grd.source import ground_of, opened

    options = options_of(given)
    if options is None or options.dem is None:
        raise click.UsageError(
            "a map needs heights of the ground: give --dem. Without one, `comeo compress` makes an archive "
            "to look at"
        )
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise click.UsageError(f"{output.name} would be a GeoTIFF: let its name end in .tif")
    made = [output]
    made += [incidence_beside(output)] * options.incidence + [mask_beside(output)] * options.mask
    for path in made:
        if path.exists() and not force:
            raise click.UsageError(f"{path} exists; replace it with --force")
    if not output.parent.is_dir():
        raise click.UsageError(f"the folder {output.parent} does not exist")
    if not source.exists():
        raise click.UsageError(f"{source} does not exist; check its name")
    with (
        ended_at_a_step(),
        closing(open_container(source)) as container,
        opened(container, options, None) as grd,
        terminal_progress(grd.name) as progress,
        ground_of(grd, options, progress) as ground,
    ):
        write_map(grd, ground, options, output, progress)
    for path in made:
        click.echo(f"{path}  {path.stat().st_size:,} bytes")
