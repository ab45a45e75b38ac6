"""The peer that is hardest to beat: the exact KLT, and x265 on its components as 12-bit intra pictures.

Parameter sets are not counted: see `nal.split`. What is decoded is what is counted, behind one copy of them.
"""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Final

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from benchmarks.caching import kept_bytes
from benchmarks.rate_distortion.klt import ExactKlt
from benchmarks.rate_distortion.nal import split
from comeo.codecs.base import Block

FINEST: Final = -2
COARSEST: Final = -75
_MIDDLE: Final = 2048
_COARSEST_QP: Final = 51
_FORMAT: Final = ("-f", "rawvideo", "-pix_fmt", "gray12le")


def code(block: Block, quality: float) -> tuple[int, NDArray[np.float64]]:
    """Code and decode a block's components as the pictures of one sequence, all at one QP.

    Where they have to be scaled to fit 12 bits, QP follows: one quality is one step in digital numbers.

    Args:
        block: (bands, y, x).
        quality: −QP of unscaled components; from `COARSEST` to `FINEST`.

    Returns:
        Bytes, and the bands as whole digital numbers.
    """
    klt = ExactKlt.of(block)
    factor = min(1.0, (_MIDDLE - 1) / float(np.abs(klt.components).max()))
    qp = min(_COARSEST_QP, max(0, round(6 * np.log2(factor) - quality)))
    frames = np.rint(klt.components * factor + _MIDDLE).astype("<u2")
    sets, pictures = split(encode(frames, qp))
    decoded = decode(sets + pictures, block.shape)
    return len(pictures), klt.inverse((decoded.astype(np.float64) - _MIDDLE) / factor)


def encode(frames: NDArray[np.uint16], qp: int) -> bytes:
    """12-bit pictures (number, y, x) as an H.265 stream, each decodable alone; kept, since it takes long."""
    height, width = frames.shape[1:]
    parameters = f"qp={qp}:keyint=1:info=0:repeat-headers=0:psy-rd=0:rdoq-level=2:pools=1:log-level=0"
    arguments = [
        *_FORMAT, "-s", f"{width}x{height}", "-r", "1", "-i", "-",
        "-c:v", "libx265", "-preset", "slow", "-tune", "psnr", "-x265-params", parameters, "-f", "hevc", "-",
    ]  # fmt: skip
    data = frames.tobytes()
    key = b"\0".join((_program().encode(), " ".join(arguments).encode(), data))
    return kept_bytes("x265", key, lambda: _ffmpeg(arguments, data))


def decode(stream: bytes, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """The pictures of a stream."""
    return np.frombuffer(_ffmpeg(["-f", "hevc", "-i", "-", *_FORMAT, "-"], stream), "<u2").reshape(shape)


@cache
def _program() -> str:
    """What the encoder says that it is."""
    return _ffmpeg(["-version"], b"").decode()


def _ffmpeg(arguments: list[str], data: bytes) -> bytes:
    quiet = ["-hide_banner", "-loglevel", "error", "-threads", "1"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *quiet, *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout
