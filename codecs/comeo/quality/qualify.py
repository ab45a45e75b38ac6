"""The qualification of a decoded scene against its original: one pass over each group, then the sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from comeo.archive import Archive, valid_mask
from comeo.compression.apart import with_decibels_apart
from comeo.cpus import cpu_count
from comeo.errors import ArchiveError, SourceError
from comeo.missions import peak
from comeo.progress import Progress, Silent
from comeo.quality import cover
from comeo.quality.cells import ErrorMap
from comeo.quality.clouds import CloudClasses, GroundAndClouds
from comeo.quality.distortion import Errors, overall
from comeo.quality.indices import IndexErrors, index_errors
from comeo.quality.labels import scene_labels
from comeo.quality.lattice import Lattice
from comeo.quality.lpips_weights import Weights
from comeo.quality.perceptual import PerceptualDistance
from comeo.quality.render import physical
from comeo.quality.results import (
    BandFigures,
    Evidence,
    GroundFigures,
    GroupFigures,
    IndexFigures,
    LandFigures,
    Qualification,
    SceneFigures,
)
from comeo.quality.spectral import Angles
from comeo.quality.strips import Strip, strip_count, strips
from comeo.quality.structure import Structure
from comeo.quality.thematic import Classification, Clustering, assign, check_installed, classify, cluster
from comeo.scene import BandGroup, Pixels, Scene, Window

CLASSES: Final = (8, 16)
_FINENESS: Final = 20_000  # bins of the histogram over the data range of numbers that are not whole


def qualify(
    original: Scene,
    decoded: Sequence[BandGroup],
    *,
    weights: Weights | None = None,
    no_weights: str = "the weights of LPIPS were not given",
    classifiers: bool = True,
    clouds: CloudClasses | None = None,
    progress: Progress | None = None,
) -> Qualification:
    """Hold a decoded scene of reflectances, or of quantities that nothing is known of, against its original.

    Args:
        original: The scene.
        decoded: Its groups once decoded, on the same grids: `archive_groups` of an archive.
        weights: Of LPIPS; None leaves it out.
        no_weights: Why there are none, for the report.
        classifiers: Train classifiers and look at clear land alone, which takes most of a small scene's time.
        clouds: Classes of an archive whose clouds were coded more coarsely: tells them and the ground apart.
        progress: Shows how far the work has come.

    Returns:
        Every figure, masked pixels not counted.

    Raises:
        SourceError: If the original has no valid pixel, or cannot be read.
        ArchiveError: If the grids differ, or the decoded scene cannot be read.
        ComeoError: If scikit-learn is not installed.
    """
    check_installed()
    watch = progress or Silent()
    original = as_archived(original, decoded)
    lattice = Lattice(original.groups)
    finest = _Finest(original.groups[0], PerceptualDistance(original.groups[0], weights, no_weights))
    passes = [_GroupPass(group, clouds) for group in original.groups]
    watch.start("comparing", sum(strip_count(group) for group in original.groups))
    with ThreadPoolExecutor(cpu_count()) as pool:
        for each, other in zip(passes, decoded, strict=True):
            for strip in strips(each.group, other):
                land = finest.add(strip) if each is passes[0] else None
                if land is not None:
                    lattice.add_land(strip, land)
                each.add(strip, land, pool)
                lattice.add(each.group, strip)
                watch.advance()
    if not any(errors.count for each in passes for errors in each.errors):
        raise SourceError(f"{original.id} has no valid pixel to compare")
    labels = scene_labels(original, lattice)
    watch.start("classifying", len(CLASSES) + 2 * classifiers)
    with threadpool_limits(1):  # the products are small: threads wait for one another longer than they work
        return _gathered(passes, finest, lattice, labels, classifiers, watch)


def archive_groups(archive: Archive) -> tuple[BandGroup, ...]:
    """The native levels of an archive as groups to read."""

    def group_of(name: str) -> BandGroup:
        group = archive.groups[name]
        level = group.levels[0]

        def read(window: Window) -> Pixels:
            values = archive.read(level, window)
            return Pixels(values, valid_mask(values, group.has_nodata))

        return BandGroup(
            name, group.bands, level.height, level.width, group.dtype, group.crs, level.transform,
            group.has_nodata, read,
        )  # fmt: skip

    return tuple(group_of(name) for name in archive.groups)


def as_archived(original: Scene, decoded: Sequence[BandGroup]) -> Scene:
    """The scene as its archive has it: in the same groups, of bands that mean the same.

    Bands in dB have groups of their own there, unless it is an old one. What the numbers mean may have been
    given by hand when it was made: the archive knows.

    Raises:
        ArchiveError: If the archive was made of another scene.
    """
    kinds = [[(group.name, group.dtype) for group in groups] for groups in (original.groups, decoded)]
    groups = (original if kinds[0] == kinds[1] else with_decibels_apart(original)).groups
    check_grids(groups, decoded)
    pairs = zip(groups, decoded, strict=True)
    return replace(original, groups=tuple(replace(ours, bands=theirs.bands) for ours, theirs in pairs))


def check_grids(original: Sequence[BandGroup], decoded: Sequence[BandGroup]) -> None:
    """Raise ArchiveError unless both have the same groups, bands and grids."""
    names = [group.name for group in original], [group.name for group in decoded]
    if names[0] != names[1]:
        raise ArchiveError(
            f"the archive was not made from this source: it has {', '.join(names[1])}, "
            f"the source {', '.join(names[0])}"
        )
    for ours, theirs in zip(original, decoded, strict=True):
        for what, values in (
            ("bands", [" ".join(band.name for band in group.bands) for group in (ours, theirs)]),
            ("size", [f"{group.width}×{group.height} pixels" for group in (ours, theirs)]),
            ("projection", [group.crs.to_string() for group in (ours, theirs)]),
            ("number type", [str(group.dtype) for group in (ours, theirs)]),
        ):
            if values[0] != values[1]:
                raise ArchiveError(
                    f"the archive was not made from this source: the {what} of {ours.name} is {values[1]}, "
                    f"in the source {values[0]}"
                )
        if not ours.transform.almost_equals(theirs.transform, 1e-6 * abs(ours.transform.a)):
            raise ArchiveError(
                f"the archive was not made from this source: {ours.name} lies elsewhere "
                f"({theirs.transform.c:g}, {theirs.transform.f:g} instead of "
                f"{ours.transform.c:g}, {ours.transform.f:g})"
            )


class _GroupPass:
    """Figures of one group, gathered strip by strip."""

    def __init__(self, group: BandGroup, clouds: CloudClasses | None) -> None:
        self.group = group
        peaks = {peak(band) for band in group.bands}
        self.data_range = (peaks.pop() if len(peaks) == 1 else None) or _span(group)
        resolution = 1.0 if group.dtype.kind in "ui" else self.data_range / _FINENESS
        self.errors = [Errors(resolution) for _ in group.bands]
        self.structures = [Structure(self.data_range) for _ in group.bands]
        self.angles = Angles()
        self.indices = index_errors(group.bands)
        self.clouds = None if clouds is None else GroundAndClouds(group, clouds)
        self.lost = 0

    def add(self, strip: Strip, land: NDArray[np.bool_] | None, pool: ThreadPoolExecutor) -> None:
        """Count a strip; `land` (y, x) says where its core is clear land, if known."""
        self.lost += strip.lost
        core = strip.core
        if self.clouds is not None:
            self.clouds.add(strip)
        work = [pool.submit(self._add_band, index, strip, land) for index in range(len(self.group.bands))]
        if self.indices or _is_spectral(self.group):
            reference, decoded = (
                physical(values[:, core], self.group.bands) for values in (strip.reference, strip.decoded)
            )
            valid = strip.valid[:, core]
            for index in self.indices:
                index.add(reference, decoded, valid, land)
            if _is_spectral(self.group):
                everywhere: NDArray[np.bool_] = np.all(valid, axis=0)
                for rows in range(0, len(everywhere), 64):  # few at a time: doubles of all bands are large
                    part = slice(rows, rows + 64)
                    here = everywhere[part]
                    self.angles.add(reference[:, part][:, here], decoded[:, part][:, here])
        for each in work:
            each.result()

    def _add_band(self, index: int, strip: Strip, land: NDArray[np.bool_] | None) -> None:
        reference, decoded, valid = strip.reference[index], strip.decoded[index], strip.valid[index]
        here = valid[strip.core]
        self.errors[index].add(reference[strip.core][here], decoded[strip.core][here])
        self.structures[index].add(reference, decoded, valid, strip.core, land)

    def bands(self) -> list[BandFigures]:
        """Figures of the group's bands."""
        out = []
        for band, errors, structure in zip(self.group.bands, self.errors, self.structures, strict=True):
            out.append(
                BandFigures(
                    band=band.name,
                    group=self.group.name,
                    pixels=errors.count,
                    rmse=errors.rmse,
                    bias=errors.bias,
                    max_error=errors.largest if errors.count else math.nan,
                    p50=errors.percentile(50),
                    p95=errors.percentile(95),
                    p99=errors.percentile(99),
                    psnr=_psnr([errors.mse / self.data_range**2]),
                    ssim=structure.ssim,
                    ms_ssim=structure.ms_ssim,
                    edges=structure.edges,
                    texture=structure.texture,
                    unit_rmse=errors.rmse * abs(band.scale),
                )
            )
        return out

    def figures(self) -> GroupFigures:
        """Figures of the group as a whole."""
        bands = self.bands()
        return GroupFigures(
            group=self.group.name, bands=tuple(band.band for band in bands), data_range=self.data_range,
            **asdict(overall(self.errors)),
            psnr=_psnr([errors.mse / self.data_range**2 for errors in self.errors]),
            **_structural(bands),
            spectral_angle=self.angles.mean, spectral_angle_p95=self.angles.percentile(95),
            lost_pixels=self.lost,
        )  # fmt: skip


