"""The order of a payload's passes, and what is predicted before each: the same to encode and to decode."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.learned import engine
from comeo.codecs.learned.coding import Predicted
from comeo.codecs.learned.features import Known
from comeo.codecs.learned.layout import Layout, Plan
from comeo.codecs.learned.model import Model
from comeo.codecs.learned.tables import SKIPPED
from comeo.settings import CodecSettings

PredictedPass = tuple[int, int, NDArray[np.int64], Predicted]  # group, number in it, tiles, means and indexes


def output_components(layout: Layout, bands: int) -> NDArray[np.int64]:
    """The component that each of each item is decoded to, (items, components); −1: to none."""
    planes = layout.items(bands).copy()
    planes[1:, : layout.leading] = -1
    planes[planes >= bands] = -1
    return planes


def tile_classes(
    layout: Layout, classes: NDArray[np.uint8], shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Energy classes of a block for each tile, (items · tiles, components), and the tiles' leaders."""
    items, tiles = layout.items(len(classes)), shape[0] * shape[1]
    filled = np.zeros(items.max() + 1, np.uint8)
    filled[: len(classes)] = classes
    return filled[items].repeat(tiles, axis=0), np.tile(np.arange(tiles), len(items))


def begin_passes(
    model: Model,
    settings: CodecSettings,
    classes: NDArray[np.uint8],
    shape: tuple[int, int],
    *,
    thorough: bool,
) -> tuple[NDArray[np.int32], engine.Passes]:
    """Begin to predict a block's passes, in compiled code where there is some.

    Args:
        model: The model that predicts.
        settings: How its networks are run.
        classes: (components,) energy classes.
        shape: Rows and columns of tiles.
        thorough: Whether every symbol is coded.

    Returns:
        The values (tiles + 1, channels), for the caller to put each pass's into, and the passes: see
        `predicted_passes`.
    """
    layout = model.layout
    energy, leaders = tile_classes(layout, classes, shape)
    found = engine.begin_passes(model, settings, energy[:: shape[0] * shape[1]], shape, thorough=thorough)
    if found is not None:
        return found
    plan = layout.plan((shape,) * len(layout.items(len(classes))))
    known = Known(layout, energy, leaders, plan)
    everywhere = np.full(len(energy), thorough)
    return known.values, predicted_passes(model, settings, known, plan, everywhere)


def predicted_passes(
    model: Model,
    settings: CodecSettings,
    known: Known,
    plan: Plan,
    thorough: NDArray[np.bool_],
    groups: int | None = None,
) -> Iterator[PredictedPass]:
    """Each pass's group, number in it, tiles and predictions; takes note of what the caller puts into them.

    Args:
        model: The model that predicts.
        settings: How its networks are run.
        known: The state of the decoder so far.
        plan: Its passes.
        thorough: (tiles,) where every symbol is coded.
        groups: How many groups; None: all.
    """
    for group in range(len(model.layout.groups) if groups is None else groups):
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
