"""Test vectors of the format: payloads and archives with what they decode to, in docs/format/vectors.

What has been written stays: a file that is there is neither made anew nor changed, since every reader has to
go on decoding it. Run with: python -m tools.format_vectors [FOLDER], after a block or a scene has been added
below for something new in a codec, a model or the format.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.archive import open_archive
from comeo.codecs import codec_names, get_codec
from comeo.codecs.correction import with_correction
from comeo.codecs.payload import SATURATED
from comeo.compression import compress
from comeo.scene import Scene, Window
from tests.comeo.archive.pairs import cropped_scene
from tests.scenes import array_classes, array_group, array_scene, corner_cut, landscape, patchy

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "format" / "vectors"
COARSE: Final = Affine(20, 0, 472_480, 0, -20, 5_257_490)


class Block(NamedTuple):
    """What a payload is made of."""

    values: NDArray[Any]
    mask: NDArray[np.bool_] | None
    step: float
    weights: Sequence[int] | None = None
    correction: NDArray[np.uint8] | None = None


def blocks(codec: str) -> Iterator[tuple[str, Block]]:
    """Blocks that between them have every flag, and sides that are no multiples of anything.

    Finer means are `dct`'s alone.
    """
    whole = landscape(3, 40, 53, seed=1)
    yield "whole", Block(whole, None, 120.0)
    masked = landscape(4, 37, 48, seed=2)
    masked[1, 5:9, 30:41] = SATURATED
    yield "masked", Block(masked, corner_cut(masked.shape), 150.0)
    shared = landscape(2, 33, 20, seed=3)
    yield "one_mask", Block(shared, np.broadcast_to(corner_cut((1, 33, 20)), shared.shape), 60.0)
    decibels = landscape(2, 35, 46, seed=4, dtype=np.float32)
    yield "decibels", Block(decibels, corner_cut(decibels.shape), 0.7)
    yield "empty", Block(np.zeros((2, 9, 9), np.uint16), np.zeros((2, 9, 9), bool), 100.0)
    yield "narrow", Block(landscape(1, 3, 200, seed=5), None, 80.0)
    yield "weighted", Block(landscape(3, 32, 40, seed=9), None, 160.0, (16, 32, 21))
    radar = speckled(2, 35, 46, seed=14)
    correction = np.array([[0, 255, 90, 62, 110, 255], [70, 71, 255, 1, 104, 0]], np.uint8)
    yield "corrected", Block(radar, corner_cut(radar.shape), 4.0, correction=correction)
    if codec == "dct":
        yield "means", Block(landscape(3, 108, 150, seed=11), None, 300.0)


def scenes(codec: str) -> Iterator[tuple[str, Scene, float]]:
    """Two resolutions with masks, floats, and a scene that is tall enough for an overview.

    Prediction, classes, corrections and what is stated of means are alike for all codecs, so `dct` alone has
    them.
    """
    fine, coarse = landscape(4, 300, 270, seed=6), landscape(2, 150, 135, seed=7)
    fine[0, 10:20, 10:30] = SATURATED
    yield "two_groups", array_scene(
        array_group(fine, corner_cut(fine.shape), names=["B02", "B03", "B04", "B08"]),
        array_group(coarse, corner_cut(coarse.shape), names=["B05", "B11"], transform=COARSE),
        scene_id="two-groups",
    ), 400.0  # fmt: skip
    decibels = landscape(2, 90, 110, seed=8, dtype=np.float32)
    yield "decibels", array_scene(
        array_group(decibels, corner_cut(decibels.shape), names=["VV", "VH"]), scene_id="decibels"
    ), 1.0  # fmt: skip
    ramp = np.add.outer(np.arange(2300), 10 * np.arange(40)).astype(np.uint16)[None] + 500
    valid = np.ones(ramp.shape, bool)
    valid[:, 600:1200] = False
    yield "overview", array_scene(
        array_group(ramp, valid, names=["B08"]), scene_id="overview"
    ), 100.0  # fmt: skip
    if codec == "dct":
        yield "predicted", predicted(), 500.0
        yield "offset_before", cropped(1, 0), 300.0
        yield "offset_behind", cropped(1, 1, inside=True), 300.0
        fine, coarse = landscape(3, 200, 270, seed=12), landscape(2, 100, 135, seed=13)
        yield "means", array_scene(
            array_group(fine, None, names=["B03", "B04", "B08"]),
            array_group(coarse, None, names=["B05", "B11"], transform=COARSE),
            scene_id="means",
        ), 300.0  # fmt: skip
        radar = speckled(2, 2100, 60, seed=15)
        valid = corner_cut(radar.shape)
        valid[:, 256:512] = False
        yield "corrected", array_scene(
            array_group(radar, valid, names=["VV", "VH"]), scene_id="corrected"
        ), 8.0  # fmt: skip


def speckled(bands: int, height: int, width: int, seed: int) -> NDArray[np.float32]:
    """Backscatter in decibels, of five looks."""
    rng = np.random.default_rng(seed)
    fields = landscape(bands, height, width, seed=seed, dtype=np.float32)
    looks = rng.gamma(5, 1 / 5, fields.shape)
    return np.asarray(fields + 10 * np.log10(looks), np.float32)


def cropped(top: int, left: int, *, inside: bool = False) -> Scene:
    """A group that begins before the one that it is predicted from, or behind it: see `cropped_scene`."""
    return cropped_scene((top, 521), (left, 536), inside=inside)


def predicted() -> Scene:
    """A group that is predicted from a finer one, over holes, saturated pixels, odd sides; with classes."""
    both = landscape(6, 539, 542, seed=10)
    fine, coarse = both[:4].copy(), both[4:, ::2, ::2].copy()
    valid = corner_cut(fine.shape)
    valid[1, 200:231, 300:351] = False
    fine[2, 400:420, 100:133] = SATURATED
    return array_scene(
        array_group(fine, valid, names=["B02", "B03", "B04", "B08"]),
        array_group(coarse, valid[:2, ::2, ::2], names=["B05", "B11"], transform=COARSE),
        scene_id="predicted",
        classes=array_classes(patchy(270, 271)),
    )


def digest(array: NDArray[Any]) -> str:
    """SHA-256 (hex) of an array's bytes, row by row."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def write_payload(place: Path, codec: str, block: Block) -> None:
    """A payload, and beside it the pixels that it decodes to, deflated."""
    payload = get_codec(codec).encode(block.values, step=block.step, mask=block.mask, weights=block.weights)
    if block.correction is not None:
        payload = with_correction(payload, block.correction)
    pixels = get_codec(codec).decode(payload)
    place.with_suffix(".pixels").write_bytes(zlib.compress(pixels.tobytes(), 9)[2:-4])
    place.write_bytes(payload)


