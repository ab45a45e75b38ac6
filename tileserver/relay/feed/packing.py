"""Closed segments, and heads of archives, as zstd: packed the same each time, unpacked within bounds."""

from __future__ import annotations

import sys
from typing import Final

from tileserver.relay.errors import FeedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL: Final = 19
_WINDOW_LOG: Final = 23  # of 8 MiB: what this module packs needs no more


def pack(content: bytes) -> bytes:
    """Compress a segment or a head: the same bytes for the same content."""
    return zstd.compress(content, _LEVEL)


def unpack(data: bytes, most: int, name: str) -> bytes:
    """Decompress a segment or a head.

    Args:
        data: Of one zstd frame.
        most: Bytes that it may have.
        name: Of the file, for messages.

    Raises:
        FeedError: If it is damaged, or has more.
    """
    window = {int(zstd.DecompressionParameter.window_log_max): _WINDOW_LOG}
    unpacker = zstd.ZstdDecompressor(options=window)
    try:
        content = unpacker.decompress(data, most + 1)
    except zstd.ZstdError as error:
        raise FeedError(f"{name} is damaged ({error}); fetch it again, or ask who runs the origin") from error
    if len(content) > most:
        raise FeedError(f"{name} unpacks to more than {most} bytes, and is not read")
    if not unpacker.eof or unpacker.unused_data:
        raise FeedError(f"{name} is cut short, or has something behind its end; fetch it again")
    return content