class _Finest:
    """Figures of the finest group alone, gathered strip by strip."""

    def __init__(self, group: BandGroup, perceptual: PerceptualDistance) -> None:
        self.group = group
        self.perceptual = perceptual
        self.errors = ErrorMap(group.height, group.width)
        self._places = cover.places(group.bands)

    def add(self, strip: Strip) -> NDArray[np.bool_] | None:
        """Count a strip; returns where its core is clear land, (y, x), or None if unknown."""
        kinds = None
        if self._places is not None:
            around = slice(max(strip.margin - 16, 0), strip.core.stop + 16)
            bands = [self.group.bands[index] for index in self._places]
            reflectance = physical(strip.reference[self._places, around], bands)
            valid: NDArray[np.bool_] = np.all(strip.valid[:, around], axis=0)
            kinds = cover.ground(reflectance, valid)[strip.margin - around.start :][: strip.height]
        self.errors.add(strip, kinds)
        self.perceptual.add(strip)
        return None if kinds is None else cover.is_clear_land(kinds)

    def ground(self) -> tuple[GroundFigures, ...]:
        """Kinds of ground that occur, the largest share of error first."""
        pixels = self.errors.kinds.sum(axis=(0, 1))
        squares = self.errors.kind_squares
        figures = [
            GroundFigures(
                kind.name, kind.rule, float(count / pixels.sum()), math.sqrt(square / count),
                float(square / squares.sum()) if squares.sum() else 0.0,
            )
            for kind, count, square in zip(cover.KINDS, pixels, squares, strict=True)
            if count
        ]  # fmt: skip
        return tuple(sorted(figures, key=lambda each: -each.error_share))


