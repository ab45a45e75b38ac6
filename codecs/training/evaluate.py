"""Rate and distortion on held-out blocks, against KLT + JPEG 2000 at equal bytes."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import rasterio
import torch
from numpy.typing import NDArray

from comeo.codecs.spectral import fit
from training.model import Model
from training.pack import Image, load

BLOCK = 256
BORDER = 2
SEAM_STEP = 640.0
RATIOS = (50, 100, 250)
STEPS = (100.0, 160.0, 250.0, 400.0, 640.0, 1000.0, 1600.0, 2600.0, 4000.0)
PEAK = 10_000.0
OVERHEAD_BYTES = 28  # payload header and spectral transform of four bands, the same for every codec
_LEVELS = np.arange(44.0, 64.0, 0.75)  # dB, of 16 bits
_OFFSET = 1 << 15


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a rate-distortion curve, by rising size.

    Attributes:
        sizes: Bytes of all blocks together.
        errors: Mean squared error over all samples, digital numbers squared.
    """

    sizes: NDArray[np.float64]
    errors: NDArray[np.float64]

    def psnr(self, size: float) -> float:
        """PSNR at a size, dB, peak 10 000; NaN beyond the curve's ends."""
        decibels = 10 * np.log10(PEAK**2 / self.errors)
        inside = self.sizes[0] <= size <= self.sizes[-1]
        return float(np.interp(np.log(size), np.log(self.sizes), decibels)) if inside else float("nan")


def held_out_blocks(images: Sequence[Image]) -> list[NDArray[np.float32]]:
    """Spectral components (bands, 256, 256) of the held-out images' whole blocks, in digital numbers."""
    return [block for image in images if image.entry.held_out for block in component_blocks(image.values)]


def component_blocks(values: NDArray[np.uint16]) -> list[NDArray[np.float32]]:
    """Spectral components of an image's whole and wholly valid blocks.

    Args:
        values: (bands, y, x), 0 where invalid.
    """
    _, height, width = values.shape
    corners = itertools.product(range(0, height - BLOCK + 1, BLOCK), range(0, width - BLOCK + 1, BLOCK))
    cut = [values[:, top : top + BLOCK, left : left + BLOCK] for top, left in corners]
    whole = [block.astype(np.float32) for block in cut if block.all()]
    return [fit(block).forward(block) for block in whole]


def filled(block: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    """Components up to the number that a model takes, those that a block lacks 0."""
    return np.pad(block, ((0, components - len(block)), (0, 0), (0, 0)))


def raw_bytes(blocks: Sequence[NDArray[np.float32]]) -> int:
    """Bytes of the blocks as 16-bit integers."""
    return sum(2 * block.size for block in blocks)


@torch.no_grad()
def model_curve(
    model: Model,
    blocks: Sequence[NDArray[np.float32]],
    steps: Sequence[float] | None = None,
    device: torch.device | None = None,
) -> Curve:
    """The model's curve, one step for all blocks; sizes are what its entropy model says."""
    model.eval()
    sizes, errors = [], []
    for step in sorted(steps or STEPS, reverse=True):
        size = error = 0.0
        for block in blocks:
            values = filled(block, model.layout.components) / np.float32(step)
            scaled = torch.from_numpy(values)[None].to(device)
            result = model(scaled)
            size += result.bits.item() / 8 + OVERHEAD_BYTES
            difference = (model.decoded(result, scaled.shape) - scaled)[:, : len(block)]
            error += difference.square().sum().item() * step**2
        sizes.append(size)
        errors.append(error / sum(block.size for block in blocks))
    return Curve(np.array(sizes), np.array(errors))


@torch.no_grad()
def seam_ratio(model: Model, blocks: Sequence[NDArray[np.float32]], step: float) -> float:
    """Root mean squared error in the blocks' outermost pixels over that in the rest."""
    model.eval()
    edge = np.ones((BLOCK, BLOCK), bool)
    edge[BORDER:-BORDER, BORDER:-BORDER] = False
    outside = inside = 0.0
    for block in blocks:
        scaled = torch.from_numpy(filled(block, model.layout.components) / np.float32(step))[None]
        error = (model.decoded(model(scaled), scaled.shape) - scaled).square().sum((0, 1)).numpy()
        outside += float(error[edge].mean())
        inside += float(error[~edge].mean())
    return float(np.sqrt(outside / inside))


def jpeg2000_curve(blocks: Sequence[NDArray[np.float32]]) -> Curve:
    """KLT + JPEG 2000, with the bytes shared out between blocks as is best for the whole."""
    points = [_jpeg2000_points(block) for block in blocks]
    sizes, errors = [], []
    for slope in np.exp(np.linspace(np.log(1e0), np.log(1e7), 60)):  # squared error a byte
        chosen = [table[np.argmin(table[:, 1] + slope * table[:, 0])] for table in points]
        sizes.append(sum(point[0] for point in chosen) + OVERHEAD_BYTES * len(blocks))
        errors.append(sum(point[1] for point in chosen) / sum(block.size for block in blocks))
    order = np.unique(np.array(sizes), return_index=True)[1]
    return Curve(np.array(sizes)[order], np.array(errors)[order])


def _jpeg2000_points(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Bytes and sum of squared errors at many qualities."""
    whole = np.clip(np.rint(block) + _OFFSET, 0, 65535).astype(np.uint16).transpose(1, 2, 0)
    points = []
    levels: list[Any] = _LEVELS.tolist()  # the stub asks for integers, the encoder takes any number
    for level in levels:
        stream = imagecodecs.jpeg2k_encode(
            np.ascontiguousarray(whole), level=level, codecformat="j2k", mct=False, reversible=False
        )
        decoded = imagecodecs.jpeg2k_decode(stream).astype(np.float64) - _OFFSET
        points.append((len(stream), float(((decoded - block.transpose(1, 2, 0)) ** 2).sum())))
    return np.array(points)


def compare(
    curve: Curve, anchor: Curve, raw: int, ratios: Sequence[float] = RATIOS
) -> dict[str, dict[str, float]]:
    """PSNR of both at equal bytes, for each ratio."""
    return {
        f"x{ratio}": {
            "psnr": round(curve.psnr(raw / ratio), 3),
            "gain": round(curve.psnr(raw / ratio) - anchor.psnr(raw / ratio), 3),
        }
        for ratio in ratios
    }


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Measure a trained state on the held-out blocks.")
    parser.add_argument("state", type=Path)
    parser.add_argument("--pack", type=Path, default=Path(".cache/training/sentinel2.npz"))
    parser.add_argument("--image", type=Path, help="measure on this GeoTIFF instead")
    parser.add_argument("--bands", type=int, nargs=4, default=(1, 2, 3, 4), help="its bands, from 1")
    arguments = parser.parse_args()
    state = torch.load(arguments.state, map_location="cpu", weights_only=True)
    model = Model.of_state(state)
    if arguments.image:
        with rasterio.open(arguments.image) as file:
            blocks = component_blocks(file.read(list(arguments.bands)))
    else:
        blocks = held_out_blocks(load(arguments.pack))
    result = compare(model_curve(model, blocks), jpeg2000_curve(blocks), raw_bytes(blocks))
    seams = round(seam_ratio(model, blocks, SEAM_STEP), 3)
    print(json.dumps({"blocks": len(blocks), "step": state["step"], **result, "seam_ratio": seams}, indent=2))


if __name__ == "__main__":
    main()
