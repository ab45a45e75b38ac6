"""CPU time of the codecs in one process: blocks alone, at an eighth, whole products, encoding.

Run with: python -m benchmarks.codec_speed [--data FOLDER] [--output FOLDER] [--rounds N].

Codecs take turns at each item, so that what the machine does meanwhile hits all alike; figures are medians,
and medians of the ratios to `dct` at the same item.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import options
from benchmarks.rate_distortion.klt import ExactKlt
from benchmarks.rate_distortion.peers import SCALE, jpeg2000_decode, jpeg2000_encode
from benchmarks.rate_distortion.products import PRODUCTS, blocks_of, read_product
from comeo.archive import Archive, open_archive
from comeo.codecs import codec_names, get_codec
from comeo.codecs.base import Block
from comeo.compression import compress
from comeo.metrics import mse, psnr_of
from comeo.scene import Scene, Window

ANCHOR: Final = "dct"
PEER: Final = "KLT + JPEG 2000"
STEP: Final = 1200.0
"""Near ×100 on these scenes."""
EIGHTH: Final = 3
GROUND: Final = 256
Work = Callable[[], object]
Times = dict[str, list[float]]


def in_turns(works: Sequence[Mapping[str, Work]], rounds: int) -> Times:
    """CPU seconds of each item's work by codec; a first round is not counted."""
    found: Times = {name: [] for name in works[0]}
    for round_ in range(rounds + 1):
        for item in works:
            for name, work in item.items():
                began = time.process_time()
                work()
                if round_:
                    found[name].append(time.process_time() - began)
    return found


def block_works(blocks: Sequence[Block]) -> dict[str, list[dict[str, Work]]]:
    """Encoding and decoding of blocks alone; the peer is as good as `dct` is."""
    kinds: dict[str, list[dict[str, Work]]] = {
        "encoding a block": [],
        "decoding a block": [],
        "decoding at 1/8": [],
    }
    for block in blocks:
        encoding: dict[str, Work] = {}
        decoding: dict[str, Work] = {}
        reduced: dict[str, Work] = {}
        for name in codec_names():
            codec = get_codec(name)
            payload = codec.encode(block, step=STEP)
            encoding[name] = partial(codec.encode, block, step=STEP)
            decoding[name] = partial(codec.decode, payload)
            reduced[name] = partial(codec.decode, payload, reduce=EIGHTH)
        quality = psnr_of(mse(block, np.asarray(decoding[ANCHOR]())))
        encoding[PEER] = partial(_peer_encode, block, quality)
        decoding[PEER] = partial(_peer_decode, _peer_encode(block, quality))
        for works, kind in zip((encoding, decoding, reduced), kinds.values(), strict=True):
            kind.append(works)
    return kinds


def product_works(scene: Scene, folder: Path) -> dict[str, list[dict[str, Work]]]:
    """The same of a product of ten bands, through archives; times are of all of it."""
    encoding: dict[str, Work] = {}
    decoding: dict[str, Work] = {}
    coarse: dict[str, Work] = {}
    for name in codec_names():
        path = folder / f"{name}.zarr.zip"
        encoding[name] = partial(_compress, scene, path, name)
        encoding[name]()
        archive = open_archive(path)
        decoding[name] = partial(_read, archive)
        coarse[name] = partial(_read_corner, archive)
    return {
        "encoding ten bands, as an archive": [encoding],
        "decoding ten bands": [decoding],
        "decoding 128² of the coarse bands alone": [coarse],
    }


def _compress(scene: Scene, path: Path, codec: str) -> None:
    with ThreadPoolExecutor(1) as executor:
        compress(scene, path, codec=codec, step=STEP, force=True, executor=executor)


def _read(archive: Archive) -> None:
    for group in archive.groups.values():
        level = group.levels[0]
        archive.read(level, Window(0, 0, level.height, level.width))


def _read_corner(archive: Archive) -> None:
    level = list(archive.groups.values())[-1].levels[0]
    archive.read(level, Window(0, 0, GROUND // 2, GROUND // 2))


def _peer_encode(block: Block, quality: float) -> tuple[ExactKlt, bytes]:
    klt = ExactKlt.of(block)
    return klt, jpeg2000_encode(np.rint(klt.components * SCALE).astype(np.int32), quality)


def _peer_decode(coded: tuple[ExactKlt, bytes]) -> object:
    klt, stream = coded
    return klt.inverse(jpeg2000_decode(stream, klt.components.shape) / SCALE).astype(np.uint16)


def table(found: Mapping[str, Times], grounds: Mapping[str, int]) -> str:
    """Milliseconds and ratios as Markdown.

    Args:
        found: Times by what was done.
        grounds: By how many 256² of ground the times of a kind are divided.
    """
    names = list(dict.fromkeys(name for times in found.values() for name in times))
    lines = ["| CPU time | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for kind, times in found.items():
        cells = []
        for name in names:
            if name not in times:
                cells.append("")
                continue
            ratios = [own / anchor for own, anchor in zip(times[name], times[ANCHOR], strict=True)]
            milliseconds = 1e3 * statistics.median(times[name]) / grounds.get(kind, 1)
            cells.append(f"**{statistics.median(ratios):.2f}** ({milliseconds:.2f} ms)")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write benchmarks/results/codec_speed.*."""
    parser = options.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    product = PRODUCTS[0]
    scene = read_product(arguments.data, product)
    fine = scene.groups[0]
    blocks = blocks_of(fine.read(Window(0, 0, fine.height, fine.width)).values)
    found: dict[str, Times] = {}
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        kinds = {**block_works(blocks), **product_works(scene, Path(folder))}
        for kind, works in kinds.items():
            found[kind] = in_turns(works, arguments.rounds)
            sys.stderr.write(f"{kind}\n")
    grounds = {kind: len(blocks) for kind in found if "ten bands" in kind}
    text = (
        "# Speed of the codecs\n\n"
        f"CPU time in one process, step {STEP:g} (near ×100), {product.name}: medians of the ratios to "
        f"`{ANCHOR}`, and medians. Blocks are of four bands and {GROUND}², each alone; of ten bands (four, "
        f"and six at half the resolution) the time is that of an archive of {product.side}², divided by its "
        f"{len(blocks)} × {GROUND}² of ground, with whatever is predicted from other bands; an archive is "
        "verified and certified when it is encoded.\n\n"
    ) + table(found, grounds)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "codec_speed.md").write_text(text + "\n")
    results: dict[str, Any] = {"step": STEP, "product": product.name, "seconds": found}
    (arguments.output / "codec_speed.json").write_text(json.dumps(results, indent=1) + "\n")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
