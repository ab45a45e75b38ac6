"""Lapped transform, symbols chosen by rate and distortion, and a learned model of their probabilities.

Encoder, decoder and format in short (docs/archive-format.md has it in full):

- Components are transformed as in the `dct` codec: 16×16 tiles with lapped borders. Four components make an
  item of 1024 channels a tile; missing ones are zero.
- The channels' symbols are coded in passes (see `layout`). Before each, networks predict a mean and a scale
  for every symbol from those decoded so far, in exact integer arithmetic; these select the table (see
  `tables`) that the symbol is coded with.
- The encoder chooses each symbol by rate and distortion; the decoder needs to know nothing of it.

A body is the model's tag (2 bytes), the energy class of each component (a byte each) and the coded symbols.
The highest bit in the byte of an item's first component tells that its last group has no symbols at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.base import Codec, Components
from comeo.codecs.dct.lapped import SIZE, analysis, synthesis, synthesise
from comeo.codecs.learned.coding import Recorded, decode_pass, encode_pass, open_streams, synthesise_rows
from comeo.codecs.learned.features import PEAK, Context, neighbours_of_pass
from comeo.codecs.learned.layout import CHANNELS, COMPONENTS, STARTS, Pass, passes
from comeo.codecs.learned.model import DEFAULT, TAG_BYTES, Model, by_tag, models
from comeo.codecs.learned.rans import write
from comeo.codecs.learned.tables import LARGEST
from comeo.codecs.payload import Header
from comeo.errors import CodecError

WORTH = 9.0  # bits that a squared step is worth; 7 to 12 measure alike
BORDER_WORTH = 1.0  # times that in the outermost tiles, where no neighbour evens errors out

_BATCH_TILES = 1 << 10  # decoded together, 4 blocks of 256² and four bands: more would only leave the caches
_ENERGY_UNIT, _ENERGY_OFFSET = 8, 4.0
_LAST_ABSENT = 128

Symbols = NDArray[np.int32]


class LearnedCodec(Codec):
    """Lapped block DCT with a learned entropy model.

    Args:
        model: What to encode with; decoding takes the model that a payload names.
    """

    name = "learned"
    number = 3

    def __init__(self, model: Model | None = None) -> None:
        self._model = model

    @property
    def model(self) -> Model:
        """What payloads are encoded with."""
        return self._model or models()[DEFAULT]

    @property
    def model_digest(self) -> str:
        """SHA-256 of that model."""
        return self.model.digest

    def _encode_components(self, components: Components, step: float) -> bytes:
        scaled = components / np.float32(step)
        shape = tile_grid(*components.shape[1:])
        latents = _latents(scaled, shape)[:, self.model.order]
        if np.abs(latents).max() >= LARGEST / 2:
            raise CodecError(f"learned can't code values so large in steps of {step:.6g}; use a larger step")
        classes = _energy_classes(scaled)
        absent, coded = _encode(self.model, latents, classes, shape)
        classes[::COMPONENTS] |= absent * _LAST_ABSENT
        return self.model.tag + classes.tobytes() + coded

    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        found: list[Components | None] = [None] * len(bodies)
        tags = [bytes(body[:TAG_BYTES]) for body in bodies]
        for tag in dict.fromkeys(tags):
            model = by_tag(tag)
            for batch in _batches([place for place, own in enumerate(tags) if own == tag], headers):
                symbols = _decode(model, [bodies[i][TAG_BYTES:] for i in batch], [headers[i] for i in batch])
                for place, own in zip(batch, symbols, strict=True):
                    found[place] = _synthesise(own, model.order, headers[place], reduce)
        return [components for components in found if components is not None]


def tile_grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles that cover a component."""
    return -(-height // SIZE), -(-width // SIZE)


def _items(bands: int) -> int:
    return -(-bands // COMPONENTS)


def _latents(scaled: Components, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Transform components: (items · tiles, CHANNELS), in steps."""
    rows, columns = shape
    count, height, width = scaled.shape
    items = _items(count)
    padded = np.zeros((items * COMPONENTS, rows * SIZE, columns * SIZE), np.float32)
    missing = ((0, 0), (0, rows * SIZE - height), (0, columns * SIZE - width))
    padded[:count] = np.pad(scaled, missing, "edge")
    coefficients = analysis(rows) @ padded @ analysis(columns).T
    split = coefficients.reshape(items, COMPONENTS, rows, SIZE, columns, SIZE)
    return np.ascontiguousarray(split.transpose(0, 2, 4, 1, 3, 5), np.float32).reshape(-1, CHANNELS)


def _synthesise(symbols: Symbols, order: NDArray[np.int64], header: Header, reduce: int) -> Components:
    """Symbols (items · tiles, CHANNELS) back to components, in the data's own numbers."""
    shape = tile_grid(header.height, header.width)
    across, support = synthesis(shape[1], reduce)
    half = synthesise_rows(symbols, order, shape, header.bands, np.ascontiguousarray(across.T), support)
    components = synthesise(half, *synthesis(shape[0], reduce)).swapaxes(1, 2)
    components = components[:, : -(-header.height >> reduce), : -(-header.width >> reduce)]
    return components * np.float32(header.step)


def _energy_classes(scaled: Components) -> NDArray[np.uint8]:
    """log2 of each component's RMS, in eighths, as 0…127."""
    power = np.maximum(np.square(scaled, dtype=np.float64).mean((1, 2)), 1e-9)
    classes = np.rint(_ENERGY_UNIT * (0.5 * np.log2(power) + _ENERGY_OFFSET))
    return np.asarray(np.clip(classes, 0, PEAK), np.uint8)


def _spread(classes: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Energy classes (components,) for each tile: (items · tiles, COMPONENTS)."""
    filled = np.zeros(_items(len(classes)) * COMPONENTS, np.uint8)
    filled[: len(classes)] = classes
    spread: NDArray[np.uint8] = filled.reshape(-1, COMPONENTS).repeat(shape[0] * shape[1], axis=0)
    return spread


def _encode(
    model: Model, latents: NDArray[np.float32], classes: NDArray[np.uint8], shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], bytes]:
    """Code latents; returns for each item whether its last group is left out, and the bytes."""
    energy = _spread(classes, shape)
    symbols = np.zeros((len(latents) + 1, CHANNELS), np.int32)
    recorded = Recorded()
    items = _items(len(classes))
    worth = np.tile(_worth(shape), items)
    plan = passes((shape,) * items)
    context = Context(symbols, energy, plan[-1][0].around)

    def code(group: int, number: int, step: Pass) -> Recorded:
        mean, index = model.predict(
            group, number, context.of_pass(group, step), neighbours_of_pass(group, step, symbols)
        )
        return encode_pass(step.tiles, STARTS[group], latents, worth, mean, index, model.tables, symbols)

    for group, steps in enumerate(plan[:-1]):
        for number, step in enumerate(steps):
            recorded += code(group, number, step)
        context.add(group)
    absent = np.zeros(items, np.uint8)
    fine = slice(STARTS[-1], None)
    for item, tiles in enumerate(np.split(plan[-1][0].tiles, items)):
        found = code(len(plan) - 1, 0, plan[-1][0].of(tiles))
        kept, exact = symbols[tiles, fine], latents[tiles, fine]
        saved = (worth[tiles, None] * (np.square(exact) - np.square(exact - kept))).sum()
        if saved > found.bits:
            recorded += found
        else:
            symbols[tiles, fine] = 0
            absent[item] = 1
    return absent, bytes(write(*recorded.intervals()))


def _worth(shape: tuple[int, int]) -> NDArray[np.float32]:
    worth = np.full(shape, WORTH * BORDER_WORTH, np.float32)
    worth[1:-1, 1:-1] = WORTH
    return worth.ravel()


def _decode(model: Model, bodies: list[memoryview], headers: list[Header]) -> Iterator[Symbols]:
    shapes, energies, present = [], [], []
    for body, header in zip(bodies, headers, strict=True):
        shape = tile_grid(header.height, header.width)
        classes = np.frombuffer(body[: header.bands], np.uint8).copy()
        if len(classes) < header.bands:
            raise CodecError("the payload is cut short")
        has_last = classes[::COMPONENTS] < _LAST_ABSENT
        classes[::COMPONENTS] &= _LAST_ABSENT - 1
        if (classes > PEAK).any():
            raise CodecError("the payload's energy classes are damaged")
        shapes.append((shape,) * _items(header.bands))
        energies.append(_spread(classes, shape))
        present.append(has_last.repeat(shape[0] * shape[1]))
    energy = np.concatenate(energies)
    ends = np.cumsum([len(part) for part in energies])
    symbols = np.zeros((len(energy) + 1, CHANNELS), np.int32)
    stream = open_streams([body[header.bands :] for body, header in zip(bodies, headers, strict=True)])
    plan = passes(tuple(shape for group in shapes for shape in group))
    context = Context(symbols, energy, plan[-1][0].around)
    last = plan[-1][0].of(np.flatnonzero(np.concatenate(present)))
    for group, steps in enumerate((*plan[:-1], (last,))):
        for number, step in enumerate(steps):
            features = context.of_pass(group, step)
            mean, index = model.predict(group, number, features, neighbours_of_pass(group, step, symbols))
            decode_pass(step.tiles, ends, STARTS[group], mean, index, model.tables, symbols, stream)
        context.add(group)
    stream.check()
    return (symbols[first:last] for first, last in pairwise([0, *ends.tolist()]))


def _batches(places: list[int], headers: Sequence[Header]) -> Iterator[list[int]]:
    batch: list[int] = []
    tiles = 0
    for place in places:
        header = headers[place]
        rows, columns = tile_grid(header.height, header.width)
        own = rows * columns * _items(header.bands)
        if batch and tiles + own > _BATCH_TILES:
            yield batch
            batch, tiles = [], 0
        batch.append(place)
        tiles += own
    if batch:
        yield batch
