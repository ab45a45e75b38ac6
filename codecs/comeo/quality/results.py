"""Figures of a qualification, as plain data that can be written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.figures import as_json
from comeo.quality.clouds import CloudFigures
from comeo.quality.distortion import Overall
from comeo.quality.thematic import Classification, Clustering

_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class BandFigures:
    """One band; errors in its stored numbers (for Sentinel-2: reflectance × 10 000), decoded − original.

    Attributes:
        band: Name.
        group: Name of the group.
        pixels: Valid pixels compared.
        rmse: Root of the mean squared error.
        bias: Mean error.
        max_error: Largest absolute error.
        p50: Median absolute error.
        p95: Absolute error that 95 % of the pixels do not exceed.
        p99: The same for 99 %.
        psnr: dB, peak at the group's data range; infinite for equal bands.
        ssim: Structural similarity.
        ms_ssim: The same at five scales.
        edges: Edge preservation.
        texture: Texture preservation.
        unit_rmse: RMSE in the band's physical unit.
    """

    band: str
    group: str
    pixels: int
    rmse: float
    bias: float
    max_error: float
    p50: float
    p95: float
    p99: float
    psnr: float
    ssim: float
    ms_ssim: float
    edges: float
    texture: float
    unit_rmse: float


@dataclass(frozen=True, slots=True)
class SceneFigures(Overall):
    """The scene as a whole: errors of all bands, NaN where groups' numbers differ in kind, and more.

    Attributes:
        psnr: Of the mean of the bands' MSE.
        ssim: Mean over bands.
        ms_ssim: Mean over bands.
        edges: Mean over bands.
        texture: Mean over bands.
        spectral_angle: Mean over spectra (of all bands, sampled on the finest grid; of a group, all),
            in degrees; NaN for fewer than two bands of reflectance.
        spectral_angle_p95: Its 95th percentile.
        lost_pixels: Valid numbers of the original that the archive has no value for.
    """

    psnr: float
    ssim: float
    ms_ssim: float
    edges: float
    texture: float
    spectral_angle: float
    spectral_angle_p95: float
    lost_pixels: int


@dataclass(frozen=True, slots=True)
class GroupFigures(SceneFigures):
    """The same of the bands of one resolution.

    Attributes:
        group: Name.
        bands: Names.
        data_range: The peak of PSNR and SSIM's L: reflectance 1.0 as stored, the span of the original's
            middle 99.8 % for other quantities.
    """

    group: str
    bands: tuple[str, ...]
    data_range: float


@dataclass(frozen=True, slots=True)
class IndexFigures:
    """One index of one version against the other; errors are of the index itself.

    Attributes:
        name: `NDVI`, `NDWI`, `NBR`.
        bands: Bands that it is computed from.
        pixels: How many were compared.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        bias: Mean error.
        p95: Absolute error that 95 % do not exceed.
        max_error: Largest absolute error.
        land_pixels: Of these, on clear land: neither cloud nor its edge, water or shadow.
        land_mae: Mean absolute error there; this and the next are NaN where the ground is not known.
        land_rmse: Root of the mean squared error there.
        land_bias: Mean error there.
        land_p95: 95th percentile there.
        field_rmse: Of means over 8×8 pixels there.
    """

    name: str
    bands: tuple[str, ...]
    pixels: int
    mae: float
    rmse: float
    bias: float
    p95: float
    max_error: float
    land_pixels: int
    land_mae: float
    land_rmse: float
    land_bias: float
    land_p95: float
    field_rmse: float


@dataclass(frozen=True, slots=True)
class GroundFigures:
    """One kind of ground.

    Attributes:
        kind: Name.
        rule: Rule by which its pixels were found.
        share: Of the valid pixels.
        rmse: There, over the bands of the finest group.
        error_share: Its share of all squared error.
    """

    kind: str
    rule: str
    share: float
    rmse: float
    error_share: float


@dataclass(frozen=True, slots=True)
class LandFigures:
    """Clear land alone, which maps of fields are made from.

    Attributes:
        share: Of the sampled valid spectra.
        agreement: Of 8 k-means++ classes that were found on clear land only; NaN without enough of it.
        loss: Accuracy that a random forest loses, trained on the original with those classes as labels.
        edges: Edge preservation there, mean over the finest bands.
    """

    share: float
    agreement: float
    loss: float
    edges: float


@dataclass(frozen=True, slots=True)
class Perceptual:
    """LPIPS of the true-colour rendering, or why it is missing.

    Attributes:
        lpips: Mean over tiles of 256 pixels; None when it could not be measured.
        tiles: How many tiles.
        missing: Why it is missing; empty when it was measured.
    """

    lpips: float | None
    tiles: int
    missing: str


@dataclass(frozen=True)
class Evidence:
    """Arrays that a report draws; not part of the JSON.

    Attributes:
        error_map: (rows, cols) RMSE of squares of 32 pixels of the finest group; NaN where nothing is valid.
        ground_map: (rows, cols, kinds) pixels of each kind of ground in them.
        filled: (rows, cols), share of each square that is valid, 0 to 1.
        histograms: By band: (edges of bins, counts) of its errors in stored numbers.
    """

    error_map: NDArray[np.float64]
    ground_map: NDArray[np.int64]
    filled: NDArray[np.float64]
    histograms: dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]


@dataclass(frozen=True)
class Qualification:
    """Everything measured on one archive against its source.

    Attributes:
        scene: The scene as a whole.
        groups: By resolution, finest first.
        bands: All bands.
        indices: Those that the bands give.
        ground: Kinds of ground that occur; empty where the bands needed for them are missing.
        land: Clear land alone.
        perceptual: LPIPS.
        clusterings: k-means++ with K = 8 and 16.
        classifications: Classifiers, trained on labels.
        evidence: For pictures.
        clouds: Ground and clouds apart, by resolution, where clouds were coded more coarsely.
    """

    scene: SceneFigures
    groups: tuple[GroupFigures, ...]
    bands: tuple[BandFigures, ...]
    indices: tuple[IndexFigures, ...]
    ground: tuple[GroundFigures, ...]
    land: LandFigures
    perceptual: Perceptual
    clusterings: tuple[Clustering, ...]
    classifications: tuple[Classification, ...]
    evidence: Evidence = field(repr=False)
    clouds: tuple[CloudFigures, ...] = ()

    def index(self, name: str) -> IndexFigures | None:
        """The index of that name, if the bands give it."""
        return next((index for index in self.indices if index.name == name), None)

    def clustering(self, k: int) -> Clustering | None:
        """The clustering with that many classes, if there is one."""
        return next((each for each in self.clusterings if each.k == k), None)

    def figures(self) -> dict[str, Any]:
        """All figures, for JSON; undefined and infinite ones are null."""
        parts = ("scene", "groups", "bands", "indices", "ground", "land", "perceptual", "clusterings")
        out: dict[str, Any] = {name: as_json(getattr(self, name), _DIGITS) for name in parts}
        out["classifications"] = [
            {**as_json(each, _DIGITS), "loss": as_json(each.loss, _DIGITS)} for each in self.classifications
        ]
        if self.clouds:
            out["clouds"] = as_json(self.clouds, _DIGITS)
        return out
