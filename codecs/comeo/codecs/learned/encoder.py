"""The encoder: components to the body of a payload."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.base import Components
from comeo.codecs.ground import Shares
from comeo.codecs.lapped import SIZE, analysis, tile_grid
from comeo.codecs.learned.coding import Chosen, intervals
from comeo.codecs.learned.features import PEAK, UNIT
from comeo.codecs.learned.layout import Layout
from comeo.codecs.learned.model import Model
from comeo.codecs.learned.passes import begin_passes, output_components
from comeo.codecs.learned.rans import write
from comeo.codecs.learned.tables import LARGEST
from comeo.codecs.learned.trellis import Chooser, Payload, Rules, Spreading
from comeo.errors import CodecError
from comeo.settings import CodecSettings

WORTH = 9.0
"""Bits that a squared step is worth, 1/λ: near the slope of uniform quantisation, 6 / ln 2, and what models
learn with. 7 takes 0.7 % more bytes, 11.5 makes means 3 % worse."""
THOROUGH = 128  # in the first energy class: all symbols are coded
ENERGY_UNIT, ENERGY_OFFSET = 8, 4.0

_FEW = 64  # pixels below which a block is coded thoroughly: what is left out of a tile falls on few of them
_STRANGE = 4.0  # steps that a coefficient may be off before the block is coded thoroughly


class Passes(NamedTuple):
    """What an encoder chose.

    Attributes:
        chosen: Symbols of each pass that codes any.
        off: (items, tiles, channels) how far off each coefficient decodes, in steps.
        shares: (tiles,) that squared errors count.
    """

    chosen: list[Chosen]
    off: NDArray[np.float64]
    shares: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Squared error as it counts, in squared steps."""
        return float((np.square(self.off).sum(axis=(0, 2)) * self.shares).sum())

    @property
    def strange(self) -> bool:
        """Whether coefficients are too far off, in tiles that count in full."""
        full = self.off[:, self.shares == 1]
        return bool(np.abs(full).max(initial=0) > _STRANGE)


class Prepared(NamedTuple):
    """Components ready to be coded.

    Attributes:
        latents: (items · tiles, channels), in steps.
        classes: (components,) energy classes.
        shape: Rows and columns of tiles.
        shares: (tiles,) that the squared error of each tile counts.
        effort: What coding will cost, so far as that can be told without: comparable between transforms of
            the same block alone.
        pixels: Of a component.
    """

    latents: NDArray[np.float32]
    classes: NDArray[np.uint8]
    shape: tuple[int, int]
    shares: NDArray[np.float64]
    effort: float
    pixels: int


def prepare(model: Model, components: Components, step: float, shares: Shares | None = None) -> Prepared:
    """Transform components.

    The effort is the sum of the coefficients' magnitudes, each at most a step. Of six sums that were tried it
    tells best which of two spectral transforms costs less: picking by it alone loses 0.04 % of bits and the
    worth of errors against coding with both, 93 % of the choices are the same.

    Raises:
        CodecError: If they are too large in steps.
    """
    scaled = components / np.float32(step)
    shape = tile_grid(*components.shape[1:])
    latents = latents_of(scaled, shape, model.layout)[:, model.places]
    counts = np.ones(shape[0] * shape[1]) if shares is None else shares.ravel()
    sizes = np.abs(latents)
    if sizes.max() >= LARGEST / 2:
        raise CodecError(f"learned cannot code values so large in steps of {step:.6g}; use a larger step")
    if shares is not None:  # a tile of which a sixteenth counts is coded in steps four times as long
        sizes.reshape(-1, len(counts), sizes.shape[1])[:] *= np.sqrt(counts)[:, None]
    effort = float(np.minimum(sizes, 1, out=sizes).sum(dtype=np.float64))
    return Prepared(latents, energy_classes(scaled), shape, counts, effort, scaled[0].size)


def encode(model: Model, settings: CodecSettings, prepared: Prepared) -> tuple[bytes, float]:
    """Code components; returns the body and the squared error, in squared steps."""
    latents, shape, classes = prepared.latents, prepared.shape, prepared.classes.copy()
    shares, thorough = prepared.shares, prepared.pixels < _FEW
    worth = WORTH * (SIZE * SIZE / prepared.pixels if thorough else 1)
    passes = choose_passes(
        model, settings, latents, classes, shape, thorough=thorough, worth=worth, shares=shares
    )
    if passes.strange and not thorough:
        thorough = True
        passes = choose_passes(model, settings, latents, classes, shape, thorough=True, shares=shares)
    if thorough:
        classes[0] |= THOROUGH
    coded = bytes(write(*intervals(model.layout.passes, passes.chosen, model.tables)))
    return model.tag + classes.tobytes() + coded, passes.error


def latents_of(scaled: Components, shape: tuple[int, int], layout: Layout) -> NDArray[np.float32]:
    """Transform components: (items · tiles, components · 256), in steps."""
    rows, columns = shape
    count, height, width = scaled.shape
    missing = ((0, 0), (0, rows * SIZE - height), (0, columns * SIZE - width))
    coefficients = analysis(rows) @ np.pad(scaled, missing, "edge") @ analysis(columns).T
    items = layout.items(count)
    found = np.zeros((items.max() + 1, rows, columns, SIZE, SIZE), np.float32)
    found[:count] = coefficients.reshape(count, rows, SIZE, columns, SIZE).swapaxes(2, 3)
    return np.ascontiguousarray(found[items].transpose(0, 2, 3, 1, 4, 5)).reshape(-1, layout.channels)


def energy_classes(scaled: Components) -> NDArray[np.uint8]:
    """log2 of each component's RMS, in eighths, as 0…127."""
    power = np.maximum(np.square(scaled, dtype=np.float64).mean((1, 2)), 1e-9)
    classes = np.rint(ENERGY_UNIT * (0.5 * np.log2(power) + ENERGY_OFFSET))
    return np.asarray(np.clip(classes, 0, PEAK), np.uint8)


def choose_passes(
    model: Model,
    settings: CodecSettings,
    latents: NDArray[np.float32],
    classes: NDArray[np.uint8],
    shape: tuple[int, int],
    *,
    thorough: bool,
    worth: float = WORTH,
    shares: NDArray[np.float64] | None = None,
) -> Passes:
    """Choose the symbols of all passes.

    Args:
        model: The model.
        settings: How its networks are run.
        latents: (items · tiles, channels), in steps.
        classes: (components,) energy classes.
        shape: Rows and columns of tiles.
        thorough: Whether every symbol is coded.
        worth: Bits that a squared step is worth.
        shares: (tiles,) that the squared error of each tile counts. None: all in full.
    """
    layout = model.layout
    items = len(layout.items(len(classes)))
    plan = layout.plan((shape,) * items)
    counts = np.ones(shape[0] * shape[1]) if shares is None else shares
    everywhere = np.tile(counts, items)
    values, predictions = begin_passes(model, settings, classes, shape, thorough=thorough)
    chooser = Chooser(
        layout, Rules.of(model.quantiser, model.tables), Payload(worth * everywhere, latents.copy(), values),
        Spreading.over(layout, plan, coarse=everywhere < 1), shape[1],
    )  # fmt: skip
    chosen = []
    for group, number, tiles, (mean, index) in predictions:
        symbols, sets = chooser.choose(group, tiles, mean, index)
        chosen.append(Chosen(layout.first_passes[group] + number, tiles, index, symbols, sets))
    off = (latents - values[:-1] / UNIT).reshape(-1, shape[0] * shape[1], layout.channels)
    off *= (output_components(layout, len(classes)) >= 0)[:, None, layout.places[0]]
    return Passes(chosen, off, counts)
