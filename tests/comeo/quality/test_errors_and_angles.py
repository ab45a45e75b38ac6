"""Moments and percentiles of errors, spectral angles and indices against NumPy."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.quality.distortion import Errors, overall
from comeo.quality.indices import index_errors
from comeo.quality.spectral import Angles, spectral_angle
from comeo.scene import Band


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 65_535)), min_size=1, max_size=200),
    st.floats(0.1, 100),
)
def test_whole_numbers_are_counted_exactly(pairs: list[tuple[int, int]], share: float) -> None:
    reference, decoded = np.array(pairs, np.uint16).T
    errors = Errors()
    for part in (slice(0, 7), slice(7, None)):
        errors.add(reference[part], decoded[part])
    difference = decoded.astype(int) - reference
    assert errors.rmse == pytest.approx(math.sqrt(np.mean(difference**2)))
    assert errors.bias == pytest.approx(difference.mean())
    assert errors.mae == pytest.approx(np.abs(difference).mean())
    assert errors.largest == np.abs(difference).max()
    expected = np.percentile(np.abs(difference), share, method="inverted_cdf")
    assert errors.percentile(share) == expected


def test_other_numbers_have_percentiles_to_the_resolution() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(-12, 3, 5000).astype(np.float32)
    decoded = (reference + rng.normal(0.5, 1, 5000)).astype(np.float32)
    errors = Errors(resolution=0.001)
    errors.add(reference, decoded)
    difference = decoded.astype(float) - reference
    assert errors.rmse == pytest.approx(np.sqrt(np.mean(difference**2)))
    assert errors.percentile(95) == pytest.approx(np.percentile(np.abs(difference), 95), abs=0.01)


def test_a_known_shift_and_known_noise() -> None:
    reference = np.full(200_000, 1000, np.uint16)
    shift = Errors()
    shift.add(reference, reference + np.uint16(30))
    assert (shift.rmse, shift.bias, shift.percentile(50), shift.largest) == (30, 30, 30, 30)
    noise = Errors()
    noise.add(
        reference, np.rint(reference + np.random.default_rng(1).normal(0, 50, 200_000)).astype(np.uint16)
    )
    assert noise.rmse == pytest.approx(50, rel=0.01)
    assert noise.percentile(95) == pytest.approx(1.96 * 50, rel=0.02)


def test_the_histogram_holds_every_error() -> None:
    errors = Errors()
    reference = np.full(10_001, 5000, np.uint16)
    errors.add(reference, np.concatenate([reference[:1] - np.uint16(5000), reference[1:] + np.uint16(3)]))
    edges, counts = errors.histogram()
    assert counts.sum() == 10_001
    assert counts[0] == 1
    middle = (edges[:-1] + edges[1:]) / 2
    assert abs(middle[np.argmax(counts)] - 3) <= edges[1] - edges[0]


def test_bands_weigh_the_same_however_many_pixels_they_have() -> None:
    rng = np.random.default_rng(3)
    original = rng.integers(2000, 4000, (2, 4000)).astype(np.uint16)
    decoded = (original + rng.integers(-90, 90, original.shape) * [[1], [3]]).astype(np.uint16)
    large, small, twice = Errors(), Errors(), Errors()
    large.add(original[0], decoded[0])
    small.add(original[1, :1000], decoded[1, :1000])
    for quarter in np.split(np.tile(np.arange(1000), 4), 4):
        twice.add(original[1, quarter], decoded[1, quarter])
    found = overall([large, small])
    assert asdict(found) == pytest.approx(asdict(overall([large, twice])), rel=1e-12)
    difference = np.concatenate(
        [decoded[0] - original[0].astype(int)] + 4 * [(decoded[1] - original[1].astype(int))[:1000]]
    )
    assert found.rmse == pytest.approx(np.sqrt(np.mean(difference**2)))
    assert found.bias == pytest.approx(difference.mean())
    assert found.max_error == np.abs(difference).max()
    for share, value in ((50, found.p50), (95, found.p95), (99, found.p99)):
        assert value == np.percentile(np.abs(difference), share, method="inverted_cdf")
    assert overall([large]).p95 == large.percentile(95)
    decibels = Errors(0.01)
    decibels.add(np.array([1.0]), np.array([1.5]))
    assert all(math.isnan(value) for value in asdict(overall([large, decibels])).values())
    assert all(math.isnan(value) for value in asdict(overall([Errors()])).values())
    assert overall([large, Errors()]) == overall([large])


def test_nothing_is_nan() -> None:
    assert all(math.isnan(each) for each in (Errors().rmse, Errors().bias, Errors().percentile(95)))
    assert math.isnan(Angles().mean)
    assert math.isnan(Angles().percentile(95))


def test_angles_are_those_of_vectors() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.01, 0.5, (2, 6, 1000))
    cosine = (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    np.testing.assert_allclose(spectral_angle(a, b), np.degrees(np.arccos(cosine)), atol=1e-6)
    assert spectral_angle(np.array([[1.0], [0]]), np.array([[0.0], [2]]))[0] == pytest.approx(90)
    assert spectral_angle(a, 3 * a).max() == pytest.approx(0, abs=1e-6)
    assert np.isnan(spectral_angle(a[:, :1], np.zeros((6, 1))))[0]


def test_angles_gather() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.01, 0.5, (2, 4, 1000)).astype(np.float32)
    angles = Angles()
    angles.add(a[:, :300], b[:, :300])
    angles.add(a[:, 300:], b[:, 300:])
    expected = spectral_angle(a, b)
    assert angles.mean == pytest.approx(expected.mean())
    assert angles.percentile(95) == pytest.approx(np.percentile(expected, 95), abs=0.2)


BANDS = tuple(Band(name, 1e-4, -0.1, "reflectance") for name in ("B03", "B04", "B08"))


def test_ndvi_errors_against_numpy() -> None:
    rng = np.random.default_rng(4)
    reference = rng.uniform(0.03, 0.5, (3, 40, 48)).astype(np.float32)
    decoded = (reference + rng.normal(0, 0.01, reference.shape)).astype(np.float32)
    valid = np.ones(reference.shape, bool)
    valid[1, :5] = False
    land = np.zeros((40, 48), bool)
    land[8:24] = True
    ndvi, ndwi = index_errors(BANDS)
    assert (ndvi.index.document.abbreviation, ndwi.index.document.abbreviation) == ("NDVI", "NDWI")
    assert ndvi.index.expression.bands == ("B08", "B04")
    ndvi.add(reference, decoded, valid, land)
    before, after = ((x[2] - x[1]) / (x[2] + x[1]) for x in (reference.astype(float), decoded.astype(float)))
    error = after - before
    assert ndvi.everywhere.count == 35 * 48
    assert ndvi.everywhere.mae == pytest.approx(np.abs(error[5:]).mean(), abs=1e-4)
    assert ndvi.everywhere.rmse == pytest.approx(np.sqrt((error[5:] ** 2).mean()), abs=1e-6)
    assert ndvi.land.bias == pytest.approx(error[8:24].mean(), abs=1e-6)
    means = error[8:24].reshape(2, 8, 6, 8).mean(axis=(1, 3))
    assert ndvi.fields.rmse == pytest.approx(np.sqrt((means**2).mean()), abs=1e-6)


def test_an_index_of_darkness_is_nought_and_dark_pixels_do_not_count() -> None:
    (ndvi, _) = index_errors(BANDS)
    pairs = np.array([[[0, -0.1, 0.2]], [[0, 0, -0.1]]], np.float32)
    assert ndvi.index.evaluate(pairs).tolist() == [[[0, 0, 1]]]
    dark = np.full((3, 8, 8), 0.005, np.float32)
    ndvi.add(dark, dark * 3, np.ones(dark.shape, bool), None)
    assert ndvi.everywhere.count == 0


def test_radar_has_no_indices() -> None:
    assert index_errors((Band("VV", unit="dB"), Band("VH", unit="dB"))) == []
