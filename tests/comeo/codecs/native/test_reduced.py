"""A read at a reduced size leaves out fine groups: it stays near the mean of all pixels."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from comeo.codecs import get_codec, payload
from comeo.codecs.learned import models
from comeo.codecs.learned.model import DEFAULT, TAG_BYTES
from comeo.codecs.spectral import SpectralTransform


@cache
def blocks(data: Path, bands: tuple[int, ...]) -> list[np.ndarray[Any, Any]]:
    with rasterio.open(data / "scenes" / "S2A_20190530_T32TMT_L2A_10bands.tif") as file:
        scene: np.ndarray[Any, Any] = file.read(bands)
    return [scene[:, y : y + 256, x : x + 256] for y, x in ((256, 256), (0, 512))]


def means(values: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    bands, height, width = values.shape
    cells = values.reshape(bands, height // size, size, width // size, size)
    return np.asarray(cells.mean((2, 4), np.float64))


@pytest.mark.parametrize("bands", [(1, 2, 3, 7), tuple(range(1, 11))])
@pytest.mark.parametrize("step", [300.0, 600.0, 1200.0, 2400.0])
def test_a_reduced_read_is_the_mean_of_the_whole(
    shared_data: Path, bands: tuple[int, ...], step: float
) -> None:
    """Within a quarter of the RMSE of means of so many pixels, and of what the law says: step / (√12 · n)."""
    codec, squares = get_codec("learned"), defaultdict(list)
    for block in blocks(shared_data, bands):
        coded = codec.encode(block, step=step)
        whole = codec.decode(coded)
        for reduce in (1, 2, 3):
            wanted = means(whole, 1 << reduce)
            squares[reduce].append(np.square(codec.decode(coded, reduce=reduce) - wanted).mean())
            squares[-reduce].append(np.square(means(block, 1 << reduce) - wanted).mean())
    for reduce in (1, 2, 3):
        off, error = np.sqrt(np.mean(squares[reduce])), np.sqrt(np.mean(squares[-reduce]))
        assert off <= 0.25 * min(error, step / np.sqrt(12) / (1 << reduce)), (reduce, off, error)


def test_fine_groups_are_left_out_where_a_tile_has_few_bytes(shared_data: Path) -> None:
    model, codec, block = models()[DEFAULT], get_codec("learned"), blocks(shared_data, (1, 2, 3, 7))[0]

    def read(step: float) -> list[int]:
        parsed = payload.parse(codec.encode(block, step=step), codec.number)
        rest = SpectralTransform.from_bytes(parsed.body, 4)[1][TAG_BYTES:]
        return [model.groups_read(reduce, parsed.header, rest) for reduce in range(4)]

    assert read(50.0) == [13, 13, 13, 13]
    assert read(1000.0) == [13, 13, 10, 13]
    assert read(1600.0) == [13, 13, 10, 8]
    assert read(3000.0) == [13, 10, 7, 6]


def test_what_is_left_out_is_not_even_looked_at(shared_data: Path) -> None:
    codec, block = get_codec("learned"), blocks(shared_data, (1, 2, 3, 7))[0]
    coded = bytearray(codec.encode(block, step=3000.0))
    sound = codec.decode(bytes(coded), reduce=3)
    coded[-2] ^= 255
    np.testing.assert_array_equal(codec.decode(bytes(coded), reduce=3), sound)


def test_a_thorough_block_is_read_whole() -> None:
    model = models()[DEFAULT]
    header = payload.Header(3, 0, 4, 256, 256, 100.0)
    assert model.groups_read(3, header, memoryview(bytes([60] * 90))) == 6
    assert model.groups_read(3, header, memoryview(bytes([188] * 90))) == 13