def _clustered(lattice: Lattice, watch: Progress) -> tuple[tuple[Clustering, ...], Angles]:
    """Classes of the sample, and its spectral angles."""
    reference, decoded = lattice.spectra()
    angles = Angles()
    if all(band.unit == "reflectance" for band in lattice.bands) and len(lattice.bands) > 1:
        for start in range(0, len(reference), 1 << 18):
            part = slice(start, start + (1 << 18))
            angles.add(reference[part].T, decoded[part].T)
    clusterings = []
    for k in CLASSES:
        found = cluster(reference, decoded, k)
        clusterings += [found] if found else []
        watch.advance()
    return tuple(clusterings), angles


def _classified(
    lattice: Lattice,
    scl: NDArray[np.int64] | None,
    clusterings: Sequence[Clustering],
    watch: Progress,
) -> list[Classification]:
    """Classifiers on the scene's own labels, else on the fewest classes found."""
    reference, decoded = lattice.spectra()
    apart = lattice.checkerboard()
    classifications: list[Classification] = []
    if scl is not None:
        classifications = classify(reference, decoded, scl[lattice.valid], apart, "SCL")
    if not classifications and clusterings:
        labels = assign(reference, clusterings[0].centroids)
        classifications = classify(reference, decoded, labels, apart, "k-means")
    watch.advance()
    return classifications


