"""Figures of radar against plain loops over small arrays."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.compression.points import point_targets
from comeo.quality.sar import figures
from comeo.quality.sar.cells import Cells, homogeneous
from comeo.quality.sar.points import Points, peak_lost
from comeo.quality.sar.water import SmoothedPairs, otsu, water_figures


def speckled(
    side: int = 32, looks: float = 4.4, seed: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Speckle on even ground of −10 dB, and the same less noisy: (y, x) dB each."""
    rng = np.random.default_rng(seed)
    power = 0.1 * rng.gamma(looks, 1 / looks, (side, side))
    smooth = 0.1 * (power / 0.1) ** 0.5 * rng.gamma(50, 1 / 50, (side, side))
    first, second = (np.asarray(10 * np.log10(each), np.float32) for each in (power, smooth))
    return first, second


def power_of(decibels: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(10 ** (decibels.astype(np.float64) / 10))


def decibels_of(power: float) -> float:
    return 10 * math.log10(power)


def test_bias_is_that_of_power_not_of_decibels() -> None:
    reference = np.array([[0, -20]], np.float32)
    decoded = np.array([[-3, -20]], np.float32)
    by_hand = decibels_of((10**-0.3 + 0.01) / 1.01)
    assert figures.power_bias(reference, decoded) == pytest.approx(by_hand, abs=1e-5)
    assert by_hand == pytest.approx(-2.957, abs=1e-3)
    holed = np.array([[-3, np.nan]], np.float32)
    assert figures.power_bias(reference, holed) == pytest.approx(-3, abs=1e-5)
    assert math.isnan(figures.power_bias(reference, np.full_like(decoded, np.nan)))


def test_means_of_windows_are_of_power_at_every_position() -> None:
    values, _ = speckled(12)
    values[2, 3] = np.nan
    found = figures.window_means(values, 5)
    assert found.shape == (8, 8)
    for row, col in product(range(8), repeat=2):
        window = values[row : row + 5, col : col + 5]
        if np.isnan(window).any():
            assert np.isnan(found[row, col])
        else:
            assert found[row, col] == pytest.approx(decibels_of(power_of(window).mean()), abs=1e-4)
    assert figures.window_means(values, 13).size == 0


def test_error_of_fields_is_the_mean_over_all_offsets_of_their_cells() -> None:
    reference, decoded = speckled(31)
    squares: list[float] = []
    for top, left in product(range(8), repeat=2):
        rows, cols = ((31 - offset) // 8 for offset in (top, left))
        for row, col in product(range(rows), range(cols)):
            place = (slice(top + 8 * row, top + 8 * row + 8), slice(left + 8 * col, left + 8 * col + 8))
            ours, theirs = power_of(reference[place]).mean(), power_of(decoded[place]).mean()
            squares.append((decibels_of(theirs) - decibels_of(ours)) ** 2)
    assert figures.window_rmse(reference, decoded) == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-4)
    assert math.isnan(figures.window_rmse(reference[:7], decoded[:7]))


def test_the_ratio_of_bands_by_pixel_and_by_field() -> None:
    (vv, vv_decoded), (vh, vh_decoded) = speckled(seed=1), speckled(seed=2)
    pixel = np.mean(((vv_decoded - vh_decoded) - (vv - vh)).astype(np.float64) ** 2) ** 0.5
    assert figures.difference_rmse((vv, vh), (vv_decoded, vh_decoded)) == pytest.approx(pixel, rel=1e-4)
    squares = []
    for row, col in product(range(25), repeat=2):
        place = (slice(row, row + 8), slice(col, col + 8))
        a, b, c, d = (power_of(each[place]).mean() for each in (vv, vh, vv_decoded, vh_decoded))
        squares.append((decibels_of(c / d) - decibels_of(a / b)) ** 2)
    field = figures.difference_rmse((vv, vh), (vv_decoded, vh_decoded), 8)
    assert field == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-4)


