"""Block DCT, dead-zone quantisation and entropy coding of the components."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, dctn

from comeo.codecs.base import Codec, Components
from comeo.codecs.payload import Header
from comeo.errors import CodecError

_SIZE = 16
_DEAD_ZONE = 0.3


class DctCodec(Codec):
    """Block DCT."""

    name = "dct"
    number = 1

    def _encode_components(self, components: Components, step: float) -> bytes:
        coefficients = dctn(_to_blocks(components), axes=(-2, -1), norm="ortho") / step
        levels = np.sign(coefficients) * np.floor(np.abs(coefficients) + 0.5 - _DEAD_ZONE / 2)
        if np.abs(levels).max() >= 1 << 30:
            raise CodecError("the step is too small for values so large")
        planes = levels.astype("<i4").reshape(-1, _SIZE * _SIZE).T
        return zlib.compress(np.ascontiguousarray(planes).view(np.uint8).reshape(-1, 4).T.tobytes(), 9)

    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        return [_decode_one(body, header, reduce) for body, header in zip(bodies, headers, strict=True)]


def _decode_one(body: memoryview, header: Header, reduce: int) -> Components:
    rows, cols = -(-header.height // _SIZE), -(-header.width // _SIZE)
    count = header.bands * rows * cols * _SIZE * _SIZE
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(body, 4 * count + 1)
    except zlib.error as error:
        raise CodecError(f"the payload's coefficients are damaged: {error}") from error
    if len(data) != 4 * count or not inflater.eof:
        raise CodecError("the payload's coefficients have the wrong size")
    levels = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(4, -1).T).view("<i4")
    shape = (header.bands, rows, cols, _SIZE, _SIZE)
    coefficients = levels.reshape(_SIZE * _SIZE, -1).T.reshape(shape).astype(np.float32) * header.step
    inverse = _reduced_inverse(reduce)
    pixels = inverse @ coefficients @ inverse.T
    size = _SIZE >> reduce
    pixels = pixels.swapaxes(2, 3).reshape(header.bands, rows * size, cols * size)
    return pixels[:, : -(-header.height >> reduce), : -(-header.width >> reduce)]


def _reduced_inverse(reduce: int) -> NDArray[np.float32]:
    """Inverse DCT followed by the mean of each 2^reduce samples, as one matrix (samples, frequencies)."""
    inverse = dct(np.eye(_SIZE), axis=0, norm="ortho").T
    return inverse.reshape(_SIZE >> reduce, 1 << reduce, _SIZE).mean(axis=1).astype(np.float32)


def _to_blocks(components: Components) -> Components:
    """(components, y, x) to (components, rows, columns, size, size), edges replicated."""
    bands, height, width = components.shape
    padded = np.pad(components, ((0, 0), (0, -height % _SIZE), (0, -width % _SIZE)), "edge")
    return padded.reshape(bands, padded.shape[1] // _SIZE, _SIZE, -1, _SIZE).swapaxes(2, 3)
