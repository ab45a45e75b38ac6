"""A whole qualification: synthetic scenes whose errors are known, real ones, and what is refused."""

from __future__ import annotations

import json
import math
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from sklearn.cluster import KMeans

import comeo
from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import ArchiveError, SourceError
from comeo.metrics import band_mse, psnr
from comeo.quality import cover
from comeo.quality.answers import Answer
from comeo.quality.crops import choose_crops, window_means
from comeo.quality.labels import scene_labels
from comeo.quality.lattice import Lattice
from comeo.quality.qualify import archive_groups, qualify
from comeo.quality.sar.results import RadarQualification
from comeo.quality.spots import choose_spots, class_names
from comeo.quality.thematic import assign, classify, cluster
from comeo.quality.verdict import verdicts
from comeo.scene import ClassRaster, ClassSource, Scene, Window
from comeo.sources import open_source
from tests.scenes import UTM32, array_classes, array_group, array_scene, corner_cut, landscape

FINE = ("B02", "B03", "B04", "B08")
COARSE = ("B8A", "B12")


def fields(seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """600×440 pixels of four bands at 10 m and 300×220 of two at 20 m: vegetation and bare ground."""
    texture = landscape(6, 600, 440, seed).astype(float) - 2000
    means = np.array([1500, 1700, 1600, 3500, 3600, 2800])[:, None, None]
    values = np.clip(means + 0.4 * texture, 1100, 9000).astype(np.uint16)
    values[3, :200] += 1500
    return values[:4], values[4:, ::2, ::2].copy()


def scene_of(fine: NDArray[Any], coarse: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Scene:
    corner = Affine(20, 0, 472_480, 0, -20, 5_257_490)
    return array_scene(
        array_group(fine, valid, names=FINE), array_group(coarse, names=COARSE, transform=corner)
    )


def test_equal_scenes_are_perfect() -> None:
    scene = scene_of(*fields())
    found = qualify(scene, scene.groups)
    assert (found.scene.rmse, found.scene.psnr, found.scene.lost_pixels) == (0, math.inf, 0)
    for name in ("ssim", "ms_ssim", "edges", "texture"):
        assert getattr(found.scene, name) == pytest.approx(1, abs=1e-7), name
    assert found.scene.spectral_angle == 0
    assert [each.agreement for each in found.clusterings] == [1, 1]
    assert [each.loss for each in found.classifications] == [0, 0]
    assert {each.name: each.max_error for each in found.indices} == {"NDVI": 0, "NDWI": 0, "NBR": 0}
    assert [each.answer for each in verdicts(found)] == [Answer.YES, Answer.YES]
    figures = json.loads(json.dumps(found.figures(), allow_nan=False))
    assert figures["scene"]["psnr"] is None
    assert figures["scene"]["rmse"] == 0
    assert figures["perceptual"] == {
        "lpips": None,
        "tiles": 0,
        "missing": "the weights of LPIPS were not given",
    }


def test_known_noise_has_known_figures_and_spoils_the_verdict() -> None:
    fine, coarse = fields()
    rng = np.random.default_rng(7)
    noisy = [np.rint(each + rng.normal(40, 200, each.shape)).astype(np.uint16) for each in (fine, coarse)]
    scene, other = scene_of(fine, coarse), scene_of(noisy[0], noisy[1])
    found = qualify(scene, other.groups)
    for band in found.bands:
        assert band.rmse == pytest.approx(math.hypot(40, 200), rel=0.02)
        assert band.bias == pytest.approx(40, abs=3)
    expected = np.concatenate([band_mse(a, b) for a, b in zip((fine, coarse), noisy, strict=True)])
    np.testing.assert_allclose([band.rmse**2 for band in found.bands], expected, rtol=1e-9)
    assert found.groups[0].psnr == pytest.approx(psnr(fine, noisy[0]))
    assert found.scene.psnr == pytest.approx(10 * math.log10(1e8 / expected.mean()))
    assert found.groups[0].edges < 0.9
    mapping, measuring = verdicts(found)
    assert (mapping.answer, measuring.answer) == (Answer.NO, Answer.NO)
    ndvi = found.index("NDVI")
    assert ndvi is not None
    assert f"{100 * found.land.loss:.0f} more of 100 pixels wrong" in mapping.measured
    assert f"{ndvi.land_rmse:.3f} in a single pixel, by {ndvi.field_rmse:.3f} in" in measuring.measured


def test_masked_pixels_never_count() -> None:
    fine, coarse = fields()
    valid = corner_cut((4, 600, 440))
    rng = np.random.default_rng(7)
    noisy = np.rint(fine + rng.normal(0, 60, fine.shape)).astype(np.uint16)
    results = []
    for garbage in (0, 60_000):
        ours, theirs = np.where(valid, fine, garbage), np.where(valid, noisy, 60_000 - garbage)
        scene = scene_of(ours.astype(np.uint16), coarse, valid)
        other = scene_of(theirs.astype(np.uint16), coarse, valid)
        results.append(qualify(scene, other.groups).figures())
    assert results[0] == results[1]
    assert results[0]["bands"][0]["pixels"] == np.count_nonzero(valid[0])


def test_values_that_are_gone_are_counted() -> None:
    fine, coarse = fields()
    valid = np.ones(fine.shape, bool)
    holes = valid.copy()
    holes[:, 100:110, 50:60] = False
    found = qualify(scene_of(fine, coarse, valid), scene_of(fine, coarse, holes).groups)
    assert found.scene.lost_pixels == 400
    assert found.scene.rmse == 0


def test_other_grids_are_refused_in_one_sentence() -> None:
    fine, coarse = fields()
    scene = scene_of(fine, coarse)
    first, second = scene.groups
    for wrong, words in (
        ((first,), "it has r10m, the source r10m, r20m"),
        ((replace(first, height=599), second), "the size of r10m is 440×599 pixels"),
        ((replace(first, bands=first.bands[::-1]), second), "the bands of r10m is B08 B04 B03 B02"),
        ((replace(first, transform=first.transform @ Affine.translation(1, 0)), second), "lies elsewhere"),
    ):
        with pytest.raises(ArchiveError, match="not made from this source") as caught:
            qualify(scene, wrong)
        assert words in str(caught.value)


def test_a_scene_without_a_valid_pixel_is_refused() -> None:
    nothing = np.zeros((4, 80, 80), np.uint16)
    scene = array_scene(array_group(nothing, np.zeros(nothing.shape, bool), names=FINE))
    with pytest.raises(SourceError, match="no valid pixel"):
        qualify(scene, scene.groups)


def test_radar_has_other_figures(tmp_path: Path) -> None:
    source = tmp_path / "radar.tif"
    values = landscape(1, 200, 180, dtype=np.float32)
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "height": 200, "width": 180}
    with rasterio.open(
        source, "w", **profile, crs=UTM32, transform=Affine(10, 0, 472_480, 0, -10, 5_257_490)
    ) as target:
        target.write(values)
        target.descriptions = ["VV"]
    with open_source(source, unit="dB") as scene:
        path = compress(scene, tmp_path / "radar.zarr.zip", step=2, codec="dct")
        found = comeo.qualify(path, scene)
    assert isinstance(found, RadarQualification)
    assert [band.band for band in found.bands] == ["VV"]


def test_k_means_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(0, 0.5, (4000, 5)).astype(np.float32)
    decoded = (reference + rng.normal(0, 0.03, reference.shape)).astype(np.float32)
    found = cluster(reference, decoded, 8)
    assert found is not None
    model = KMeans(8, n_init=1, init=found.centroids, max_iter=1).fit(reference)
    model.cluster_centers_ = found.centroids.copy()
    np.testing.assert_array_equal(assign(decoded, found.centroids), model.predict(decoded))
    assert found.agreement == np.mean(model.predict(reference) == model.predict(decoded))
    assert found.confusion.sum() == 4000
    assert np.trace(found.confusion) / 4000 == pytest.approx(found.agreement)
    assert cluster(np.ones((100, 3), np.float32), np.ones((100, 3), np.float32), 8) is None


def test_classifiers_lose_what_noise_takes() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 1000)
    reference = (labels[:, None] * 0.2 + rng.normal(0, 0.02, (2000, 3))).astype(np.float32)
    apart = np.arange(2000) % 2 == 0
    for spoilt, low, high in ((reference, -1e-9, 1e-9), (reference[::-1], 0.9, 1.0)):
        for each in classify(reference, spoilt, labels, apart, "SCL"):
            assert each.original > 0.98
            assert low <= each.loss <= high
    assert classify(reference, reference, np.zeros(2000, int), apart, "SCL") == []


