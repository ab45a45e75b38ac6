"""Heads of archives together: for who reads all of them, one object for a hundred lines.

A pack is a help alone: a head is that of an archive if its ZIP directory has the ETag that a line tells.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from tileserver.relay.errors import FeedError
from tileserver.relay.feed.layout import MAX_PACK_BYTES, PACK

_Listed = Annotated[
    list[
        tuple[
            Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")], Annotated[int, Field(ge=1, le=MAX_PACK_BYTES)]
        ]
    ],
    Field(max_length=PACK),
]
_LISTED: Final[TypeAdapter[list[tuple[str, int]]]] = TypeAdapter(_Listed)


def write_pack(heads: Sequence[tuple[str, bytes]]) -> bytes:
    """Put heads together, as many as there is room for.

    Args:
        heads: ETag and packed head of archives.
    """
    taken: list[tuple[str, bytes]] = []
    room = MAX_PACK_BYTES - PACK * 64
    for etag, head in heads[:PACK]:
        if len(head) <= room:
            taken.append((etag, head))
            room -= len(head)
    listed = json.dumps([(etag, len(head)) for etag, head in taken]).encode()
    return listed + b"\n" + b"".join(head for _, head in taken)


def read_pack(data: bytes) -> dict[str, bytes]:
    """Packed heads by their ETags.

    Raises:
        FeedError: If it is no pack.
    """
    first, _, rest = data.partition(b"\n")
    try:
        listed = _LISTED.validate_json(first)
    except ValidationError as error:
        raise FeedError("a pack of heads is damaged; publish again") from error
    if sum(length for _, length in listed) != len(rest):
        raise FeedError("a pack of heads is cut short; publish again")
    found: dict[str, bytes] = {}
    begin = 0
    for etag, length in listed:
        found[etag] = rest[begin : begin + length]
        begin += length
    return found
