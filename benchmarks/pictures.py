"""Pictures for the docs: the original, the learned codec and JPEG 2000 at equal bytes, side by side.

Run with: python -m benchmarks.pictures --data ../shared/data --output docs/images/learned-x100.webp.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rasterio.windows import Window
from scipy.optimize import brentq

from comeo.codecs import get_codec
from comeo.codecs.base import Block

RATIO: Final = 100
SIDE: Final = 256
ZOOM: Final = 2
_CAPTION: Final = 28
_SCENES: Final = {
    "scenes/S2_spain_flood_L1C_13bands.tif": ((2, 3, 4, 8), 256, 256),
    "scenes/S2A_20190530_T32TMT_L2A_10bands.tif": ((1, 2, 3, 7), 420, 340),
}


def at_ratio(name: str, block: Block) -> tuple[Block, float]:
    """Code a block so that its payload has the ratio; returns what is decoded, and the true ratio."""
    codec = get_codec(name)
    raw = 2 * block.size

    def excess(log_step: float) -> float:
        return float(np.log(len(codec.encode(block, step=np.exp(log_step))) * RATIO / raw))

    payload = codec.encode(block, step=np.exp(brentq(excess, np.log(20), np.log(8000), xtol=1e-3)))
    return codec.decode(payload), raw / len(payload)


def render(block: Block, low: NDArray[Any], high: NDArray[Any]) -> Image.Image:
    """True colour, bands B02 B03 B04 …, stretched alike for all pictures of a scene."""
    scaled = np.clip((block[2::-1].astype(float) - low) / (high - low), 0, 1) ** 0.7
    image = Image.fromarray((255 * scaled).astype(np.uint8).transpose(1, 2, 0))
    return image.resize((SIDE * ZOOM, SIDE * ZOOM), Image.Resampling.NEAREST)


def row(path: Path, bands: tuple[int, ...], top: int, left: int, caption: Callable[..., str]) -> Image.Image:
    """One scene's three pictures."""
    with rasterio.open(path) as file:
        block = file.read(list(bands), window=Window(left, top, SIDE, SIDE))
    low, high = np.percentile(block[2::-1], (1, 98), axis=(1, 2))[:, :, None, None]
    pictures = [("original", block)]
    for name in ("learned", "jpeg2000"):
        decoded, ratio = at_ratio(name, block)
        pictures.append((caption(name, block, decoded, ratio), decoded))
    width = SIDE * ZOOM
    sheet = Image.new("RGB", (3 * width + 2 * 8, width + _CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for place, (text, pixels) in enumerate(pictures):
        sheet.paste(render(pixels, low, high), (place * (width + 8), _CAPTION))
        draw.text((place * (width + 8) + 4, 4), text, "black", font)
    return sheet


def _caption(name: str, block: Block, decoded: Block, ratio: float) -> str:
    error = np.mean(np.square(decoded.astype(float) - block))
    return f"{name}, {ratio:.1f}:1, {10 * np.log10(1e8 / error):.2f} dB"


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("docs/images/learned-x100.webp"))
    arguments = parser.parse_args()
    rows = [row(arguments.data / name, *place, _caption) for name, place in _SCENES.items()]
    sheet = Image.new("RGB", (rows[0].width, sum(part.height for part in rows)), "white")
    for number, part in enumerate(rows):
        sheet.paste(part, (0, number * part.height))
    sheet.save(arguments.output, quality=85)


if __name__ == "__main__":
    main()
