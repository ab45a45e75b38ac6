"""Block DCT of the components, dead-zone quantisation, zig-zag, zero run-length and canonical Huffman codes.

Encoder, decoder and format in short (docs/format/dct.md has it in full):

- A component is transformed in tiles of 16×16 with lapped borders (see `lapped`). The tiles' DC coefficients
  form a plane of their own, which is transformed once more by a DCT of its whole size. Its low frequencies,
  which means of areas are made of, have finer steps: see `dc_shares`.
- Each tile, and each DC plane, has one of a few classes, which select the Huffman tables for it. A class is
  coded given the classes of the tiles to the left and above and of the same tile one component before; empty
  tiles amid empty ones as runs.
- A tile's coefficients follow in zig-zag order as (run of zeros, magnitude) symbols, their table also
  selected by the zone of frequencies that the run starts in.
- The encoder picks levels and classes by rate and distortion together; the decoder needs to know nothing of
  it.

Tables and reconstruction points were fitted to training scenes (training.huffman_tables) and never
change.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.base import Codec, Components
from comeo.codecs.dct.huffman import frozen_tables
from comeo.codecs.dct.layout import MAX_LEVEL, dc_zones, zones
from comeo.codecs.dct.plan import plan
from comeo.codecs.dct.read import OK, SPARE_BYTES, read
from comeo.codecs.dct.write import write
from comeo.codecs.ground import Mask, Shares
from comeo.codecs.lapped import (
    SIZE,
    analysis,
    dct_matrix,
    scan_order,
    synthesis,
    synthesise,
    tile_grid,
)
from comeo.codecs.payload import FINE_MEANS, Header
from comeo.codecs.spectral import fit
from comeo.errors import CodecError

LAMBDA: Final = 0.12  # squared steps a bit is worth; 0.09 to 0.15 measure alike
DC_LAMBDA: Final = 0.06  # of the tiles' means: those over many tiles gain 5 % of RMSE, for 0.005 dB

Plane = NDArray[np.float32]


class DctCodec(Codec):
    """Lapped block DCT with frozen Huffman tables."""

    name = "dct"
    number = 1
    flags = FINE_MEANS

    def _encode_values(
        self, values: Components, parts: Sequence[Mask | None], step: float, shares: Shares | None
    ) -> bytes:
        """As of `Codec`, with the spectral transform that promises to cost less, by their effort."""
        if shares is None or len(parts) == 1:
            return super()._encode_values(values, parts, step, shares)
        transforms = [fit(values, part) for part in parts]
        components = [each.forward(values) for each in transforms]
        efforts = [_effort(transform(own, step)[0], shares) for own in components]
        best = int(np.argmin(efforts))
        return transforms[best].to_bytes() + self._encode_components(components[best], step, shares)

    def _encode_components(self, components: Components, step: float, shares: Shares | None) -> bytes:
        tiles, dc = transform(components, step)
        if max(np.abs(tiles).max(), np.abs(dc).max()) >= MAX_LEVEL:
            raise CodecError(f"dct cannot code values so large in steps of {step:.6g}; use a larger step")
        tables = frozen_tables()
        zone, dc_zone = zones(tiles.shape[-1]), dc_zones(dc.shape[1])
        planned = plan(
            tiles, dc, tables.cost, tables.skip_cost, tables.offsets, zone, dc_zone, LAMBDA, DC_LAMBDA,
            np.ones(tiles.shape[1:3]) if shares is None else shares,
        )  # fmt: skip
        histogram = np.zeros(tables.lengths.shape, np.int64)
        return bytes(write(*planned, zone, dc_zone, tables.codes, tables.lengths, histogram))

    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        read = [_read(body, header) for body, header in zip(bodies, headers, strict=True)]
        return [
            _inverse(coefficients, dc, header, reduce)
            for (coefficients, dc), header in zip(read, headers, strict=True)
        ]


def transform(components: Components, step: float) -> tuple[Plane, Plane]:
    """Transform components (components, y, x), in units of the step.

    Returns:
        Tiles (components, rows, columns, SIZE² − 1) in zig-zag order without their DC, and the transform of
        the DC plane (components, rows · columns) in its zig-zag order and by `dc_shares` of the step.
    """
    count = len(components)
    rows, columns = tile_grid(*components.shape[1:])
    missing = (
        (0, 0),
        (0, rows * SIZE - components.shape[1]),
        (0, columns * SIZE - components.shape[2]),
    )
    padded = np.pad(components, missing, "symmetric" if min(components.shape[1:]) >= SIZE else "edge")
    coefficients = analysis(rows) @ padded @ analysis(columns).T
    coefficients /= np.float32(step)
    tiles = coefficients.reshape(count, rows, SIZE, columns, SIZE).swapaxes(2, 3)
    dc = dct_matrix(rows) @ tiles[..., 0, 0] @ dct_matrix(columns).T / dc_shares(rows, columns)
    order, dc_order = _tile_scan(), scan_order(rows, columns)
    ac = tiles[..., order[:, 0], order[:, 1]]
    return np.ascontiguousarray(ac), dc[:, dc_order[:, 0], dc_order[:, 1]].astype(np.float32)


def _effort(tiles: Plane, shares: Shares) -> float:
    """About what coding tiles will cost: the sum of their magnitudes, each at most a step as it counts."""
    counts = np.sqrt(shares).astype(np.float32)[:, :, None]
    return float(np.minimum(np.abs(tiles) * counts, 1).sum(dtype=np.float64))


@lru_cache(maxsize=64)
def dc_shares(rows: int, columns: int) -> Plane:
    """Share of the step that each coefficient of a DC plane is quantised with.

    The mean of an area of n×n tiles is made of the plane's lowest 1/n of frequencies along either axis. A
    quarter of the step below a quarter of them, half of it below half, makes 0.45 of the RMSE of means of
    64×64 pixels and 0.64 of 32×32, for 1.1 % of bytes at ×100; half the step throughout 0.55 and 0.56 for
    2.1 %.

    Returns:
        (rows, columns), powers of two: products with them are exact.
    """
    place = np.maximum(np.arange(rows)[:, None] / rows, np.arange(columns) / columns)
    return np.where(place < 0.25, 0.25, np.where(place < 0.5, 0.5, 1)).astype(np.float32)


@lru_cache(maxsize=1)
def _tile_scan() -> NDArray[np.int64]:
    return np.ascontiguousarray(scan_order(SIZE, SIZE)[1:])


@lru_cache(maxsize=64)
def _dc_scan(rows: int, columns: int) -> NDArray[np.int64]:
    order = scan_order(rows, columns)
    return np.ascontiguousarray(order[:, 1] * rows + order[:, 0])


def _read(body: memoryview, header: Header) -> tuple[Plane, Plane]:
    """Decode a payload's coefficients: (components, x, y) without DC, and the DC plane transformed."""
    rows, columns = tile_grid(header.height, header.width)
    tables, scan = frozen_tables(), _tile_scan()
    buffer = np.zeros(len(body) + SPARE_BYTES, np.uint8)
    buffer[: len(body)] = np.frombuffer(body, np.uint8)
    coefficients = np.zeros((header.bands, columns * SIZE, rows * SIZE), np.float32)
    dc = np.zeros((header.bands, columns * rows), np.float32)
    status = read(
        buffer, 8 * len(body), zones(len(scan)), dc_zones(rows * columns), scan, _dc_scan(rows, columns),
        tables.offsets, tables.lookup, np.float32(header.step), coefficients, dc,
    )  # fmt: skip
    if status != OK:
        raise CodecError("the payload's coefficients are damaged")
    planes = dc.reshape(header.bands, columns, rows)
    if header.flags & FINE_MEANS:
        planes *= dc_shares(rows, columns).T
    return coefficients, planes


def _inverse(coefficients: Plane, dc: Plane, header: Header, reduce: int) -> Components:
    rows, columns = tile_grid(header.height, header.width)
    for size in (columns, rows):
        dc = synthesise(dc, *_dc_synthesis(size))
    coefficients[:, ::SIZE, ::SIZE] = dc
    half = synthesise(coefficients, *synthesis(columns, reduce))
    components: Components = synthesise(half, *synthesis(rows, reduce), transpose=False)
    return components[:, : -(-header.height >> reduce), : -(-header.width >> reduce)]


@lru_cache(maxsize=64)
def _dc_synthesis(size: int) -> tuple[Plane, NDArray[np.int64]]:
    matrix = np.ascontiguousarray(dct_matrix(size).T, np.float32)
    return matrix, np.tile(np.array([0, size], np.int64), (size, 1))