def _land(lattice: Lattice, edges: float, watch: Progress) -> LandFigures:
    """Losses of a map of fields: classes found on clear land alone."""
    reference, decoded = lattice.spectra()
    land = lattice.land[lattice.valid]
    agreement = loss = math.nan
    reference, decoded, apart = reference[land], decoded[land], lattice.checkerboard()[land]
    found = cluster(reference, decoded, CLASSES[0]) if len(reference) else None
    if found:
        agreement = found.agreement
        labels = assign(reference, found.centroids)
        scores = classify(reference, decoded, labels, apart, "k-means", ("random forest",))
        loss = scores[0].loss if scores else math.nan
    watch.advance()
    return LandFigures(float(land.mean()) if land.size else 0.0, agreement, loss, edges)


def _gathered(
    passes: Sequence[_GroupPass],
    finest: _Finest,
    lattice: Lattice,
    labels: NDArray[np.int64] | None,
    classifiers: bool,
    watch: Progress,
) -> Qualification:
    clusterings, angles = _clustered(lattice, watch)
    classifications = _classified(lattice, labels, clusterings, watch) if classifiers else []
    edges = _mean([structure.land_edges for structure in passes[0].structures])
    land = _land(lattice, edges, watch) if classifiers else LandFigures(math.nan, math.nan, math.nan, edges)
    bands = [band for each in passes for band in each.bands()]
    relative = [errors.mse / each.data_range**2 for each in passes for errors in each.errors]
    scene = SceneFigures(
        **asdict(overall([errors for each in passes for errors in each.errors])),
        psnr=_psnr(relative), **_structural(bands), spectral_angle=angles.mean,
        spectral_angle_p95=angles.percentile(95), lost_pixels=sum(each.lost for each in passes),
    )  # fmt: skip
    histograms = {
        band.name: errors.histogram()
        for each in passes
        for band, errors in zip(each.group.bands, each.errors, strict=True)
        if errors.count
    }
    return Qualification(
        scene=scene, groups=tuple(each.figures() for each in passes), bands=tuple(bands),
        indices=_one_each([index for each in passes for index in each.indices]),
        clouds=tuple(each.clouds.figures(each.data_range) for each in passes if each.clouds is not None),
        ground=finest.ground(), land=land, perceptual=finest.perceptual.result(),
        clusterings=clusterings, classifications=tuple(classifications),
        evidence=Evidence(finest.errors.rmse, finest.errors.kinds, finest.errors.filled, histograms),
    )  # fmt: skip


def _one_each(indices: Sequence[IndexErrors]) -> tuple[IndexFigures, ...]:
    """Figures of every index, of the finest group that gives it."""
    first: dict[str, IndexErrors] = {}
    for each in indices:
        first.setdefault(each.index.document.abbreviation or each.index.document.id, each)
    return tuple(
        IndexFigures(
            name, each.index.expression.bands, each.everywhere.count, each.everywhere.mae,
            each.everywhere.rmse,
            each.everywhere.bias, each.everywhere.percentile(95), each.everywhere.largest, each.land.count,
            each.land.mae, each.land.rmse, each.land.bias, each.land.percentile(95), each.fields.rmse,
        )
        for name, each in first.items()
    )  # fmt: skip


def _structural(bands: Sequence[BandFigures]) -> dict[str, Any]:
    """Means over bands."""
    names = ("ssim", "ms_ssim", "edges", "texture")
    return {name: _mean([getattr(band, name) for band in bands]) for name in names}


def _mean(values: Sequence[float]) -> float:
    """Mean of what is defined; NaN if nothing is."""
    defined = [value for value in values if math.isfinite(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def _psnr(relative: Sequence[float]) -> float:
    """PSNR in dB of bands' MSE over their squared data ranges."""
    mean = _mean(relative)
    return math.inf if mean == 0 else -10 * math.log10(mean) if mean > 0 else math.nan


def _is_spectral(group: BandGroup) -> bool:
    return len(group.bands) > 1 and all(band.unit == "reflectance" for band in group.bands)


def _span(group: BandGroup) -> float:
    """Span of the middle 99.8 % of a group's values, of some rows spread over it."""
    rows = np.linspace(0, max(0, group.height - 64), 8, dtype=int)
    pixels = [group.read(Window(int(row), 0, min(64, group.height), group.width)) for row in rows]
    values = np.concatenate([each.values[each.valid] for each in pixels])
    if not values.size:
        return 1.0
    low, high = np.percentile(values, (0.1, 99.9))
    return float(high - low) or 1.0