def test_edges_by_laplacians_and_by_ratios_of_averages() -> None:
    reference, decoded = speckled(20)
    pairs = []
    for row, col in product(range(1, 19), repeat=2):
        pairs.append(
            [
                4 * float(each[row, col])
                - sum(float(each[row + y, col + x]) for y, x in ((-1, 0), (1, 0), (0, -1), (0, 1)))
                for each in (reference, decoded)
            ]
        )
    beta = np.corrcoef(np.array(pairs).T)[0, 1]
    assert figures.laplacian_correlation(reference, decoded) == pytest.approx(beta, abs=1e-5)
    sums = []
    for each in map(power_of, (reference, decoded)):
        across = sum(each[row, col] / each[row, col + 1] for row, col in product(range(20), range(19)))
        down = sum(each[row, col] / each[row + 1, col] for row, col in product(range(19), range(20)))
        sums.append(across + down)
    assert figures.ratio_of_averages(reference, decoded) == pytest.approx(sums[1] / sums[0], rel=1e-4)
    assert figures.laplacian_correlation(reference, reference) == pytest.approx(1)
    assert figures.ratio_of_averages(reference, reference) == 1
    assert math.isnan(figures.laplacian_correlation(reference, np.zeros_like(reference)))


def test_structure_of_the_ratio_image() -> None:
    reference, decoded = speckled(40)
    ratio = power_of(reference) / power_of(decoded)
    pairs = np.concatenate(
        [
            np.stack([ratio[:, :-1].ravel(), ratio[:, 1:].ravel()], axis=1),
            np.stack([ratio[:-1].ravel(), ratio[1:].ravel()], axis=1),
        ]
    )
    by_hand = np.corrcoef(pairs.T)[0, 1]
    assert figures.ratio_correlation(reference, decoded) == pytest.approx(by_hand, abs=1e-5)
    wave = np.sin(np.arange(40, dtype=np.float32) / 4)  # structure that is in one version only
    assert figures.ratio_correlation(wave + 0 * reference, 0 * reference) > 0.8
    pairs_of_m = []
    for a, b in ((0, 1), (1, 0)):
        for row, col in product(range(40 - a), range(40 - b)):
            pairs_of_m.append((ratio[row, col], ratio[row + a, col + b]))
    levels = np.clip(np.rint(16 * np.array(pairs_of_m)), 0, 63)
    homogeneity = np.mean(1 / (1 + (levels[:, 0] - levels[:, 1]) ** 2))
    shuffled = np.mean([1 / (1 + (levels[:, :1] - other) ** 2) for other in levels[:, 1]])
    structure = figures.RatioStructure()
    structure.add(reference, decoded)
    assert structure.excess == pytest.approx(abs(homogeneity - shuffled) / homogeneity, rel=0.01)


def test_share_of_false_change() -> None:
    reference = np.full((32, 32), -10, np.float32)
    decoded = reference.copy()
    decoded[:, 16:] += 2.5
    expected = 12.0 / 28  # windows wholly in the brighter half; those across its border differ by less
    found = figures.changed(reference, decoded)
    across = [decibels_of((n * 10**0.25 + 5 - n) / 5) for n in range(1, 5)]
    assert found == pytest.approx(expected + sum(each > 2 for each in across) / 28)


def test_homogeneous_cells_by_hand() -> None:
    reference, decoded = speckled(64)
    reference[:16, :16] += np.linspace(-9, 9, 16, dtype=np.float32)  # a cell that is not even
    reference[20, 20] = np.nan  # one that is not whole
    cells = []
    for row, col in product(range(4), repeat=2):
        place = (slice(16 * row, 16 * row + 16), slice(16 * col, 16 * col + 16))
        ours, theirs = power_of(reference[place]), power_of(decoded[place])
        if np.isfinite(ours).all():
            cells.append((ours.std() / ours.mean(), ours, theirs))
    assert len(cells) == 15
    limit = np.percentile([variation for variation, _, _ in cells], 30)
    chosen = [(ours, theirs) for variation, ours, theirs in cells if variation <= limit]
    found = homogeneous(reference, decoded)
    assert found.count == len(chosen) == 5
    assert found.bias == pytest.approx(
        np.median([decibels_of(theirs.mean() / ours.mean()) for ours, theirs in chosen]), abs=1e-4
    )
    looks = [
        [each.mean() ** 2 / each.var() for each in (ours, theirs, ours / theirs)] for ours, theirs in chosen
    ]
    enl, decoded_enl, ratio_enl = np.median(looks, axis=0)
    assert (found.enl, found.enl_decoded, found.enl_ratio) == pytest.approx(
        (enl, decoded_enl, ratio_enl), rel=1e-4
    )
    ratios = [(ours / theirs).mean() for ours, theirs in chosen]
    assert found.mean_of_ratio == pytest.approx(np.median(ratios), rel=1e-5)
    residuals = [
        (abs(each[0] - each[2]) / each[0] + abs(1 - ratio)) / 2
        for each, ratio in zip(looks, ratios, strict=True)
    ]
    assert found.residual == pytest.approx(np.mean(residuals), rel=1e-4)
    assert math.isnan(Cells().figures().bias)