def write_archive(place: Path, codec: str, scene: Scene, step: float) -> None:
    """An archive, and beside it what it says and holds."""
    path = compress(scene, place, codec=codec, step=step)
    with open_archive(path) as archive:
        levels = [level for group in archive.groups.values() for level in group.levels]
        pixels = {level.key: archive.read(level, Window(0, 0, level.height, level.width)) for level in levels}
        facts = {
            "info": archive.info(),
            "pixels": {key: digest(values) for key, values in pixels.items()},
            "means": {key: np.nanmean(values, axis=(1, 2)).tolist() for key, values in pixels.items()},
        }
    place.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")


def write_missing(folder: Path) -> list[Path]:
    """Write the vectors that are not there yet; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    work: dict[Path, Callable[[Path], None]] = {}
    for codec in codec_names():
        for name, block in blocks(codec):
            work[folder / f"{codec}_{name}.payload"] = partial(write_payload, codec=codec, block=block)
        for name, scene, step in scenes(codec):
            work[folder / f"{codec}_{name}.zarr.zip"] = partial(
                write_archive, codec=codec, scene=scene, step=step
            )
    missing = [place for place in work if not place.exists()]
    for place in missing:
        work[place](place)
    return missing


def main() -> None:
    """Write what is missing, and say what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    for place in write_missing(parser.parse_args().folder):
        print(place)


if __name__ == "__main__":
    main()
