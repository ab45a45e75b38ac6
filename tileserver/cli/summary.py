"""What `comeo qualify` prints on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from comeo.quality.results import BandFigures, Qualification, SceneFigures
from comeo.quality.sar.results import RadarBand, RadarQualification
from tileserver.cli.report.formats import number, percent
from tileserver.cli.report.parts import Subject


def summary(subjects: Sequence[Subject]) -> Iterator[str]:
    """Lines for each archive: its answers, and its figures."""
    for subject in subjects:
        facts, found = subject.facts, subject.found
        yield f"\n{subject.file}: {facts['codec']}, ×{facts['ratio']:.1f}"
        for verdict in subject.verdicts:
            yield f"  {verdict.use}: {verdict.answer.value}. {verdict.sentence} {verdict.measured}".rstrip()
        yield from _radar(found) if isinstance(found, RadarQualification) else _optical(found)


def _optical(found: Qualification) -> Iterator[str]:
    head = ("band", "RMSE", "bias", "95 %", "max", "PSNR", "SSIM", "MS-SSIM", "edges")
    yield _row(head)
    for band in found.bands:
        yield _optical_row(band.band, band)
    whole = found.scene
    yield _optical_row("scene", whole)
    for each in found.clouds:
        yield (
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
        (f"{each.name} error", f"{number(each.mae, 4)} mean, {number(each.land_rmse, 4)} RMSE on clear land")
        for each in found.indices
    ]
    for name, value in lines:
        yield _line(name, value)


def _radar(found: RadarQualification) -> Iterator[str]:
    yield "  errors in dB of backscatter; bias and 8×8 are of mean power; PSNR has its peak at 50 dB"
    yield _row(("band", "bias", "RMSE", "8×8", "95 %", "PSNR", "edges", "looks", "decoded", "points"))
    for band in found.bands:
        yield _radar_row(band)
    for ratio in found.ratios:
        yield _line(
            f"{'−'.join(ratio.bands)} error",
            f"{number(ratio.rmse, 2)} dB in a pixel, {number(ratio.field_rmse, 2)} dB in 8×8",
        )
    water = found.water
    if water is not None:
        yield _line("water below −15 dB", f"{percent(water.agreement)} agree, IoU {number(water.calm_iou)}")
        yield _line("water by Otsu", f"IoU {number(water.iou)}, below {number(water.threshold, 1)} dB")
    for other in found.others:
        unit = f" {other.unit}" if other.unit else ""
        yield _line(
            f"{other.band} error", f"{number(other.rmse)}{unit} RMSE, {number(other.max_error)} at most"
        )
    if found.lost_pixels:
        yield _line("lost", f"{found.lost_pixels} valid numbers have no value in the archive")


def _radar_row(band: RadarBand) -> str:
    cells = band.cells
    return _row(
        (
            band.band, number(band.bias), number(band.rmse, 2), number(band.field_rmse), number(band.p95, 2),
            number(band.psnr, 2), number(band.edges), number(cells.enl, 1), number(cells.enl_decoded, 1),
            f"−{number(band.points_lost, 1)}" if band.points else "–",
        )
    )  # fmt: skip


def _optical_row(name: str, found: BandFigures | SceneFigures) -> str:
    return _row(
        (
            name, number(found.rmse, 1), number(found.bias, 2), number(found.p95, 0),
            number(found.max_error, 0), number(found.psnr, 2), number(found.ssim), number(found.ms_ssim),
            number(found.edges),
        )
    )  # fmt: skip


def _row(cells: Sequence[str]) -> str:
    """A row of a table."""
    return "  " + "".join(f"{cell:>9}" for cell in cells)


def _line(name: str, value: str) -> str:
    return f"  {name + ':':23}{value}"