def test_speckle_of_known_looks_has_them() -> None:
    rng = np.random.default_rng(3)
    power = rng.gamma(4.4, 1 / 4.4, (512, 512))
    decibels = np.asarray(10 * np.log10(power), np.float32)
    even = np.zeros_like(decibels)
    found = homogeneous(decibels, even)
    # The cells are chosen as those that vary least, which raises their looks.
    assert found.enl == pytest.approx(4.4, rel=0.2)
    assert found.enl_ratio == pytest.approx(found.enl, rel=1e-4)  # all speckle is in the ratio
    assert found.residual < 0.05
    assert math.isinf(found.enl_decoded)


def test_points_stand_eight_decibels_above_what_surrounds_them() -> None:
    reference = np.full((40, 40), -12, np.float32)
    reference[10, 10] = -3  # 9 dB above
    reference[30, 12] = -5  # 7 dB above
    reference[25, 30:32] = -2  # its neighbour is as bright: both are the brightest
    reference[0, 39] = 0  # in the corner
    decoded = reference.copy()
    decoded[10, 10] -= 1.5
    decoded[25, 30:32] -= 3
    places = {(int(row), int(col)) for row, col in np.argwhere(point_targets(reference))}
    assert places == {(10, 10), (25, 30), (25, 31), (0, 39)}
    assert peak_lost(reference, decoded) == pytest.approx((1.5 + 3 + 3 + 0) / 4)
    strips = Points()
    strips.add(reference[:27], decoded[:27], slice(0, 20))
    strips.add(reference[13:], decoded[13:], slice(7, None))
    assert strips.count == 4
    assert strips.mean_lost == pytest.approx(1.875)
    assert math.isnan(peak_lost(decoded * 0, decoded))


def test_water_by_both_thresholds() -> None:
    rng = np.random.default_rng(5)
    reference = np.full((48, 48), -8, np.float32)
    reference[:, :20] = -21
    reference += rng.normal(0, 0.3, reference.shape).astype(np.float32)
    decoded = reference.copy()
    decoded[10:15, :20] += 12  # water that has become land
    ours, theirs = (
        np.array([[power_of(each[r : r + 5, c : c + 5]).mean() for c in range(44)] for r in range(44)])
        for each in (reference, decoded)
    )
    found = water_figures(reference, decoded)
    calm = 10**-1.5
    assert found.share == pytest.approx((ours < calm).mean())
    assert found.agreement == pytest.approx(((ours < calm) == (theirs < calm)).mean())
    first, second = (10 ** (each / 10) for each in (found.threshold, found.decoded_threshold))
    wet, still = ours < first, theirs < second
    assert found.iou == pytest.approx((wet & still).sum() / (wet | still).sum(), abs=0.002)
    assert 0.5 < found.iou < 0.9
    calm_iou = ((ours < calm) & (theirs < calm)).sum() / ((ours < calm) | (theirs < calm)).sum()
    assert found.calm_iou == pytest.approx(calm_iou)


def test_otsu_is_scikit_images() -> None:
    filters = pytest.importorskip("skimage.filters")
    rng = np.random.default_rng(8)
    values = np.concatenate([rng.normal(-20, 1.5, 4000), rng.normal(-9, 2, 9000)]).astype(np.float32)
    assert otsu(values) == pytest.approx(filters.threshold_otsu(values, nbins=2000), abs=0.15)


def test_dry_land_has_no_map_of_water() -> None:
    reference, decoded = speckled(48)
    found = water_figures(reference, decoded)
    assert found.share < 0.005
    assert math.isnan(found.iou)
    assert found.agreement > 0.99


def test_change_between_two_archives_by_simulation() -> None:
    rng = np.random.default_rng(11)
    reference = np.full((160, 1600), -10, np.float32)
    errors = [np.repeat(np.repeat(rng.normal(0, 1, (32, 320)), 5, 0), 5, 1).astype(np.float32) for _ in "ab"]
    pairs = SmoothedPairs()
    pairs.add(reference, reference + errors[0])
    first, second = (figures.window_means(reference + each, 5) for each in errors)
    assert pairs.false_change() == pytest.approx(np.mean(np.abs(first - second) > 2), abs=0.01)
    still = SmoothedPairs()
    still.add(reference, reference)
    assert still.false_change() == 0
