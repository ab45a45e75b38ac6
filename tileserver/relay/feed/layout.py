"""Names of a feed's files below an origin's root, the same in a folder and on a server; and their bounds."""

from __future__ import annotations

from typing import Final

from tileserver.catalog.scan import FEED_FOLDER

ROOT: Final = FEED_FOLDER
INDEX: Final = f"{ROOT}/index.json"
FEED: Final = f"{ROOT}/feed"
OPEN_NAME: Final = "open.ndjson"
OPEN: Final = f"{FEED}/{OPEN_NAME}"
MODELS: Final = f"{ROOT}/models"
HEADS: Final = f"{ROOT}/heads"
SEGMENT: Final = 1000
"""Lines of a closed segment; the last one is its check line."""
MAX_INDEX_BYTES: Final = 1 << 16
MAX_LINE_BYTES: Final = 1 << 13
MAX_SEGMENT_BYTES: Final = SEGMENT * MAX_LINE_BYTES
MAX_PACKED_HEAD_BYTES: Final = 1 << 20
MAX_HEAD_BYTES: Final = 1 << 24
PACK: Final = 100
"""Lines whose archives' heads are put together."""
MAX_PACK_BYTES: Final = 1 << 22
MAX_SEQ: Final = 999_999 * SEGMENT


def segment_of(seq: int) -> int:
    """Number of the segment that a line belongs to."""
    return (seq - 1) // SEGMENT + 1


def segment_name(number: int) -> str:
    """Name of a closed segment's file."""
    return f"{number:06}.ndjson.zst"


def head_name(etag: str) -> str:
    """Name of the packed head of an archive."""
    return f"{etag}.zst"


def pack_of(seq: int) -> int:
    """Number of the pack that has the head of a line's archive, once all its lines are there."""
    return (seq - 1) // PACK + 1


def pack_name(number: int) -> str:
    """Name of a pack of heads."""
    return f"{number:07}.pack"


def is_check(seq: int) -> bool:
    """Whether a number is that of a check line."""
    return seq % SEGMENT == 0
