"""Figures of a qualification of radar, as plain data that can be written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from comeo.figures import as_json
from comeo.quality.results import Evidence
from comeo.quality.sar.cells import CellFigures
from comeo.quality.sar.water import WaterFigures

_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class RadarBand:
    """One polarisation; errors are decoded − original in dB of backscatter, means are of power.

    Attributes:
        band: Name.
        group: Name of the group.
        pixels: Valid pixels compared.
        bias: 10·log10 of the decoded power over the original one, both summed over the scene.
        rmse: Root mean square error of a pixel.
        max_error: Largest absolute error of a pixel.
        p50: Absolute error that half of the pixels do not exceed.
        p95: The same for 95 %.
        p99: The same for 99 %.
        psnr: Of `rmse`, against a peak of 50 dB; infinite for equal bands.
        field_rmse: Root mean square error of the mean of 8 × 8 pixels, over all offsets of the cells.
        edges: β, correlation of Laplacians.
        averages: EPD-ROA, neighbours' ratios, decoded over original.
        ratio_correlation: Correlation of neighbours in the ratio image, original / decoded.
        ratio_excess: By how much neighbours in it are more alike than if it were shuffled.
        cells: Homogeneous cells.
        m_index: Gomez' M: `cells.residual` + `ratio_excess`. 0 for an ideal filter of speckle, which a codec
            is not meant to be: it is small only where most of the speckle has gone.
        points: Point targets found in the original.
        points_lost: By how many dB their peaks are lower, in the mean.
        false_change: Share of 5 × 5 pixels in which a change between two such archives is off by over 2 dB.
    """

    band: str
    group: str
    pixels: int
    bias: float
    rmse: float
    max_error: float
    p50: float
    p95: float
    p99: float
    psnr: float
    field_rmse: float
    edges: float
    averages: float
    ratio_correlation: float
    ratio_excess: float
    cells: CellFigures
    m_index: float
    points: int
    points_lost: float
    false_change: float


@dataclass(frozen=True, slots=True)
class RatioFigures:
    """The ratio of two polarisations of one group.

    Attributes:
        bands: Names: co-polarised and cross-polarised.
        rmse: Root mean square error in dB of a pixel's ratio.
        field_rmse: Of the ratio of the means of 8 × 8 pixels.
    """

    bands: tuple[str, str]
    rmse: float
    field_rmse: float


@dataclass(frozen=True, slots=True)
class OtherBand:
    """A band that is no backscatter, as an angle of incidence.

    Attributes:
        band: Name.
        unit: Of the figures.
        rmse: Root mean square error.
        bias: Mean error.
        max_error: Largest absolute error.
    """

    band: str
    unit: str
    rmse: float
    bias: float
    max_error: float


@dataclass(frozen=True)
class RadarQualification:
    """Everything measured on one radar archive against its source.

    Attributes:
        bands: Polarisations.
        ratios: Of co-polarised to cross-polarised bands.
        water: Open water; None without VV.
        others: Bands that are no backscatter.
        lost_pixels: Valid numbers of the original that the archive has no value for.
        evidence: For pictures.
    """

    bands: tuple[RadarBand, ...]
    ratios: tuple[RatioFigures, ...]
    water: WaterFigures | None
    others: tuple[OtherBand, ...]
    lost_pixels: int
    evidence: Evidence = field(repr=False)

    def figures(self) -> dict[str, Any]:
        """All figures, for JSON; undefined and infinite ones are null."""
        parts = ("bands", "ratios", "water", "others", "lost_pixels")
        return {"kind": "radar", **{name: as_json(getattr(self, name), _DIGITS) for name in parts}}