def test_classifying_warns_of_nothing() -> None:
    """Threads of a forest emptied the list of filters, which they share, for one another and for good."""
    rng = np.random.default_rng(0)
    reference = rng.random((4000, 3)).astype(np.float32)
    labels, apart = (reference[:, 0] > 0.5).astype(np.int64), np.arange(4000) % 2 == 0
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with warnings.catch_warnings(record=True) as told:
            for _ in range(4):
                classify(reference, reference, labels, apart, "SCL", ("random forest",))
    finally:
        sys.setswitchinterval(interval)
    assert [str(each.message) for each in told] == []


def test_ground_is_told_by_its_rules() -> None:
    spectra = {
        "cloud, snow or ice": (0.6, 0.6, 0.6, 0.6), "water": (0.06, 0.05, 0.04, 0.02),
        "vegetation": (0.03, 0.06, 0.04, 0.4), "bare or sparse ground": (0.1, 0.15, 0.2, 0.25),
        "shadow or very dark": (0.02, 0.02, 0.02, 0.05),
    }  # fmt: skip
    for name, spectrum in spectra.items():
        assert cover.kind_of_spectrum(np.array(spectrum)) == name
    area = (
        np.broadcast_to(np.array(spectra["vegetation"])[:, None, None], (4, 40, 40)).astype(np.float32).copy()
    )
    area[:, :, 20:] = 0.6
    kinds = cover.ground(area, np.ones((40, 40), bool))
    names = [cover.KINDS[kind].name for kind in kinds[20]]
    assert names == ["vegetation"] * 15 + ["cloud edge"] * 10 + ["cloud, snow or ice"] * 15
    checkered = np.full((4, 40, 40), 0.2, np.float32)
    checkered[2, ::2] = 0.4
    town = cover.KINDS[cover.ground(checkered, np.ones((40, 40), bool))[20, 20]].name
    assert town == "town, road or rough ground"


