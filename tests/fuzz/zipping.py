"""Damage behind sound checksums: in a ZIP's directory, its documents and its shards."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from random import Random
from typing import Any, Final

import numpy as np

from comeo.archive.shard import CRC_BYTES, SLOT_BYTES, with_checksum
from tests.fuzz.mutations import EDGES, mutated

_LOCAL = (b"PK\3\4", ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)))
_CENTRAL = (
    b"PK\1\2",
    ((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (34, 2), (42, 4)),
)  # fmt: skip
_END = (b"PK\5\6", ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)))
_FORMS = {2: "<H", 4: "<I"}
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, -1, 0, 1, 3, 255, 65_536, 2**31, 2**53, 10**30, -0.0, 1e-300, 1e308, -1e308,
    "", "a", "x" * 5000, "\x00", "\u202e", "../../etc/passwd", "EPSG:4326", "EPSG:3413",
    "2020-02-30T00:00:00Z", "9999-12-31T23:59:60Z",
    [], {}, [0], [[]], [None] * 7, {"name": "B01"}, [0, 0, 0, 0, 0, 0], [1e308] * 6,
)  # fmt: skip


def directory_damaged(data: bytes, random: Random) -> bytes:
    """Set fields of ZIP records to numbers at the edges, or to those of other records."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        signature, fields = random.choice((_LOCAL, _CENTRAL, _CENTRAL, _END))
        offset, size = random.choice(fields)
        start = random.choice(_places(data, signature)) + offset
        (old,) = struct.unpack_from(_FORMS[size], out, start)
        value = random.choice((*EDGES, old + 1, old - 1, old ^ 1 << random.randrange(8 * size), len(data)))
        struct.pack_into(_FORMS[size], out, start, value % (1 << 8 * size))
    return bytes(out)


def _places(data: bytes, signature: bytes) -> list[int]:
    places, start = [], -1
    while (start := data.find(signature, start + 1)) >= 0:
        if start + 46 <= len(data) or signature == _END[0]:
            places.append(start)
    return places


def rezipped(data: bytes, random: Random) -> bytes:
    """Change what a ZIP holds, and zip it again: its checksums are right, so that the change is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            entries = [(info.filename, source.read(info)) for info in source.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, struct.error):
        return mutated(data, data, random)  # a kept input that is damaged otherwise
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if entries:
            _change(entries, random)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in dict(entries).items():
            target.writestr(zipfile.ZipInfo(name or "x"), content)
    return buffer.getvalue()


def _change(entries: list[tuple[str, bytes]], random: Random) -> None:
    """Change an entry's content, or which entries there are."""
    place = random.randrange(len(entries))
    name, content = entries[place]
    kind = random.randrange(12)
    if kind == 0:
        del entries[place]
    elif kind == 1:
        entries[place] = random.choice(entries)[0], content
    elif kind == 2:
        entries[place] = name, random.choice(entries)[1]
    elif kind == 3:
        entries[place] = name, mutated(content, random.choice(entries)[1], random)
    elif name.endswith("zarr.json"):
        entries[place] = name, _document(content, random)
    else:
        entries[place] = name, _shard(content, random)


def _document(content: bytes, random: Random) -> bytes:
    """Replace, remove, add or swap values anywhere in a JSON document."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return mutated(content, content, random)
    holders = list(_holders(document))
    if not holders:
        return mutated(content, content, random)
    holder = random.choice(holders)
    keys: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = random.choice(keys)
    kind = random.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        donor = random.choice(holders)
        holder[key] = random.choice(list(donor.values()) if isinstance(donor, dict) else donor)
    elif kind == 2 and isinstance(holder, list):
        holder.append(holder[key])
    elif kind == 3:
        holder[key] = _near(holder[key], random)
    else:
        holder[key] = random.choice(_VALUES)
    return _dumped(document, content)


def _dumped(document: Any, content: bytes) -> bytes:
    try:
        return json.dumps(document).encode()
    except (ValueError, RecursionError):  # a value that has been put into itself
        return content[:-1]


def _holders(node: Any) -> Any:
    """All objects and lists of a document that are not empty."""
    if isinstance(node, dict | list) and node:
        yield node
        for child in node.values() if isinstance(node, dict) else node:
            yield from _holders(child)


def _near(value: Any, random: Random) -> Any:
    """A value of the same type."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + random.choice((-1, 1, random.randint(-300, 300), value, 1 << 20))
    if isinstance(value, float):
        return value * random.choice((-1, 0, 0.5, 2, 1e9, 1e-9, 1e300))
    if isinstance(value, str):
        return _text(value, random)
    return [value]


def _text(value: str, random: Random) -> str:
    """Damaged text; of Base64, as a certificate is, the bytes that it stands for."""
    data = value.encode()
    if len(data) > 40 and data.isascii() and random.random() < 0.8:
        try:
            return base64.b64encode(mutated(base64.b64decode(data, validate=True), b"", random)).decode()
        except ValueError:
            pass
    return mutated(data, data[::-1], random).decode("utf-8", "replace")


def _shard(content: bytes, random: Random) -> bytes:
    """Damage a payload or the index of a shard, and make their checksums right again."""
    slots = max(1, min((len(content) - CRC_BYTES) // SLOT_BYTES, 2))  # of the archives here
    start = len(content) - slots * SLOT_BYTES - CRC_BYTES
    if start < 0:
        return mutated(content, content, random)
    index = np.frombuffer(content[start:-CRC_BYTES], "<u8").reshape(slots, 2).copy()
    body = content[:start]
    row = random.randrange(slots)
    offset, length = (int(number) for number in index[row])
    if random.random() < 0.5 or offset + length > start or length <= CRC_BYTES:
        edges = (*EDGES, 1 << 63, (1 << 64) - 1, (1 << 64) - 2, start, start + 1, len(content))
        index[row, random.randrange(2)] = random.choice((*edges, *(int(number) for number in index.flat)))
    else:
        payload = with_checksum(mutated(body[offset : offset + length - CRC_BYTES], body, random))
        if random.random() < 0.5:
            payload = payload[:length]  # the length is kept, the checksum may be lost
        index[row] = len(body), len(payload)
        body += payload
    return body + with_checksum(index.tobytes())
