"""Taps of the classified filter, fitted to training crops as they decode: `python -m training.filters`.

For each class, least squares: which weighted sum of limited differences comes closest to what decoding lost.
All components share their taps; taps of their own for each fit the crops better, and other places worse.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.lapped import SIZE, synthesis, tile_grid
from comeo.codecs.learned import Model
from comeo.codecs.learned.encoder import choose_passes, energy_classes, latents_of
from comeo.codecs.learned.features import UNIT
from comeo.codecs.learned.filter import CELL, DIRECTIONS, LIMITS, OFFSETS, ONE, REACH, Filter, rounded
from comeo.codecs.learned.layout import Layout
from comeo.compiled import Array, compiled
from comeo.settings import CodecSettings
from training.crops import CropSampler, options_of
from training.pack import Image, load

BATCHES = 50
LOWEST_STEP = 150.0  # of the crops: with the finer ones of training, coarser payloads gain less
CHOSEN_LIMITS = (32, 4)  # two steps keep outliers out, a quarter of a step is where ringing lies
CHOSEN_THRESHOLDS = (369, 922, 1843, 3686, 6912)
_SIDES = ((256, 3), (128, 12))
_RIDGE = 12_800.0  # squared sixteenths, against classes that hardly occur
_PEAK = 127
_QUIET = 1  # lowest activities that nothing is added at: half of all cells, a twentieth of the gain


def fit(model: Model, images: list[Image], *, seed: int = 11, batches: int = BATCHES) -> Filter:
    """Fit the filter of a model to what its encoder makes of training crops.

    Args:
        model: The model file, without a filter or with one that is to be replaced.
        images: The pack.
        seed: Of the crops.
        batches: How many batches of them.
    """
    plain = Filter(CHOSEN_LIMITS, CHOSEN_THRESHOLDS, _taps(np.zeros((1, LIMITS * len(OFFSETS)))))
    size = LIMITS * len(OFFSETS)
    products, right = np.zeros((len(plain.taps), size, size)), np.zeros((len(plain.taps), size))
    options = [options_of(images, side, count, model.layout) for side, count in _SIDES]
    samplers = [CropSampler(images, replace(each, lowest_step=LOWEST_STEP), seed) for each in options]
    limits = np.array(plain.limits, np.int64)
    for number in range(batches):
        for crop in samplers[number % len(samplers)].batch():
            for component, error in zip(crop, _lost(model, crop), strict=True):
                if not component.any():
                    continue  # a component that the crop hasn't got
                samples = rounded(UNIT * (component - error))
                padded = np.pad(samples, REACH, "edge")
                _add(padded, plain.classes(samples), limits, OFFSETS, UNIT * error, products, right)
    products += np.tril(products, -1).swapaxes(1, 2)
    solved = np.linalg.solve(products + _RIDGE * np.eye(size), right[..., None])[..., 0]
    solved[: DIRECTIONS * _QUIET] = 0
    return Filter(plain.limits, plain.thresholds, _taps(solved))


def with_filter(content: bytes, chosen: Filter) -> bytes:
    """A model file's bytes, its filter being another."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    facts = json.loads(entries["model.json"]) | {"filter": chosen.facts}
    entries["model.json"] = json.dumps(facts, indent=1, sort_keys=True).encode()
    taps = io.BytesIO()
    np.save(taps, chosen.taps)
    entries["filter.npy"] = taps.getvalue()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(entries):
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), entries[name])
    return written.getvalue()


def _lost(model: Model, crop: NDArray[np.float32]) -> NDArray[np.float32]:
    """What decoding loses of a crop: (components, y, x) in steps, the original less what is decoded."""
    rows, columns = shape = tile_grid(*crop.shape[1:])
    latents = latents_of(crop, shape, model.layout)[:, model.places]
    passes = choose_passes(model, CodecSettings(), latents, energy_classes(crop), shape, thorough=False)
    off = _planes(passes.off[0], model.places, model.layout, shape)
    lost = synthesis(rows, 0)[0] @ off @ synthesis(columns, 0)[0].T
    return np.asarray(lost, np.float32)


def _planes(
    off: NDArray[np.float64], places: NDArray[np.int64], layout: Layout, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Coefficients (tiles, channels) of one item as (components, rows · SIZE, columns · SIZE)."""
    rows, columns = shape
    sorted_off = np.empty_like(off)
    sorted_off[:, places] = off
    tiles = sorted_off.reshape(rows, columns, layout.components, SIZE, SIZE)
    return tiles.transpose(2, 0, 3, 1, 4).reshape(layout.components, rows * SIZE, columns * SIZE)


def _taps(solved: NDArray[np.floating]) -> NDArray[np.int8]:
    """Taps as integers: (classes, LIMITS, pairs); one class stands for all."""
    classes = DIRECTIONS * (len(CHOSEN_THRESHOLDS) + 1)
    whole = np.clip(np.rint(ONE * solved), -_PEAK, _PEAK).astype(np.int8)
    return np.broadcast_to(whole, (classes, whole.shape[1])).reshape(classes, LIMITS, len(OFFSETS)).copy()


@compiled
def _add(
    padded: Array, classes: Array, limits: Array, offsets: Array, error: Array, products: Array, right: Array
) -> None:
    """Add a component to the normal equations: the lower triangles of `products`, and `right`."""
    height, width = error.shape
    pairs = len(offsets)
    sums = np.empty(len(limits) * pairs, np.float64)
    for y in range(height):
        for x in range(width):
            own = classes[y // CELL, x // CELL]
            centre = padded[y + REACH, x + REACH]
            for pair in range(pairs):
                down, across = offsets[pair]
                one = padded[y + REACH + down, x + REACH + across] - centre
                other = padded[y + REACH - down, x + REACH - across] - centre
                for kind in range(len(limits)):
                    limit = limits[kind]
                    sums[kind * pairs + pair] = min(max(one, -limit), limit) + min(max(other, -limit), limit)
            for i in range(len(sums)):
                right[own, i] += sums[i] * error[y, x]
                for j in range(i + 1):
                    products[own, i, j] += sums[i] * sums[j]


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Fit a model file's filter, and put it in.")
    parser.add_argument("model", type=Path, help="the model file; it is replaced")
    parser.add_argument("--pack", type=Path, default=Path(".cache/training/sentinel2.npz"))
    parser.add_argument("--batches", type=int, default=BATCHES)
    arguments = parser.parse_args()
    content = arguments.model.read_bytes()
    chosen = fit(Model("draft", content), load(arguments.pack), batches=arguments.batches)
    content = with_filter(content, chosen)
    unfinished = arguments.model.with_suffix(".partial")
    unfinished.write_bytes(content)
    unfinished.replace(arguments.model)
    digest = hashlib.sha256(content).hexdigest()
    print(f"{arguments.model}: taps up to {np.abs(chosen.taps).max()} of {_PEAK}, SHA-256 {digest}")


if __name__ == "__main__":
    main()
