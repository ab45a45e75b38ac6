"""Speed on one core: CPU time, so that neighbours on the machine count less, and ratios to a peer."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from benchmarks.rate_distortion.klt import ExactKlt
from benchmarks.rate_distortion.peers import SCALE, jpeg2000_decode, jpeg2000_encode
from comeo.codecs import codec_names, get_codec
from comeo.codecs.base import MAX_REDUCE, Block
from comeo.metrics import PEAK, mse, psnr_of
from tests.openjpeg import load_glymur

_ROUNDS = 7
_STEP = 1200.0


def speed_table(blocks: Sequence[Block]) -> str:
    """Encoding and decoding of blocks at about ×100, as a Markdown section."""
    samples = blocks[0].size / 1e6
    rows: list[tuple[str, float]] = []
    for name in codec_names():
        codec = get_codec(name)
        rows.append((f"{name}, encode", cpu_seconds(partial(codec.encode, step=_STEP), blocks)))
        payloads = [codec.encode(block, step=_STEP) for block in blocks]
        for reduce in range(MAX_REDUCE + 1):
            seconds = cpu_seconds(partial(codec.decode, reduce=reduce), payloads)
            rows.append((f"{name}, decode at 1/{1 << reduce}", seconds))
    decoded = get_codec("dct").decode(get_codec("dct").encode(blocks[0], step=_STEP))
    quality = psnr_of(mse(blocks[0], decoded))
    streams = [_peer_encode(block, quality=quality) for block in blocks]
    peers = {
        "encode": cpu_seconds(partial(_peer_encode, quality=quality), blocks),
        "decode": cpu_seconds(_peer_decode, streams),
    }
    rows += [(f"KLT + JPEG 2000, {way}", seconds) for way, seconds in peers.items()]
    lines = [
        "### Speed on one core",
        "",
        f"Medians of CPU time over {len(blocks)} blocks of T32TMT, four bands, step {_STEP:g} (near ×100).",
        "",
        "| | ms a block | million samples/s | time against KLT + JPEG 2000 |",
        "|---|---|---|---|",
    ]
    for name, seconds in rows:
        peer = peers["encode" if "encode" in name else "decode"]
        figures = (f"{seconds * 1e3:.2f}", f"{samples / seconds:.0f}", f"{seconds / peer:.2f}")
        lines.append(f"| {name} | " + " | ".join(figures) + " |")
    return "\n".join([*lines, "", _interfaces(blocks[0], quality)])


def cpu_seconds(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Median CPU time of one call, a first round not counted."""
    times = []
    for turn in range(_ROUNDS + 1):
        for item in items:
            start = time.process_time()
            work(item)
            if turn:
                times.append(time.process_time() - start)
    return statistics.median(times)


def _peer_encode(block: Block, *, quality: float) -> tuple[ExactKlt, bytes]:
    klt = ExactKlt.of(block)
    return klt, jpeg2000_encode(np.rint(klt.components * SCALE).astype(np.int32), quality)


def _peer_decode(coded: tuple[ExactKlt, bytes]) -> object:
    klt, stream = coded
    return klt.inverse(jpeg2000_decode(stream, klt.components.shape) / SCALE).astype(np.uint16)


def _interfaces(block: Block, quality: float) -> str:
    """One codestream through imagecodecs, in memory, and through glymur, by a file and of at most 16 bits."""
    glymur = load_glymur()
    stream = imagecodecs.jpeg2k_encode(
        np.rint(ExactKlt.of(block).components).clip(-32768, 32767).astype(np.int16),
        level=float(quality + 20 * np.log10(65535 / PEAK)),  # type: ignore[arg-type]
        codecformat="j2k",
        reversible=False,
        mct=False,
        planar=True,
        numthreads=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "block.j2k"

        def by_glymur(data: bytes) -> object:
            path.write_bytes(data)
            return glymur.Jp2k(path)[:]

        in_memory = cpu_seconds(lambda data: imagecodecs.jpeg2k_decode(data, numthreads=1), [stream])
        by_file = cpu_seconds(by_glymur, [stream])
    return (
        f"OpenJPEG on one such codestream: {in_memory * 1e3:.2f} ms through imagecodecs, "
        f"{by_file * 1e3:.2f} ms through glymur and a file."
    )
