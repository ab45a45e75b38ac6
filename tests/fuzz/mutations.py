"""Ways to damage bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

EDGES: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
FLOATS: Final = (0.0, -0.0, 1e-45, 1e-6, 1.0, -1.0, 1e6, 3.4e38, float("inf"), float("-inf"), float("nan"))
Mutation = Callable[[bytearray, bytes, Random], None]


def _flip(data: bytearray, other: bytes, random: Random) -> None:
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _bytes(data: bytearray, other: bytes, random: Random) -> None:
    for _ in range(random.randint(1, 6)):
        data[random.randrange(len(data))] = random.randrange(256)


def _cut(data: bytearray, other: bytes, random: Random) -> None:
    del data[random.randrange(len(data)) :]


def _longer(data: bytearray, other: bytes, random: Random) -> None:
    data += random.randbytes(random.randint(1, 50))


def _rest(data: bytearray, other: bytes, random: Random) -> None:
    data[random.randrange(len(data)) :] = random.randbytes(random.randint(1, 200))


def _splice(data: bytearray, other: bytes, random: Random) -> None:
    place = random.randrange(len(data))
    data[place:] = other[min(place, len(other)) :]


def _drop(data: bytearray, other: bytes, random: Random) -> None:
    start = random.randrange(len(data))
    del data[start : start + random.randint(1, 16)]


def _repeat(data: bytearray, other: bytes, random: Random) -> None:
    start = random.randrange(len(data))
    data[start:start] = data[start : start + random.randint(1, 64)]


def _number(data: bytearray, other: bytes, random: Random) -> None:
    """An integer or a float at the edge of its range, or one more or less than there was."""
    form = random.choice(("<B", "<H", "<I", "<f"))
    size = struct.calcsize(form)
    place = random.randrange(len(data))
    if len(data) < place + size:
        return
    if form == "<f":
        value: float = random.choice(FLOATS)
    else:
        (old,) = struct.unpack_from(form, data, place)
        wrapped = 1 << (8 * size)
        value = random.choice([*EDGES, old + 1, old - 1, old + random.randint(-300, 300)]) % wrapped
    struct.pack_into(form, data, place, value)


MUTATIONS: Final[Sequence[Mutation]] = (
    _flip, _flip, _bytes, _cut, _longer, _rest, _splice, _drop, _repeat, _number, _number,
)  # fmt: skip


def mutated(original: bytes, other: bytes, random: Random) -> bytes:
    """Damage bytes, once or a few times.

    Args:
        original: What to damage.
        other: Another input, to take pieces from.
        random: Decides how.
    """
    data = bytearray(original)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if data:
            random.choice(MUTATIONS)(data, other, random)
    return bytes(data)
