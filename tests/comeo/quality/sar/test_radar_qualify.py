"""Qualification of whole radar scenes: strips, masks, verdicts, and none of the optical figures."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import SourceError
from comeo.quality.answers import Answer
from comeo.quality.qualify import archive_groups
from comeo.quality.sar import figures
from comeo.quality.sar.cells import homogeneous
from comeo.quality.sar.points import Points
from comeo.quality.sar.qualify import is_radar, qualify_radar
from comeo.quality.sar.results import RadarBand, RadarQualification
from comeo.quality.sar.water import SmoothedPairs, water_figures
from comeo.quality.verdict import verdicts
from comeo.scene import Band, BandGroup, Scene
from tests.scenes import array_group, array_scene, corner_cut

NAMES = ("VV", "VH")
AREAS, WATER, CHANGE, POINTS = range(4)


def radar(height: int = 600, width: int = 300, seed: int = 0) -> NDArray[np.float32]:
    """Land, a lake, speckle of 4.4 looks and some masts: VV and VH in dB."""
    rng = np.random.default_rng(seed)
    ground = gaussian_filter(rng.normal(size=(height, width)), 8)
    level = np.where(ground > 0.03, -20.0, -8.0) + 40 * gaussian_filter(rng.normal(size=(height, width)), 20)
    masts = rng.random((height, width)) < 0.001
    level[masts] = 5
    speckle = 10 * np.log10(rng.gamma(4.4, 1 / 4.4, (2, height, width)))
    values: NDArray[np.float32] = (np.stack([level, level - 7]) + speckle).astype(np.float32)
    return values


def scene_of(values: NDArray[np.float32], valid: NDArray[np.bool_] | None = None) -> Scene:
    return array_scene(array_group(values, valid, names=NAMES))


def qualified(scene: Scene, decoded: Scene | list[BandGroup]) -> RadarQualification:
    groups = decoded.groups if isinstance(decoded, Scene) else decoded
    assert is_radar(groups)
    return qualify_radar(scene, groups)


def test_strips_make_no_difference() -> None:
    values = radar()
    decoded = values + np.random.default_rng(1).normal(0.2, 0.8, values.shape).astype(np.float32)
    decoded[:, 100] -= 2
    valid = corner_cut((2, 600, 300))
    valid[1] = valid[0]
    found = qualified(scene_of(values, valid), scene_of(decoded, valid))
    ours, theirs = (np.where(valid, each, np.float32(np.nan)) for each in (values, decoded))
    for row, band in enumerate(found.bands):
        a, b = ours[row], theirs[row]
        points = Points()
        points.add(a, b, slice(None))
        smoothed = SmoothedPairs()
        smoothed.add(a, b)
        structure = figures.RatioStructure()
        structure.add(a, b)
        assert band.cells == homogeneous(a, b)
        assert (band.band, band.pixels, band.points) == (NAMES[row], np.isfinite(a).sum(), points.count)
        for ours_, theirs_ in (
            (band.bias, figures.power_bias(a, b)),
            (band.rmse, figures.rmse(a, b)),
            (band.psnr, 20 * math.log10(50 / figures.rmse(a, b))),
            (band.field_rmse, figures.window_rmse(a, b)),
            (band.edges, figures.laplacian_correlation(a, b)),
            (band.averages, figures.ratio_of_averages(a, b)),
            (band.ratio_correlation, structure.correlation),
            (band.ratio_excess, structure.excess),
            (band.points_lost, points.mean_lost),
            (band.false_change, smoothed.false_change()),
        ):
            assert ours_ == pytest.approx(theirs_, rel=1e-4)
    assert points.count > 20
    assert found.water == water_figures(ours[0], theirs[0])
    (ratio,) = found.ratios
    assert ratio.bands == NAMES
    pairs = (ours[0], ours[1]), (theirs[0], theirs[1])
    assert ratio.rmse == pytest.approx(figures.difference_rmse(*pairs), rel=1e-5)
    assert ratio.field_rmse == pytest.approx(figures.difference_rmse(*pairs, 8), rel=1e-5)


def test_equal_scenes_are_perfect() -> None:
    values = radar(300, 280)
    values[:, :20] = np.nan
    scene = scene_of(values, np.isfinite(values))
    found = qualified(scene, scene)
    for band in found.bands:
        assert (band.bias, band.rmse, band.field_rmse, band.false_change) == (0, 0, 0, 0)
        assert (band.edges, band.averages, band.cells.mean_of_ratio) == pytest.approx((1, 1, 1))
        assert (band.points_lost, band.cells.bias, band.psnr) == (0, 0, math.inf)
    assert [verdict.answer for verdict in verdicts(found)] == [Answer.YES] * 4
    assert [verdict.use for verdict in verdicts(found)] == [
        "measuring backscatter of areas", "mapping water", "comparing dates", "single pixels and points",
    ]  # fmt: skip
    assert json.loads(json.dumps(found.figures(), allow_nan=False))["kind"] == "radar"


def test_no_optical_figure_is_told_of_radar() -> None:
    values = radar(200, 200)
    found = qualified(scene_of(values), scene_of(values + np.float32(0.3)))
    text = json.dumps(found.figures()) + " ".join(
        each.use + each.sentence + each.measured for each in verdicts(found)
    )
    for word in ("ndvi", "forest", "cluster", "ssim", "lpips", "land", "spectral"):
        assert word not in text.lower()


def test_bands_that_are_no_backscatter_have_plain_errors() -> None:
    values = np.concatenate([radar(200, 200), np.full((1, 200, 200), 38, np.float32)])
    group = array_group(values, names=(*NAMES, "angle"))
    group = replace(group, bands=(*group.bands[:2], Band("angle", unit="degree")))
    (vv, vh, angle) = values + np.array([0, 0, 0.5], np.float32)[:, None, None]
    apart = [
        replace(array_group(angle[None], names=["angle"]), name="r10m", bands=group.bands[2:]),
        replace(array_group(np.stack([vv, vh]), names=NAMES), name="r10m_db"),
    ]
    found = qualified(array_scene(group), apart)
    assert [each.band for each in found.bands] == list(NAMES)
    (other,) = found.others
    assert (other.band, other.unit, other.bias, other.max_error) == ("angle", "degree", 0.5, 0.5)


def test_a_scene_without_a_valid_pixel_is_refused() -> None:
    values = np.full((2, 80, 80), np.nan, np.float32)
    scene = scene_of(values, np.zeros(values.shape, bool))
    with pytest.raises(SourceError, match="no valid pixel"):
        qualify_radar(scene, scene.groups)


def band_with(**given: float) -> RadarBand:
    values = radar(64, 64)[0]
    scene = array_scene(array_group(values[None], names=["VV"]))
    found = qualified(scene, scene).bands[0]
    cells = replace(found.cells, bias=given.pop("even", 0.0))
    return replace(found, cells=cells, points=100, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "figures_", "answer"),
    [
        (AREAS, {"bias": -0.05, "field_rmse": 0.3, "even": 0.1}, Answer.YES),
        (AREAS, {"bias": -0.051}, Answer.CARE),
        (AREAS, {"bias": 0.15, "field_rmse": 0.5, "even": -0.2}, Answer.CARE),
        (AREAS, {"bias": 0.151}, Answer.NO),
        (AREAS, {"field_rmse": 0.301}, Answer.CARE),
        (AREAS, {"field_rmse": 0.501}, Answer.NO),
        (AREAS, {"even": -0.101}, Answer.CARE),
        (AREAS, {"even": -0.201}, Answer.NO),
        (AREAS, {"even": math.nan}, Answer.YES),
        (AREAS, {"field_rmse": math.nan}, Answer.UNKNOWN),
        (CHANGE, {"false_change": 0.01, "bias": 0.15}, Answer.YES),
        (CHANGE, {"false_change": 0.011}, Answer.CARE),
        (CHANGE, {"false_change": 0.051}, Answer.NO),
        (CHANGE, {"bias": -0.31}, Answer.NO),
        (POINTS, {"rmse": 0.5, "points_lost": 0.5}, Answer.YES),
        (POINTS, {"rmse": 0.51}, Answer.CARE),
        (POINTS, {"points_lost": 1.6}, Answer.NO),
        (POINTS, {"rmse": 2.1}, Answer.NO),
    ],
)
def test_limits_of_verdicts(place: int, figures_: dict[str, float], answer: Answer) -> None:
    values = radar(64, 64)
    found = qualified(scene_of(values), scene_of(values))
    band = band_with(**figures_)
    verdict = verdicts(replace(found, bands=(band,)))[place]
    assert verdict.answer is answer
    assert bool(verdict.measured) is (answer is not Answer.UNKNOWN)
    if answer is not Answer.UNKNOWN:  # the worst band decides
        assert verdicts(replace(found, bands=(found.bands[1], band)))[place].answer is answer


@pytest.mark.parametrize(
    ("iou", "calm", "answer", "words"),
    [
        (0.95, 0.2, Answer.YES, "Otsu's threshold, −16.0 dB"),
        (0.94, 1.0, Answer.CARE, "95"),
        (0.84, 1.0, Answer.NO, ""),
        (math.nan, 0.96, Answer.YES, "below −15 dB"),
        (math.nan, math.nan, Answer.UNKNOWN, ""),
    ],
)
def test_water_is_judged_by_its_own_threshold_where_there_is_one(
    iou: float, calm: float, answer: Answer, words: str
) -> None:
    values = radar(128, 128)
    found = qualified(scene_of(values), scene_of(values))
    assert found.water is not None
    water = replace(found.water, iou=iou, calm_iou=calm, threshold=-16)
    verdict = verdicts(replace(found, water=water))[WATER]
    assert verdict.answer is answer
    if answer is Answer.YES:
        assert words in verdict.measured
    without = verdicts(replace(found, water=None))[WATER]
    assert without.answer is Answer.UNKNOWN


def test_an_archive_against_its_source(tmp_path: Path) -> None:
    values = radar(320, 300)
    scene = scene_of(values)
    path = compress(scene, tmp_path / "radar.zarr.zip", step=6, codec="dct")
    with open_archive(path) as archive:
        found = qualified(scene, list(archive_groups(archive)))
        stated = archive.power
    assert stated is not None
    for band in found.bands:
        own = stated[band.band]
        assert own.bias is not None
        assert own.rmse_8 is not None
        assert band.bias == pytest.approx(own.bias, abs=0.005)
        # One offset of the cells instead of all.
        assert band.field_rmse == pytest.approx(own.rmse_8, rel=0.2)
        assert abs(band.bias) < 0.05
