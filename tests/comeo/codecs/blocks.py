"""Blocks for the codecs' tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from comeo.codecs import get_codec
from comeo.errors import CodecError

CODECS = ("dct", "jpeg2000", "learned")


def textured(
    bands: int, height: int, width: int, seed: int = 0, dtype: str = "uint16", contrast: float = 600.0
) -> NDArray[Any]:
    """Correlated bands with structure at all scales, around 2000 (uint16) or −12 (float32)."""
    rng = np.random.default_rng(seed)
    detail = [gaussian_filter(rng.normal(size=(height, width)), sigma) * sigma for sigma in (0.7, 2, 6, 15)]
    common = sum(detail, np.zeros((height, width)))
    gains = rng.uniform(0.4, 1.5, bands)
    own = gaussian_filter(rng.normal(size=(bands, height, width)), (0, 1, 1))
    block = contrast * (gains[:, None, None] * common + 0.3 * own)
    if dtype == "uint16":
        return np.asarray(np.clip(np.rint(block + 2000), 1, 65534), np.uint16)
    return np.asarray(block / 100 - 12, np.float32)


def decoded(
    name: str, payload: bytes, *, reduce: int = 0, reference: NDArray[np.float32] | None = None
) -> NDArray[Any] | None:
    """What a damaged payload decodes to, a well-formed block; None if it is refused with a sentence."""
    try:
        block = get_codec(name).decode(payload, reduce=reduce, reference=reference)
    except CodecError as error:
        assert str(error)
        return None
    assert block.ndim == 3
    assert block.dtype in (np.uint16, np.float32)
    assert block.size <= 1 << 22
    return block


def backscatter(bands: int, height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Decibels of fields under speckle of 4.4 looks, a few of them bright."""
    random = np.random.default_rng(seed)
    fields = np.kron(random.normal(-14, 3, (height // 24 + 1, width // 24 + 1)), np.ones((24, 24)))
    power = 10 ** (fields[:height, :width] / 10) * random.gamma(4.4, 1 / 4.4, (bands, height, width))
    power[random.random(power.shape) < 0.002] *= 100
    return np.asarray(10 * np.log10(power) - 6 * np.arange(bands)[:, None, None], np.float32)