def test_worst_places_are_where_the_error_is() -> None:
    fine, coarse = fields()
    spoilt = fine.copy()
    spoilt[:, 320:544, 64:288] += np.random.default_rng(0).integers(0, 300, (4, 224, 224), dtype=np.uint16)
    scene, other = scene_of(fine, coarse), scene_of(spoilt, coarse)
    found = qualify(scene, other.groups)
    crops = choose_crops(found.evidence, scene.groups, other.groups)
    worst = next(crop for crop in crops if crop.title.startswith("The worst"))
    assert worst.window == Window(320, 64, 224, 224)
    kinds = cover.ground(
        (fine[[0, 1, 2, 3], 320:544, 64:288] * 1e-4 - 0.1).astype(np.float32), np.ones((224, 224), bool)
    )
    shares = {kind.name: float(np.mean(kinds == number)) for number, kind in enumerate(cover.KINDS)}
    assert worst.ground
    assert all(share == pytest.approx(shares[kind], abs=0.03) for kind, share in worst.ground)
    assert [share for _, share in worst.ground] == sorted((share for _, share in worst.ground), reverse=True)
    np.testing.assert_allclose(worst.reference[0], fine[0, 320:544, 64:288] * 1e-4 - 0.1, atol=1e-6)
    np.testing.assert_allclose(
        worst.reference[4, ::2, ::2], coarse[0, 160:272, 32:144] * 1e-4 - 0.1, atol=1e-6
    )
    clustering = found.clustering(8)
    assert clustering is not None
    spots = choose_spots(worst, clustering, class_names(clustering, tuple(b.name for b in worst.bands)))
    assert spots
    assert all((spot.reference == worst.reference[:, spot.row, spot.col]).all() for spot in spots)


def test_places_are_found_beside_a_part_without_data() -> None:
    """Rounding in running means left squares below 0 there, whose root was asked for."""
    rows, cols = np.mgrid[:40, :60]
    plane = np.where(cols < 30 + rows % 7, 1e4 * (1 + np.sin(rows * cols) ** 2) / 3, 0.0)
    means = window_means(plane, (7, 7))
    assert means.shape == (34, 54)
    assert means.min() == 0
    assert means[3, 4] == pytest.approx(plane[3:10, 4:11].mean())


def test_a_real_archive_against_its_source(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "scenes" / "S2_UTM37N_12bands_30m.tif"
    scene = open_source(source)
    path = compress(scene, tmp_path / "lake.zarr.zip", ratio=50)
    with open_archive(path) as archive:
        groups = archive_groups(archive)
        found = qualify(scene, groups)
        for ours, theirs, figures in zip(scene.groups, groups, found.groups, strict=True):
            window = Window(0, 0, ours.height, ours.width)
            expected = psnr(ours.read(window).values, theirs.read(window).values, ours.read(window).valid)
            assert figures.psnr == pytest.approx(expected)
    assert {each.labels for each in found.classifications} == {"k-means"}
    scene.close()


def test_labels_come_from_the_scene_classification(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comeo.quality.labels._STRIP_PIXELS", 100_000)
    folder = shared_data / "scenes" / "S2A_29RKH_20200219_0_L2A"
    with open_source(folder) as scene:
        finest = scene.groups[0]
        lattice = Lattice(scene.groups, max_points=10_000)
        labels = scene_labels(scene, lattice)
    with open_source(folder / f"{folder.name}.json") as item:
        again = scene_labels(item, lattice)
    assert labels is not None
    np.testing.assert_array_equal(labels, again)
    rows, cols = np.meshgrid(lattice.rows + 0.5, lattice.cols + 0.5, indexing="ij")
    x, y = finest.transform @ (cols.ravel(), rows.ravel())
    with rasterio.open(folder / "SCL.tif") as classes:
        expected = np.array([value[0] for value in classes.sample(zip(x, y, strict=True))], int)
    np.testing.assert_array_equal(labels.ravel(), np.where(expected < 2, -1, expected))
    assert len(np.unique(labels)) > 2


def test_without_a_scene_classification_there_are_no_labels(caplog: pytest.LogCaptureFixture) -> None:
    plain = scene_of(*fields())
    lattice = Lattice(plain.groups, max_points=10_000)
    assert scene_labels(plain, lattice) is None
    elsewhere = array_classes(np.ones((40, 40), np.uint8), crs=CRS.from_epsg(32633))

    def unreadable() -> ClassRaster:
        raise SourceError("the SCL of plain cannot be read")

    for classes, said in (
        (elsewhere, "another projection"),
        (ClassSource("SCL", unreadable), "cannot be read"),
    ):
        assert scene_labels(replace(plain, classes=classes), lattice) is None
        assert said in caplog.text
