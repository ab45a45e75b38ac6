"""Histograms of bands against numpy's own percentiles, in the archive and out of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from comeo.archive import histogram, open_archive
from comeo.archive.histogram import BAND_BYTES, PERCENTAGES
from comeo.compression import compress
from comeo.errors import NotFoundError
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import array_group, array_scene, corner_cut, landscape

U2, F4 = np.dtype(np.uint16), np.dtype(np.float32)


def coded(values: NDArray[Any], valid: NDArray[np.bool_]) -> str:
    """Counted in two parts, as blocks are."""
    total = np.zeros(1 << 16, np.int64)
    for part in (slice(None, 3), slice(3, None)):
        histogram.add(total, histogram.count(values[part], valid[part]))
    return histogram.encode([(total, values.dtype)])


def expected(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.percentile(values, PERCENTAGES, method="inverted_cdf"), np.float64)


@settings(deadline=None)
@given(hnp.arrays(np.uint16, st.integers(1, 60)), st.randoms(use_true_random=False))
def test_integers_are_exact(values: NDArray[np.uint16], chance: Any) -> None:
    valid = np.array([chance.random() < 0.8 for _ in values])
    (found,) = histogram.decode(coded(values, valid), [U2])
    kept = values[valid & (values != 65535)]
    if not kept.size:
        assert found is None
    else:
        assert found is not None
        np.testing.assert_array_equal(found.values, expected(kept))


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-(2.0**126), 2.0**126, width=32)))
def test_floats_are_within_their_upper_half(values: NDArray[np.float32]) -> None:
    (found,) = histogram.decode(coded(values, np.ones(values.shape, bool)), [F4])
    assert found is not None
    np.testing.assert_allclose(found.values, expected(values), rtol=2**-7, atol=1e-38)


def test_percentiles_between_are_interpolated() -> None:
    values = np.arange(101, dtype=np.uint16)
    (found,) = histogram.decode(coded(values, np.ones(101, bool)), [U2])
    assert found is not None
    assert found.percentile(2) == pytest.approx(2, abs=1)
    assert found.percentile(60) == pytest.approx(60, abs=1)
    for outside in (-1, 100.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 100"):
            found.percentile(outside)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_an_archive_states_where_the_originals_lie(tmp_path: Path, dtype: type) -> None:
    values = landscape(2, 300, 300, dtype=dtype)
    valid = corner_cut(values.shape)
    scene = array_scene(array_group(values, valid, names=["B04", "B08"]))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=0.5)) as archive:
        for index, name in enumerate(("B04", "B08")):
            found = archive.histogram(name)
            assert found is not None
            np.testing.assert_allclose(found.values, expected(values[index][valid[index]]), rtol=2**-7)
            percentiles = archive.info()["groups"]["r10m"]["percentiles"][name]
            assert percentiles["50"] == found.percentile(50)
        with pytest.raises(NotFoundError, match="no band B99"):
            archive.histogram("B99")


def test_a_small_archive_has_none(tmp_path: Path) -> None:
    scene = array_scene(array_group(landscape(12, 16, 16)))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=200.0)) as archive:
        assert archive.histogram("B01") is None
        assert archive.info()["groups"]["r10m"]["percentiles"]["B01"] is None


DESCENDING = np.arange(13, dtype="<u2")[::-1].tobytes()
PARTLY = np.array([*range(12), 65535], "<u2").tobytes()


@pytest.mark.parametrize("wrong", [b"", bytes(BAND_BYTES - 1), bytes(BAND_BYTES + 1), DESCENDING, PARTLY])
def test_damaged_histograms_are_named(tmp_path: Path, wrong: bytes) -> None:
    scene = array_scene(array_group(landscape(1, 64, 64)))
    path = compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=200.0)
    text = base64.b64encode(wrong).decode()
    change_document(path, "zarr.json", put("attributes", "comeo", "histograms", value=text))
    with open_archive(path) as archive:
        assert archive.histogram("B01") is None
        assert "damaged histograms" in archive.damaged["histograms"]
    change_document(path, "zarr.json", put("attributes", "comeo", "histograms", value="<b>"))
    with open_archive(path) as archive:
        assert archive.info()["groups"]["r10m"]["percentiles"] == {"B01": None}
        assert "not Base64" in archive.info()["damaged"]["histograms"]
