"""The `comeo` command."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comeo.errors import ComeoError
from comeo.view.resampling import RESAMPLINGS, ResamplingName
from tileserver.cli.account import account
from tileserver.cli.bulletin import bulletin
from tileserver.cli.catalog import catalog
from tileserver.cli.compress import compress
from tileserver.cli.database import backup, restore
from tileserver.cli.extras import advice
from tileserver.cli.geocode import geocode
from tileserver.cli.geoservice import geoservice
from tileserver.cli.ingest import ingest
from tileserver.cli.lan import announce, find
from tileserver.cli.options import PICTURES, catalog_option, names_of, sentence
from tileserver.cli.places import LocalOrBucketPath, LocalPath
from tileserver.cli.pof import pof
from tileserver.cli.progress import terminal_progress
from tileserver.cli.qualify import qualify
from tileserver.cli.relay import relay
from tileserver.cli.relaying import export, import_, plan, run, status, verify
from tileserver.cli.work import work

if TYPE_CHECKING:
    from tileserver.cli.placing import Place

_log = logging.getLogger("comeo")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks and debug messages.")
@click.version_option(package_name="comeo")
def cli(debug: bool) -> None:
    """Compress Sentinel scenes a hundredfold and serve them as maps."""
    # Of other packages (their threads, plug-ins, requests, credentials) only what is wrong is told.
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO if debug else logging.WARNING,
        format="%(levelname)s %(message)s" if debug else "%(message)s",
    )  # fmt: skip
    for ours in ("comeo", "tileserver"):
        logging.getLogger(ours).setLevel(logging.DEBUG if debug else logging.INFO)
    if not debug:  # what GDAL and PROJ signal is raised, and said, in a sentence of ours
        logging.getLogger("rasterio").setLevel(logging.CRITICAL)


@cli.command()
@click.argument("archive")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def info(archive: str, as_json: bool) -> None:
    """List the contents of an ARCHIVE (a name or a URL)."""
    from comeo.archive import open_archive

    with open_archive(archive) as opened:
        facts = opened.info()
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    parts = ("groups", "certificate", "clear", "clouds", "power", "damaged")
    groups, certificate, clear, clouds, power, damaged = (facts.pop(key) for key in parts)
    click.echo(f"{'format':14}version {facts.pop('format_version')}")
    for key, value in facts.items():
        text = ", ".join(filter(None, value.values())) if isinstance(value, dict) else value
        click.echo(f"{key:14}{'' if text is None else text}")
    for name, group in groups.items():
        bands, height, width = group["shape"]
        finer = f", predicted from {group['predicted_from']}" if group["predicted_from"] else ""
        size = f"{bands} bands, {height}×{width}"
        click.echo(f"{name:14}{size}, {group['crs']}, levels {group['levels']}{finer}")
        click.echo(f"{'':14}{' '.join(group['bands'])}")
        factors = (
            f"{band} {_figure(small)} {_figure(large)}" for band, (small, large) in group["means"].items()
        )
        click.echo(f"{'':14}errors of means: {', '.join(factors)}")
    click.echo(_clear_line(clear))
    for line in (
        *_histogram_lines(groups),
        *_certificate_lines(certificate, radar=power is not None),
        *_power_lines(power),
        *_cloud_lines(clouds),
    ):
        click.echo(line)
    for fault in damaged.values():
        click.echo(f"{'damaged':14}{fault}; copy the archive again")


@cli.command()
@click.argument("archive")
@click.option("-o", "--output", required=True, type=LocalPath(), help="A GeoTIFF to write.")
@click.option("--bbox", nargs=4, type=float, metavar="W S E N", help="Area in degrees.  [default: all]")
@click.option(
    "--polygon",
    type=LocalPath(exists=True, dir_okay=False),
    help="GeoJSON file with a polygon in degrees, instead of --bbox; pixels outside it are masked.",
)
@click.option(
    "--bands", callback=lambda _c, _p, value: names_of(value), help="As B04,B03,B02.  [default: all bands]"
)
@click.option("--expression", help="Band arithmetic on physical values, as (B08-B04)/(B08+B04).")
@click.option("--crs", help="Projection of the file, as EPSG:3857.  [default: the scene's own]")
@click.option("--max-size", type=click.IntRange(min=1), help="Longest side in pixels.")
@click.option(
    "--resampling",
    type=click.Choice(RESAMPLINGS),
    default="nearest",
    show_default=True,
    help="For pixels that lie on another grid: of coarser bands, with --crs or with --max-size.",
)
@click.option(
    "--mask", help="What pixels have to show, as clear or land,water; others are masked.  [default: all]"
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def extract(
    archive: str,
    output: Path,
    bbox: tuple[float, float, float, float] | None,
    polygon: Path | None,
    bands: tuple[str, ...] | None,
    expression: str | None,
    crs: str | None,
    max_size: int | None,
    resampling: ResamplingName,
    mask: str | None,
    force: bool,
) -> None:
    """Write pixels of an ARCHIVE (a name or a URL) as a Cloud-Optimized GeoTIFF.

    They are the scene's own pixels unless --crs or --max-size is given. Bands of several resolutions come on
    the grid of the finest. The same request to a server gives the same pixels.
    """
    from comeo.archive import open_archive
    from comeo.export.extract import extract as write_extract

    if output.suffix.lower() in PICTURES:
        raise click.UsageError(f"{output.name} would be a GeoTIFF: let its name end in .tif")
    if bbox and polygon:
        raise click.UsageError("give --bbox or --polygon, not both")
    if bands is not None and expression is not None:
        raise click.UsageError("give --bands or --expression, not both")
    with open_archive(archive) as opened, terminal_progress(opened.id) as progress:
        write_extract(
            opened, output, bbox=bbox, polygon=_polygon(polygon) if polygon else None, bands=bands,
            expression=expression, crs=crs, max_size=max_size,
            resampling=resampling, mask=mask, force=force, progress=progress,
        )  # fmt: skip
    click.echo(f"{output}  {output.stat().st_size:,} bytes")


@cli.command()
def codecs() -> None:
    """List the codecs, and the models of the learned one."""
    from comeo.codecs import codec_names, get_codec
    from comeo.codecs.decoder import decoder_in_use
    from comeo.codecs.learned import models

    for name in codec_names():
        click.echo(f"{name:12}{(type(get_codec(name)).__doc__ or '').splitlines()[0]}")
    decoder = decoder_in_use()
    click.echo(f"  decoded by {decoder.words}" + (f"\n  {decoder.slow}." if decoder.slow else ""))
    for model in models().values():
        click.echo(f"  {model.name}  {model.facts['data']}\n    SHA-256 {model.digest}")


@cli.command()
@click.argument(
    "paths", nargs=-1, required=True,
    type=LocalOrBucketPath(
        "a server reads archives from disk and buckets; download it, or mirror it into a folder"
    ),
)  # fmt: skip
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.  [default: 8080]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes.  [default: one a CPU, up to 8]")
@click.option(
    "--log-format", type=click.Choice(["json", "text"]), help="[default: text on a terminal, else json]"
)
@click.option("--access-log/--no-access-log", default=None, help="Log each request.  [default: off]")
@catalog_option
@click.option(
    "--bucket-index", type=click.Choice(["listing", "feed"]),
    help="How buckets are looked at: listed, or by what `comeo relay publish` has told there.  "
    "[default: COMEO_BUCKET_INDEX, else listing]",
)  # fmt: skip
@click.option("--geoservices", is_flag=True, help="Follow places: see docs/geoservices.md.  [default: off]")
@click.option("--no-work", is_flag=True, help="Leave the worker of geoservices to `comeo work`.")
def serve(
    paths: tuple[Place, ...],
    host: str | None,
    port: int | None,
    workers: int | None,
    log_format: str | None,
    access_log: bool | None,
    catalog: str | None,
    bucket_index: str | None,
    geoservices: bool,
    no_work: bool,
) -> None:
    """Serve the archives in PATHS (folders or files, s3://BUCKET/KEY) as a map, tiles and STAC."""
    from tileserver.cli.gunicorn import run
    from tileserver.settings import Settings

    missing = [path for path in paths if isinstance(path, Path) and not path.exists()]
    if missing:
        raise ComeoError(f"{missing[0]} does not exist")
    settings = Settings.from_environment(
        paths=paths, host=host, port=port, workers=workers, log_format=log_format, access_log=access_log,
        catalog=catalog, bucket_index=bucket_index,
    )  # fmt: skip
    if geoservices or settings.database:
        from tileserver.cli.work import with_geoservices

        settings = with_geoservices(settings, work=not no_work)
    run(settings)


cli.add_command(compress)
cli.add_command(qualify)
cli.add_command(geocode)
cli.add_command(ingest)
cli.add_command(pof)
cli.add_command(catalog)
cli.add_command(relay)
for _command in (plan, run, import_, export, status, verify, announce, find):
    relay.add_command(_command)
cli.add_command(work)
cli.add_command(geoservice)
cli.add_command(bulletin)
cli.add_command(account)
cli.add_command(backup)
cli.add_command(restore)


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _clear_line(clear: dict[str, Any] | None) -> str:
    """Which pixels are clear, in a line."""
    if clear is None:
        return f"{'clear':14}unknown: this archive does not say which pixels are clear"
    shares = clear["shares"]
    text = ", ".join(f"{name} {share:.1f} %" for name, share in shares.items()) if shares else "no pixel"
    return f"{'clear':14}{text}; by {clear['source']}, {clear['size']:,} bytes"


def _histogram_lines(groups: dict[str, Any]) -> list[str]:
    """Where the original pixels lie, as a table."""
    known = {
        band: percentiles for group in groups.values() for band, percentiles in group["percentiles"].items()
        if percentiles
    }  # fmt: skip
    if not known:
        return [f"{'pixels':14}unknown: this archive carries no histograms"]
    shown = ("2", "50", "98")
    lines = [f"{'pixels':14}of the original, in stored numbers: so many are not above"]
    lines.append(f"{'':14}{'':8}" + "".join(f"{one + ' %':>10}" for one in shown))
    for band, percentiles in known.items():
        lines.append(f"{'':14}{band:8}" + "".join(f"{percentiles[one]:>10.4g}" for one in shown))
    return lines


def _certificate_lines(certificate: dict[str, Any] | None, *, radar: bool) -> list[str]:
    """The certified errors as a table."""
    if certificate is None:
        return [f"{'errors':14}unknown: this archive carries no quality certificate"]
    scope = "block by block and over the scene" if certificate["by_block"] else "over the scene"
    peak = "50 dB" if radar else "reflectance 1.0"
    lines = [f"{'errors':14}certified {scope}, in stored numbers; PSNR in dB, peak {peak}"]
    lines.append(f"{'':14}{'':8}{'RMSE':>10}{'maximum':>10}{'bias':>10}{'PSNR':>8}")

    def line(name: str, psnr: float | None, *figures: float | None, exact: bool = False) -> str:
        cells = "".join(f"{'–' if figure is None else f'{figure:.4g}':>10}" for figure in figures)
        return f"{'':14}{name:8}{cells}{shown(psnr, exact):>8}"

    def shown(psnr: float | None, exact: bool) -> str:
        return f"{psnr:.1f}" if psnr is not None else "∞" if exact else "–"

    for name, group in certificate["groups"].items():
        for band, errors in group["bands"].items():
            figures = (errors[key] for key in ("rmse", "maximum", "bias"))
            lines.append(line(band, errors["psnr"], *figures, exact=errors["rmse"] == 0))
        exact = all(errors["rmse"] == 0 for errors in group["bands"].values())
        lines.append(line(name, group["psnr"], *[None] * 3, exact=exact))
    return lines


def _power_lines(power: dict[str, Any] | None) -> list[str]:
    """What radar lost of its mean power."""
    if power is None:
        return []
    lines = [f"{'mean power':14}certified, in dB: bias of the scene, error of 8×8 pixels (RMSE)"]
    for band, errors in power.items():
        cells = (errors[key] for key in ("bias", "rmse_8"))
        lines.append(
            f"{'':14}{band:8}" + "".join("–".rjust(10) if x is None else f"{x:>10.3f}" for x in cells)
        )
    return lines


def _cloud_lines(clouds: dict[str, Any] | None) -> list[str]:
    """Errors of clouds, if they were coded apart from the ground."""
    if clouds is None:
        return []
    share = f"{clouds['share']:.1f} % of the pixels"
    lines = [f"{'clouds':14}{share}, coded more coarsely: the errors above are of all others"]
    for band, rmse in clouds["rmse"].items():
        if rmse is not None:
            lines.append(f"{'':14}{band:8}{rmse:>10.4g}{clouds['maximum'][band]:>10.4g}")
    return lines


def _polygon(path: Path) -> dict[str, Any]:
    from tileserver.render.geojson import polygon_of
    from tileserver.settings import Settings

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.BadParameter(f"{path} is not JSON: {error}", param_hint="--polygon") from error
    except RecursionError as error:
        raise click.BadParameter(f"{path} is nested too deeply", param_hint="--polygon") from error
    return polygon_of(document, Settings().max_vertices)


def main() -> None:
    """Run the command; errors become one sentence on stderr and an exit code."""
    try:
        cli()
    except (ComeoError, OSError) as error:
        if "--debug" in sys.argv[1:]:
            raise
        click.echo(f"comeo: {sentence(error)}", err=True)
        sys.exit(1)
    except Exception as error:  # a missing extra, or a mistake of ours; no traceback without --debug
        if "--debug" in sys.argv[1:]:
            raise
        text = advice(error) if isinstance(error, ModuleNotFoundError) else None
        if text is None:
            cause = " ".join(f"{type(error).__name__}: {error}".split())
            text = f"unexpected error: {cause}; `comeo --debug …` shows where it happened"
        click.echo(f"comeo: {text}", err=True)
        sys.exit(1)
