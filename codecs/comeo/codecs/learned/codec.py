"""Lapped transform, symbols chosen by rate and distortion, and a learned model of their probabilities.

Encoder, decoder and format in short (docs/format/learned.md has it in full):

- Components are transformed as in the `dct` codec: 16×16 tiles with lapped borders. Some components make an
  item, four as a rule, with 256 channels each a tile; missing ones are zero. Further items share the leading
  ones (see `layout`, which the model carries).
- The channels are coded in passes (see `layout`). Before each, networks predict a mean and a scale for every
  channel from the values decoded so far, in exact integer arithmetic. A symbol is the distance from the mean;
  the scale selects the table (see `tables`) that it is coded with.
- The encoder chooses each symbol by rate and distortion; the decoder needs to know nothing of it.

A body is the model's tag (2 bytes), the energy class of each component (a byte each) and, entropy coded, an
offset of scales for each pass and the symbols. The highest bit of the first energy class says that the
block is unlike any that the model knows: all its symbols are coded, also those that it would leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.base import Block, Codec, Components
from comeo.codecs.dct.lapped import SIZE, analysis, synthesis, synthesise
from comeo.codecs.learned import engine
from comeo.codecs.learned.coding import (
    Predicted,
    choose_symbols,
    decode_pass,
    intervals,
    open_streams,
    read_offsets,
    synthesise_rows,
)
from comeo.codecs.learned.features import PEAK, UNIT, Known
from comeo.codecs.learned.layout import Layout, Plan
from comeo.codecs.learned.model import DEFAULT, TAG_BYTES, Model, by_tag, models
from comeo.codecs.learned.rans import write
from comeo.codecs.learned.tables import LARGEST, SKIPPED
from comeo.codecs.payload import Header, Parsed
from comeo.codecs.spectral import fit, fit_details
from comeo.errors import CodecError
from comeo.settings import CodecSettings, current

WORTH = 9.0  # bits that a squared step is worth; 7 to 12 measure alike

_BATCH_TILES = 1 << 10  # decoded together, 4 blocks of 256² and four bands: more would only leave the caches
_ENERGY_UNIT, _ENERGY_OFFSET = 8, 4.0
_THOROUGH = 128
_STRANGE = 4.0  # steps that a coefficient may be off before the block is coded thoroughly

Values = NDArray[np.int32]


class LearnedCodec(Codec):
    """Lapped block DCT with a learned entropy model.

    Args:
        model: Model to encode with; decoding takes the model that a payload names.
        settings: How networks are run; by default `comeo.settings.current()`, at each use.
    """

    name = "learned"
    number = 3

    def __init__(self, model: Model | None = None, settings: CodecSettings | None = None) -> None:
        self._model = model
        self._settings = settings

    @classmethod
    def customised(cls, model: Model | None, settings: CodecSettings | None) -> Self:
        """Return a codec with a model and settings of its own."""
        return cls(model, settings)

    @property
    def model(self) -> Model:
        """Model that payloads are encoded with."""
        return self._model or models()[DEFAULT]

    @property
    def settings(self) -> CodecSettings:
        """How networks are run.

        Raises:
            SettingsError: If the environment has a value that is not allowed.
        """
        return self._settings or current()

    @property
    def model_digest(self) -> str:
        """SHA-256 of that model."""
        return self.model.digest

    def _encode_values(self, values: Components, usable: NDArray[np.bool_] | None, step: float) -> bytes:
        """Try both spectral transforms, and keep what costs less: bytes, and the worth of the error."""
        transforms = {
            each.to_bytes(): each for each in (fit(values, usable), fit_details(values, step, usable))
        }
        tried, refused = [], []
        for head, transform in transforms.items():
            try:
                coded, error = self._code(transform.forward(values), step)
            except CodecError as too_large:
                refused.append(too_large)
            else:
                tried.append((8 * len(coded) + WORTH * error, head + coded))
        if not tried:
            raise refused[0]
        return min(tried)[1]

    def _code(self, components: Components, step: float) -> tuple[bytes, float]:
        """Code components; returns the bytes and the squared error, in squared steps."""
        scaled = components / np.float32(step)
        shape = tile_grid(*components.shape[1:])
        latents = _latents(scaled, shape, self.model.layout)[:, self.model.places]
        if np.abs(latents).max() >= LARGEST / 2:
            raise CodecError(f"learned cannot code values so large in steps of {step:.6g}; use a larger step")
        classes = _energy_classes(scaled)
        coded, off = _encode(self.model, self.settings, latents, classes, shape, thorough=False)
        if np.abs(off).max() > _STRANGE:
            coded, off = _encode(self.model, self.settings, latents, classes, shape, thorough=True)
            classes[0] |= _THOROUGH
        return self.model.tag + classes.tobytes() + coded, float(np.square(off).sum())

    def _decode_values(self, coded: Sequence[Parsed], reduce: int) -> list[Block]:
        """As of `Codec`, in compiled code where settings and machine allow it."""
        found: list[Block | None] = [engine.decode(item, reduce, self.settings) for item in coded]
        rest = iter(super()._decode_values([item for item, own in zip(coded, found, strict=True) if own is None], reduce))
        return [next(rest) if own is None else own for own in found]

    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        found: list[Components | None] = [None] * len(bodies)
        tags = [bytes(body[:TAG_BYTES]) for body in bodies]
        settings = self.settings
        for tag in dict.fromkeys(tags):
            model = by_tag(tag)
            for batch in _batches(model.layout, [i for i, own in enumerate(tags) if own == tag], headers):
                own_bodies, own_headers = [bodies[i][TAG_BYTES:] for i in batch], [headers[i] for i in batch]
                values = _decode(model, settings, own_bodies, own_headers)
                for place, own in zip(batch, values, strict=True):
                    found[place] = _synthesise(own, model, headers[place], reduce)
        return [components for components in found if components is not None]


def tile_grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles that cover a component."""
    return -(-height // SIZE), -(-width // SIZE)


def _latents(scaled: Components, shape: tuple[int, int], layout: Layout) -> NDArray[np.float32]:
    """Transform components: (items · tiles, channels), in steps."""
    rows, columns = shape
    count, height, width = scaled.shape
    missing = ((0, 0), (0, rows * SIZE - height), (0, columns * SIZE - width))
    coefficients = analysis(rows) @ np.pad(scaled, missing, "edge") @ analysis(columns).T
    items = layout.items(count)
    found = np.zeros((items.max() + 1, rows, columns, SIZE, SIZE), np.float32)
    found[:count] = coefficients.reshape(count, rows, SIZE, columns, SIZE).swapaxes(2, 3)
    return np.ascontiguousarray(found[items].transpose(0, 2, 3, 1, 4, 5)).reshape(-1, layout.channels)


def _synthesise(values: Values, model: Model, header: Header, reduce: int) -> Components:
    """Values (items · tiles, channels) back to components, in the data's own numbers."""
    shape = tile_grid(header.height, header.width)
    across, support = _across(shape[1], reduce)
    planes = _planes(model.layout, header.bands)
    half = synthesise_rows(values, model.places, planes, shape, across, support)
    components: Components = synthesise(half, *synthesis(shape[0], reduce), transpose=False)
    components = components[:, : -(-header.height >> reduce), : -(-header.width >> reduce)]
    components *= np.float32(header.step / UNIT)
    return components


@lru_cache(maxsize=256)
def _across(columns: int, reduce: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The inverse transform of one axis, a basis function a row, and what each reaches."""
    matrix, support = synthesis(columns, reduce)
    return np.ascontiguousarray(matrix.T), support


def _planes(layout: Layout, bands: int) -> NDArray[np.int64]:
    """The component that each of each item is decoded to, (items, components); −1: to none."""
    planes = layout.items(bands).copy()
    planes[1:, : layout.leading] = -1
    planes[planes >= bands] = -1
    return planes


def _energy_classes(scaled: Components) -> NDArray[np.uint8]:
    """log2 of each component's RMS, in eighths, as 0…127."""
    power = np.maximum(np.square(scaled, dtype=np.float64).mean((1, 2)), 1e-9)
    classes = np.rint(_ENERGY_UNIT * (0.5 * np.log2(power) + _ENERGY_OFFSET))
    return np.asarray(np.clip(classes, 0, PEAK), np.uint8)


def _spread(
    layout: Layout, classes: NDArray[np.uint8], shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Energy classes of a block for each tile, (items · tiles, components), and the tiles' leaders."""
    items, tiles = layout.items(len(classes)), shape[0] * shape[1]
    filled = np.zeros(items.max() + 1, np.uint8)
    filled[: len(classes)] = classes
    return filled[items].repeat(tiles, axis=0), np.tile(np.arange(tiles), len(items))


def _encode(
    model: Model,
    settings: CodecSettings,
    latents: NDArray[np.float32],
    classes: NDArray[np.uint8],
    shape: tuple[int, int],
    *,
    thorough: bool,
) -> tuple[bytes, NDArray[np.float64]]:
    """Code latents (tiles, channels); returns the bytes, and how far off each decodes, in steps."""
    layout = model.layout
    plan = layout.plan((shape,) * len(layout.items(len(classes))))
    known = Known(layout, *_spread(layout, classes, shape), plan)
    everywhere = np.full(len(latents), thorough)
    passes = [
        choose_symbols(layout, group, number, tiles, latents, WORTH, predicted, model.tables, known.values)
        for group, number, tiles, predicted in _predicted(model, settings, known, plan, everywhere)
    ]
    off = (latents - known.values[:-1] / UNIT).reshape(-1, shape[0] * shape[1], layout.channels)
    off *= (_planes(layout, len(classes)) >= 0)[:, None, layout.places[0]]
    return bytes(write(*intervals(layout.passes, passes, model.tables))), off


def _predicted(
    model: Model, settings: CodecSettings, known: Known, plan: Plan, thorough: NDArray[np.bool_]
) -> Iterator[tuple[int, int, NDArray[np.int64], Predicted]]:
    """Each pass's group, number in it, tiles and predictions; takes note of what the caller puts into them.

    Args:
        model: The model that predicts.
        settings: How its networks are run.
        known: The state of the decoder so far.
        plan: Its passes.
        thorough: (tiles,) where every symbol is coded.
    """
    for group in range(len(model.layout.groups)):
        active = known.active(group, thorough)
        for number, whole in enumerate(plan.steps[group]):
            step = whole.where(active)
            if len(step.tiles):
                mean, index = model.predict(group, number, known.inputs(group, step), settings)
                everything = thorough[step.tiles]
                if everything.any():
                    index[everything] = np.maximum(index[everything], SKIPPED + 1)
                yield group, number, step.tiles, (mean, index)
                known.note(group, step.tiles)
        known.share(group)


def _decode(
    model: Model, settings: CodecSettings, bodies: list[memoryview], headers: list[Header]
) -> Iterator[Values]:
    layout, total = model.layout, 0
    shapes, energies, leaders, everywhere = [], [], [], []
    for body, header in zip(bodies, headers, strict=True):
        shape = tile_grid(header.height, header.width)
        classes = np.frombuffer(body[: header.bands], np.uint8).copy()
        if len(classes) < header.bands:
            raise CodecError("the payload is cut short")
        thorough = classes[0] >= _THOROUGH
        classes[0] &= _THOROUGH - 1
        if (classes > PEAK).any():
            raise CodecError("the payload's energy classes are damaged")
        energy, leader = _spread(layout, classes, shape)
        shapes.append((shape,) * len(layout.items(header.bands)))
        energies.append(energy)
        leaders.append(leader + total)
        everywhere.append(np.full(len(energy), thorough))
        total += len(energy)
    ends = np.cumsum([len(part) for part in energies])
    stream = open_streams([body[header.bands :] for body, header in zip(bodies, headers, strict=True)])
    plan = layout.plan(tuple(shape for group in shapes for shape in group))
    known = Known(layout, np.concatenate(energies), np.concatenate(leaders), plan)
    offsets = read_offsets(layout.passes, stream)
    predictions = _predicted(model, settings, known, plan, np.concatenate(everywhere))
    for group, number, tiles, predicted in predictions:
        start, own = layout.starts[group], offsets[layout.first_passes[group] + number]
        decode_pass(tiles, ends, start, own, predicted, model.tables, known.values, stream)
    stream.check()
    return (known.values[first:last] for first, last in pairwise([0, *ends.tolist()]))


def _batches(layout: Layout, places: list[int], headers: Sequence[Header]) -> Iterator[list[int]]:
    batch: list[int] = []
    tiles = 0
    for place in places:
        header = headers[place]
        rows, columns = tile_grid(header.height, header.width)
        own = rows * columns * len(layout.items(header.bands))
        if batch and tiles + own > _BATCH_TILES:
            yield batch
            batch, tiles = [], 0
        batch.append(place)
        tiles += own
    if batch:
        yield batch
