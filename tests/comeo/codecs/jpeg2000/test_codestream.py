"""Headerless codestreams against an independent reader: GDAL's JPEG 2000 driver."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from rasterio.io import MemoryFile

from comeo.codecs import get_codec, payload
from comeo.codecs.jpeg2000.codestream import unwrap, wrap
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import textured

SIZES = [(16, 16), (31, 40), (32, 300), (100, 64), (128, 129), (256, 256), (300, 270)]


def packets_of(height: int, width: int, bands: int) -> bytes:
    encoded = get_codec("jpeg2000").encode(textured(bands, height, width), step=30)
    body = payload.parse(encoded, 2).body
    return bytes(body[2 * bands + bands * (bands - 1) // 2 + 1 :])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("bands", [1, 3])
def test_rebuilt_headers_are_valid_for_gdal_at_full_and_half_size(size: tuple[int, int], bands: int) -> None:
    packets = packets_of(*size, bands)
    full = wrap(packets, bands, *size)
    half = wrap(packets, bands, *size, reduce=1)
    assert unwrap(full, bands, *size) == packets
    with MemoryFile(full, ext=".j2k") as file:
        with file.open() as source:
            np.testing.assert_array_equal(source.read().squeeze(), decode(full, bands))
        if min(size) >= 256:  # GDAL offers no overviews of smaller images
            with file.open(overview_level=0) as source:
                np.testing.assert_array_equal(source.read().squeeze(), decode(half, bands))


def decode(stream: bytes, bands: int) -> np.ndarray:
    decoded: np.ndarray = imagecodecs.jpeg2k_decode(stream, planar=bands > 1, numthreads=1)
    return decoded.squeeze()


def test_codestreams_of_another_kind_are_refused() -> None:
    block = np.zeros((64, 64), np.int16)
    for options in ({"resolutions": 2}, {"bitspersample": 12}, {"reversible": True}):
        stream = imagecodecs.jpeg2k_encode(block, codecformat="j2k", **options)
        with pytest.raises(CodecError, match="unexpected kind"):
            unwrap(bytes(stream), 1, 64, 64)
