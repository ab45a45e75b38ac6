"""`comeo compress`: sources into archives."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import click

from comeo.errors import ComeoError
from comeo.places import below
from tileserver.cli.geocoding import geocoding_options, options_of
from tileserver.cli.options import PICTURES, moment_of, names_of, scale_of, sentence
from tileserver.cli.places import LocalOrBucketPath
from tileserver.cli.progress import terminal_progress
from tileserver.cli.signals import ended_at_a_step

if TYPE_CHECKING:
    from tileserver.cli.placing import Place

_OTHERS: Final = PICTURES | {".zip", ".tif", ".tiff", ".json"}  # neither archives nor folders


@click.command()
@click.argument("sources", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=LocalOrBucketPath("give a file, a folder, or an address in a bucket, s3://BUCKET/KEY"),
    help="Folder, or name of the archive; on disk, or in a bucket as s3://BUCKET/KEY.",
)
@click.option("--codec", help="See `comeo codecs`.  [default: learned]")
@click.option("--ratio", type=float, help="Raw bytes / archive bytes.  [default: 100]")
@click.option("--step", type=float, help="Quantisation step in the data's numbers, instead of a ratio.")
@click.option("--id", "scene_id", help="Id of the scene, instead of the source's own.")
@click.option("--collection", help="STAC collection, instead of the source's own.")
@click.option(
    "--bands",
    callback=lambda _c, _p, value: names_of(value),
    help="Names of a GeoTIFF's bands, if it has none.",
)
@click.option(
    "--datetime",
    "moment",
    callback=lambda _c, _p, value: moment_of(value),
    help="Acquisition, as 2019-05-30 or 2019-05-30T10:30:31Z, if the source doesn't say.",
)
@click.option(
    "--scale",
    callback=lambda _c, _p, value: scale_of(value),
    help="Physical value = number × scale + offset, if the source doesn't say; "
    "of radar also power, amplitude or dB.",
)
@click.option(
    "--quantity",
    type=click.Choice(["sigma0", "gamma0", "gamma0-rtc", "beta0"]),
    help="Which radar backscatter it is, if the source doesn't say.",
)
@click.option("--offset", type=float, help="See --scale; -0.1 or 0 for Sentinel-2 whose baseline is unknown.")
@click.option("--unit", help="Unit of the physical values: reflectance, dB or another.")
@click.option(
    "--nodata", type=float, help="Number that marks pixels without data, if the source doesn't say."
)
@click.option(
    "--clear",
    type=click.Choice(["scl", "s2cloudless", "none"]),
    help="How to know which pixels are clear.  [default: scl where the source has it, else none]",
)
@click.option(
    "--independent-groups",
    is_flag=True,
    help="Predict no group from a finer one: larger, but plain Zarr readers can read all of it.",
)
@click.option(
    "--preset",
    type=click.Choice(["vegetation"]),
    help="Code red and near infrared more finely, for indices of vegetation.",
)
@click.option(
    "--clouds",
    type=click.Choice(["coarse"]),
    help="Code clouds more coarsely than the ground, which gets their bytes; needs --clear other than none.",
)
@click.option(
    "--despeckle",
    type=click.Choice(["lee"]),
    help="Filter the speckle of radar before it is coded; its mean power is kept.",
)
@geocoding_options
@click.option("--force", is_flag=True, help="Replace archives that exist.")
@ended_at_a_step()
def compress(
    sources: tuple[str, ...],
    output: Place,
    codec: str | None,
    ratio: float | None,
    step: float | None,
    scene_id: str | None,
    collection: str | None,
    bands: tuple[str, ...] | None,
    moment: datetime | None,
    scale: float | str | None,
    quantity: str | None,
    offset: float | None,
    unit: str | None,
    nodata: float | None,
    clear: str | None,
    independent_groups: bool,
    preset: str | None,
    clouds: str | None,
    despeckle: str | None,
    force: bool,
    **geocoding: Any,
) -> None:
    """Compress SOURCES, one archive each.

    A source is a SAFE folder or zip, a folder of JP2 or GeoTIFF bands, a STAC Item (file or URL), or a
    GeoTIFF whose band descriptions name the bands.

    A Sentinel-1 GRD product is brought onto a map first, for which --dem gives the heights of the ground:
    options from --dem to --orbit are for these. Without a DEM it can be shown, but is not terrain-corrected.
    """
    from comeo.codecs import DEFAULT_CODEC
    from comeo.compression import compress as compress_scene
    from comeo.sources import open_source
    from tileserver.cli.placing import written_for

    if ratio is not None and step is not None:
        raise click.UsageError("give --ratio or --step, not both")
    is_file = _is_archive(output, len(sources), force=force)
    options = options_of(geocoding)
    failures = 0
    for source in sources:
        try:
            with terminal_progress(Path(source).name) as opening, open_source(
                source, scene_id=scene_id, collection=collection, bands=bands, datetime=moment, scale=scale,
                offset=offset, unit=unit, nodata=nodata, quantity=quantity,
                geocoding=options, progress=opening,
            ) as scene:  # fmt: skip
                opening.finish()
                final = output if is_file else below(output, f"{scene.id}.zarr.zip")
                with terminal_progress(scene.id) as progress, written_for(final) as path:
                    compress_scene(
                        scene, path, codec=codec or DEFAULT_CODEC, ratio=ratio, step=step, clear=clear,
                        force=force, progress=progress, independent_groups=independent_groups, preset=preset,
                        clouds=clouds, despeckle=despeckle,
                    )  # fmt: skip
            _report(final)
        except (ComeoError, OSError) as error:
            if len(sources) == 1:
                raise
            click.echo(f"comeo: {source}: {sentence(error)}", err=True)
            failures += 1
    if failures:
        raise ComeoError(f"{failures} of {len(sources)} sources were not compressed")


def _is_archive(output: Place, sources: int, *, force: bool) -> bool:
    """Whether the output is the name of one archive, and not a folder for several.

    Raises:
        click.UsageError: If it is neither, or names one archive for several sources, or is to be replaced in
            a bucket.
        ComeoError: If the archive exists and is not to be replaced: said before a product is geocoded for
            minutes.
    """
    from comeo.archive import archive_suffix
    from tileserver.cli.placing import check_free

    path = output if isinstance(output, Path) else PurePosixPath(output.key)
    suffix = archive_suffix(path)
    is_file = suffix is not None
    if path.suffix.lower() in _OTHERS and not is_file and not (isinstance(path, Path) and path.is_dir()):
        raise click.UsageError(f"{path.name} is no name of an archive: those end in .zarr.zip or .zarr")
    if is_file and sources > 1:
        raise click.UsageError("several sources need a folder as --output")
    if path is not output and suffix == ".zarr":
        raise click.UsageError(f"{path.name} would be a folder: an archive in a bucket ends in .zarr.zip")
    if path is not output and force:
        raise click.UsageError("objects in a bucket are not replaced: leave out --force, choose another key")
    if is_file:
        check_free(output, force=force)
    return is_file


def _report(place: Place) -> None:
    from comeo.archive import open_archive

    with open_archive(place if isinstance(place, Path) else str(place)) as archive:
        click.echo(
            f"{place}  {archive.archive_bytes:,} bytes, ×{archive.ratio:.1f}, "
            f"step {archive.step:g}, {archive.codec}"
        )
