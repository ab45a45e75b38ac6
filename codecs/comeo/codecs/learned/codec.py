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

from comeo.codecs.base import Block, Codec, Coded, Components
from comeo.codecs.ground import Mask, Shares
from comeo.codecs.lapped import synthesis, synthesise, tile_grid
from comeo.codecs.learned import engine
from comeo.codecs.learned.coding import decode_pass, open_streams, read_offsets, synthesise_rows
from comeo.codecs.learned.encoder import THOROUGH, WORTH, encode, prepare
from comeo.codecs.learned.features import PEAK, UNIT, Known
from comeo.codecs.learned.layout import Layout
from comeo.codecs.learned.model import DEFAULT, TAG_BYTES, Model, by_tag, models, require
from comeo.codecs.learned.passes import output_components, predicted_passes, tile_classes
from comeo.codecs.payload import Header
from comeo.codecs.spectral import fit, fit_details
from comeo.errors import CodecError
from comeo.settings import CodecSettings, current

_BATCH_TILES = 1 << 10  # decoded together, 4 blocks of 256² and four bands: more would only leave the caches
_ALIKE = 1.002  # efforts that differ by less say nothing

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

    def require(self, digest: str) -> None:
        """See `Codec.require`."""
        require(digest)

    def _encode_values(
        self, values: Components, parts: Sequence[Mask | None], step: float, shares: Shares | None
    ) -> bytes:
        """Code with the spectral transform that promises to cost less: bytes, and the worth of the error.

        Where two promise the same, try both, and keep what did.
        """
        fitted = ((fit(values, part), fit_details(values, step, part)) for part in parts)
        transforms = {each.to_bytes(): each for pair in fitted for each in pair}
        prepared, refused = {}, []
        for head, transform in transforms.items():
            try:
                prepared[head] = prepare(self.model, transform.forward(values), step, shares)
            except CodecError as too_large:
                refused.append(too_large)
        if not prepared:
            raise refused[0]
        most = _ALIKE * min(each.effort for each in prepared.values())
        tried = []
        for head, each in prepared.items():
            if each.effort <= most:
                coded, error = encode(self.model, self.settings, each)
                tried.append((8 * len(coded) + WORTH * error, head + coded))
        return min(tried)[1]

    @property
    def in_batches(self) -> bool:
        """Of networks that run elsewhere than in compiled code."""
        return engine.library_of(self.settings) is None

    def _decode_values(self, coded: Sequence[Coded], reduce: int) -> list[Block]:
        """As of `Codec`, in compiled code where settings and machine allow it."""
        found: list[Block | None] = [engine.decode(item, reduce, self.settings) for item in coded]
        left = [item for item, own in zip(coded, found, strict=True) if own is None]
        rest = iter(super()._decode_values(left, reduce))
        return [next(rest) if own is None else own for own in found]

    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        found: list[Components | None] = [None] * len(bodies)
        settings = self.settings
        alike: dict[tuple[Model, int], list[int]] = {}
        for place, (body, header) in enumerate(zip(bodies, headers, strict=True)):
            model = by_tag(bytes(body[:TAG_BYTES]))
            alike.setdefault((model, model.groups_read(reduce, header, body[TAG_BYTES:])), []).append(place)
        for (model, groups), places in alike.items():
            for batch in _batches(model.layout, places, headers):
                own_bodies, own_headers = [bodies[i][TAG_BYTES:] for i in batch], [headers[i] for i in batch]
                values = _decode(model, settings, own_bodies, own_headers, groups)
                for place, own in zip(batch, values, strict=True):
                    found[place] = _synthesise(own, model, headers[place], reduce)
        return [components for components in found if components is not None]


def _synthesise(values: Values, model: Model, header: Header, reduce: int) -> Components:
    """Values (items · tiles, channels) back to components, in the data's own numbers."""
    shape = tile_grid(header.height, header.width)
    across, support = _across(shape[1], reduce)
    planes = output_components(model.layout, header.bands)
    half = synthesise_rows(values, model.places, planes, shape, across, support)
    components: Components = synthesise(half, *synthesis(shape[0], reduce), transpose=False)
    components = components[:, : -(-header.height >> reduce), : -(-header.width >> reduce)]
    if reduce == 0 and model.filter is not None:
        model.filter.apply(components)
    components *= np.float32(header.step / UNIT)
    return components


@lru_cache(maxsize=256)
def _across(columns: int, reduce: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The inverse transform of one axis, a basis function a row, and what each reaches."""
    matrix, support = synthesis(columns, reduce)
    return np.ascontiguousarray(matrix.T), support


def _decode(
    model: Model, settings: CodecSettings, bodies: list[memoryview], headers: list[Header], groups: int
) -> Iterator[Values]:
    """Values of a batch of payloads, from the first groups of each; others are zero, and are not read."""
    layout, total = model.layout, 0
    shapes, energies, leaders, everywhere = [], [], [], []
    for body, header in zip(bodies, headers, strict=True):
        shape = tile_grid(header.height, header.width)
        classes = np.frombuffer(body[: header.bands], np.uint8).copy()
        if len(classes) < header.bands:
            raise CodecError("the payload is cut short")
        thorough = classes[0] >= THOROUGH
        classes[0] &= THOROUGH - 1
        if (classes > PEAK).any():
            raise CodecError("the payload's energy classes are damaged")
        energy, leader = tile_classes(layout, classes, shape)
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
    predictions = predicted_passes(model, settings, known, plan, np.concatenate(everywhere), groups)
    for group, number, tiles, predicted in predictions:
        start, own = layout.starts[group], offsets[layout.first_passes[group] + number]
        decode_pass(tiles, ends, start, own, predicted, model.quantiser, model.tables, known.values, stream)
    stream.check(whole=groups == len(layout.groups))
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
