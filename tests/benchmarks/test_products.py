"""Bytes at equal PSNR: how ratios are met, and what is compared."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("imageio_ffmpeg")

from benchmarks.rate_distortion import equal, products, x265
from benchmarks.rate_distortion.equal import AtRatio, Coded, Peer, next_step
from benchmarks.rate_distortion.products import Row, products_table, saving
from benchmarks.rate_distortion.singles import Single, singles_table

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@given(power=st.floats(-1.3, -0.7), ratio=st.floats(20, 400))
def test_a_ratio_is_met_on_any_curve_of_bytes(power: float, ratio: float) -> None:
    tried = []

    def code(step: float) -> Coded:
        tried.append(step)
        return Coded([round(5e7 * step**power), 1000], [1.0, 1.0])

    raw = round(ratio * (5e7 * 900**power + 1000))
    assert sum(AtRatio(raw, code).at_ratio(ratio).bytes) == pytest.approx(raw / ratio, rel=0.03)
    assert len(tried) <= 8


@given(
    sizes=st.dictionaries(st.floats(1, 1e4), st.floats(3, 12), min_size=2, max_size=6),
    target=st.floats(3, 12),
)
def test_a_step_never_runs_away(sizes: dict[float, float], target: float) -> None:
    step = next_step(sizes, target)
    assert step is not None
    nearest = min(abs(size - target) for size in sizes.values())
    assert any(abs(math.log(step / known)) <= 3 * nearest + 1e-9 for known in sizes)


def test_the_peer_s_bytes_lie_on_its_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up x265 whose bytes halve with each 6 dB: its bytes at any PSNR are known."""

    def code(block: NDArray[np.float64], quality: float) -> tuple[int, NDArray[np.float64]]:
        error = 10 ** (-quality / 20)
        return round(1e6 * 2 ** (quality / 6)), block + error

    monkeypatch.setattr(x265, "code", code)
    peer = Peer([np.zeros((1, 2, 2)), np.zeros((1, 2, 2))])
    for psnr in (31.3, 45.0, 38.2):
        quality = psnr - 80
        assert peer.bytes_at(psnr) == pytest.approx(2e6 * 2 ** (quality / 6), rel=1e-3)
    with pytest.raises(ValueError, match="no quality"):
        peer.bytes_at(200.0)


def test_a_saving_is_of_both_groups_together() -> None:
    rows = [
        Row("a", "fields", "one", ratio, 99.0, group, size, 40.0, peer)
        for ratio in equal.RATIOS
        for group, size, peer in (("r10m", 80, 100.0), ("r20m", 30, 50.0))
    ]
    assert saving(rows[:2]) == pytest.approx(110 / 150 - 1)
    worse = [row._replace(product="b", bytes=row.bytes * 2) for row in rows]
    table = products_table([*rows, *worse])
    assert "| a | fields | -26.7 % |" in table
    assert "| **mean** | | +10.0 % |" in table
    assert "| **worst** | | +46.7 % |" in table


def test_blocks_are_summed_up_by_set() -> None:
    rows = [
        Single(name, number, "one", 100, size, 40.0, 100.0)
        for name, number, size in (("a", 0, 90), ("a", 1, 110), ("b", 2, 70))
    ]
    table = singles_table(rows)
    assert "| a | 2 | +0.0 % |" in table
    assert "| **mean** | 3 | -10.0 % |" in table
    assert "| **worst** | 3 | +10.0 % |" in table


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")
@pytest.mark.parametrize("product", products.PRODUCTS, ids=lambda product: product.name)
def test_groups_of_a_product_lie_on_one_ground(product: products.Product) -> None:
    fine, coarse = products.read_product(DATA, product).groups
    assert [band.name for band in fine.bands] == [*products.FINE]
    assert [band.name for band in coarse.bands] == [*products.COARSE]
    assert (fine.height, fine.width) == (product.side, product.side)
    assert (coarse.height, coarse.width) == (product.side // 2, product.side // 2)
    for corner in ((0, 0), (1, 1)):
        one, other = (
            group.transform @ (corner[0] * group.width, corner[1] * group.height) for group in (fine, coarse)
        )
        assert one == pytest.approx(other, rel=1e-12)
