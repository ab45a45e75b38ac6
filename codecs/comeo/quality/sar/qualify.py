"""The qualification of a decoded radar scene against its original: one pass over each group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from comeo.compression.points import SURROUND
from comeo.cpus import cpu_count
from comeo.decibel import DECIBEL, ratio_decibels, to_power
from comeo.errors import SourceError
from comeo.metrics import psnr_of
from comeo.missions import QUANTITIES
from comeo.progress import Progress, Silent
from comeo.quality.cells import ErrorMap
from comeo.quality.distortion import Errors
from comeo.quality.qualify import as_archived
from comeo.quality.render import physical
from comeo.quality.results import Evidence
from comeo.quality.sar import figures
from comeo.quality.sar.cells import Cells
from comeo.quality.sar.points import Points
from comeo.quality.sar.results import OtherBand, RadarBand, RadarQualification, RatioFigures
from comeo.quality.sar.water import SmoothedPairs
from comeo.quality.strips import Strip, strip_count, strips
from comeo.scene import Band, BandGroup, Scene

RATIOS: Final = (("VV", "VH"), ("HH", "HV"))
"""Co-polarised and cross-polarised bands whose ratio is looked at."""
_FINENESS: Final = 0.002  # dB: width of a bin of the histograms of errors


def is_radar(groups: Sequence[BandGroup]) -> bool:
    """Whether a scene is radar: some of its bands are backscatter in dB, and none is a reflectance."""
    units = {band.unit for group in groups for band in group.bands}
    return DECIBEL in units and "reflectance" not in units


def qualify_radar(
    original: Scene, decoded: Sequence[BandGroup], progress: Progress | None = None
) -> RadarQualification:
    """Hold a decoded radar scene against its original.

    Args:
        original: The scene, one that `is_radar`.
        decoded: Its groups once decoded, on the same grids.
        progress: Shows how far the work has come.

    Returns:
        Every figure, masked pixels not counted.

    Raises:
        SourceError: If the original has no valid pixel, or cannot be read.
        ArchiveError: If the grids differ, or the decoded scene cannot be read.
    """
    watch = progress or Silent()
    original = as_archived(original, decoded)
    passes = [_GroupPass(group) for group in original.groups]
    shown = next(each for each in passes if each.backscatter)
    watch.start("comparing", sum(strip_count(group) for group in original.groups))
    with ThreadPoolExecutor(cpu_count()) as pool:
        for each, other in zip(passes, decoded, strict=True):
            for strip in strips(each.group, other):
                each.add(strip, pool)
                watch.advance()
    bands = [band.figures() for each in passes for band in each.backscatter.values()]
    if not any(band.pixels for band in bands):
        raise SourceError(f"{original.id} has no valid pixel to compare")
    water = next(
        (each.backscatter["VV"].smoothed.water("VV") for each in passes if "VV" in each.backscatter), None
    )
    histograms = {
        band.band.name: band.errors.histogram() for band in shown.backscatter.values() if band.errors.count
    }
    return RadarQualification(
        bands=tuple(bands),
        ratios=tuple(ratio.figures() for each in passes for ratio in each.ratios),
        water=water,
        others=tuple(band for each in passes for band in each.other_bands()),
        lost_pixels=sum(each.lost for each in passes),
        evidence=Evidence(shown.map.rmse, shown.map.kinds, shown.map.filled, histograms),
    )


class _GroupPass:
    """Figures of one group, gathered strip by strip."""

    def __init__(self, group: BandGroup) -> None:
        self.group = group
        self.backscatter = {
            band.name: _BandPass(band, group.name) for band in group.bands if band.unit == DECIBEL
        }
        self.ratios = [_RatioPass(pair) for pair in RATIOS if set(pair) <= set(self.backscatter)]
        self.map = ErrorMap(group.height, group.width)
        self.lost = 0
        self._others = {band.name: Errors() for band in group.bands if band.unit != DECIBEL}

    def add(self, strip: Strip, pool: ThreadPoolExecutor) -> None:
        """Count a strip."""
        self.lost += strip.lost
        self.map.add(strip, None)
        pairs = {}
        for row, band in enumerate(self.group.bands):
            if band.name in self._others:
                here = strip.valid[row, strip.core]
                ours, theirs = (each[row, strip.core][here] for each in (strip.reference, strip.decoded))
                self._others[band.name].add(ours, theirs)
            else:
                pairs[band.name] = _decibels(strip, row, band)
        work = [
            pool.submit(self.backscatter[name].add, ours, theirs, strip.core)
            for name, (ours, theirs) in pairs.items()
        ] + [
            pool.submit(ratio.add, pairs[ratio.names[0]], pairs[ratio.names[1]], strip.core)
            for ratio in self.ratios
        ]
        for each in work:
            each.result()

    def other_bands(self) -> list[OtherBand]:
        """Figures of bands that are no backscatter, in their units."""
        out = []
        for band in self.group.bands:
            errors = self._others.get(band.name)
            if errors is not None and errors.count:
                scale = abs(band.scale)
                figures_ = (errors.rmse * scale, errors.bias * band.scale, errors.largest * scale)
                out.append(OtherBand(band.name, band.unit, *figures_))
        return out


class _BandPass:
    """Figures of one polarisation, gathered strip by strip."""

    def __init__(self, band: Band, group: str) -> None:
        self.band = band
        self.smoothed = SmoothedPairs()
        self.errors = Errors(_FINENESS)
        self._group = group
        self._power = np.zeros(2)
        self._fields = _Squares()
        self._edges = figures.Moments()
        self._averages = np.zeros(2)
        self._structure = figures.RatioStructure()
        self._cells = Cells()
        self._points = Points()

    def add(self, reference: figures.Decibels, decoded: figures.Decibels, core: slice) -> None:
        """Count the core of a strip (y, x) in dB, with rows of context above and below it."""

        def rows(above: int, below: int) -> tuple[figures.Decibels, figures.Decibels]:
            part = slice(max(0, core.start - above), core.stop + below)
            return reference[part], decoded[part]

        ours, theirs = rows(0, 0)
        here = np.isfinite(ours)
        self.errors.add(ours[here], theirs[here])
        self._power += [to_power(each[here]).sum(dtype=np.float64) for each in (ours, theirs)]
        self._cells.add(ours, theirs)
        self._fields.add(*(figures.window_means(each, figures.FIELD) for each in rows(0, figures.FIELD - 1)))
        self.smoothed.add(*rows(0, figures.SMOOTHING - 1))
        self._edges.add(*(figures.laplacian(each) for each in rows(1, 1)))
        height = core.stop - core.start
        self._averages += figures.neighbour_ratios(*rows(0, 1), height)
        self._structure.add(*rows(0, 1), height)
        reach = SURROUND // 2 + 1  # a neighbour of the core may be the brightest of its own
        around = rows(reach, reach)
        first = core.start - max(0, core.start - reach)
        self._points.add(*around, slice(first, first + height))

    def figures(self) -> RadarBand:
        """What was found; NaN where it could not be."""
        cells = self._cells.figures()
        ours, theirs = self._power
        excess = self._structure.excess
        peak = QUANTITIES[DECIBEL].peak or 1.0
        return RadarBand(
            band=self.band.name, group=self._group, pixels=self.errors.count,
            bias=ratio_decibels(theirs, ours),
            rmse=self.errors.rmse, max_error=self.errors.largest if self.errors.count else math.nan,
            p50=self.errors.percentile(50), p95=self.errors.percentile(95), p99=self.errors.percentile(99),
            psnr=psnr_of(self.errors.mse, peak),
            field_rmse=self._fields.rmse,
            edges=self._edges.correlation,
            averages=float(self._averages[1] / self._averages[0]) if self._averages[0] > 0 else math.nan,
            ratio_correlation=self._structure.correlation, ratio_excess=excess,
            cells=cells, m_index=cells.residual + excess,
            points=self._points.count, points_lost=self._points.mean_lost,
            false_change=self.smoothed.false_change(),
        )  # fmt: skip


class _RatioPass:
    """Figures of the ratio of two polarisations."""

    def __init__(self, names: tuple[str, str]) -> None:
        self.names = names
        self._pixels, self._fields = _Squares(), _Squares()

    def add(
        self,
        first: tuple[figures.Decibels, figures.Decibels],
        second: tuple[figures.Decibels, figures.Decibels],
        core: slice,
    ) -> None:
        """Count the core of a strip: (reference, decoded) of both bands with context."""
        self._pixels.add(*(a[core] - b[core] for a, b in zip(first, second, strict=True)))
        part = slice(core.start, core.stop + figures.FIELD - 1)
        fields = [
            [figures.window_means(each[part], figures.FIELD) for each in pair] for pair in (first, second)
        ]
        self._fields.add(*(a - b for a, b in zip(*fields, strict=True)))

    def figures(self) -> RatioFigures:
        """What was found."""
        return RatioFigures(self.names, self._pixels.rmse, self._fields.rmse)


class _Squares:
    """Squared differences of two arrays, where both are finite."""

    def __init__(self) -> None:
        self._count, self._sum = 0, 0.0

    def add(self, reference: figures.Decibels, decoded: figures.Decibels) -> None:
        difference = np.subtract(decoded, reference, dtype=np.float64)
        known = difference[np.isfinite(difference)]
        self._count += known.size
        self._sum += float(known @ known)

    @property
    def rmse(self) -> float:
        """Root of their mean; NaN without any."""
        return math.sqrt(self._sum / self._count) if self._count else math.nan


def _decibels(strip: Strip, row: int, band: Band) -> tuple[figures.Decibels, figures.Decibels]:
    """Both versions of a band (y, x) in dB with the strip's context; NaN where one has no pixel."""
    ours, theirs = (
        np.where(strip.valid[row], physical(each[row : row + 1], (band,))[0], np.float32(np.nan))
        for each in (strip.reference, strip.decoded)
    )
    return ours, theirs
