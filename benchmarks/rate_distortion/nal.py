"""The units of an H.265 stream (Annex B), and which of them say the same thing again and again."""

from __future__ import annotations

from typing import Final

_START: Final = b"\0\0\1"
_PARAMETER_SETS: Final = frozenset((32, 33, 34))  # VPS, SPS, PPS: ITU-T H.265, table 7-1


def units(stream: bytes) -> list[bytes]:
    """Split a stream into its NAL units, each with its start code.

    Raises:
        ValueError: If the stream does not begin with a start code.
    """
    starts = []
    place = stream.find(_START)
    while place >= 0:
        # a start code may have a further zero before it (B.2.2), which belongs to the unit that it opens
        starts.append(place - (place > 0 and stream[place - 1] == 0))
        place = stream.find(_START, place + len(_START))
    if not starts or starts[0]:
        raise ValueError("an H.265 stream begins with a start code")
    return [stream[one:other] for one, other in zip(starts, [*starts[1:], len(stream)], strict=True)]


def is_parameter_set(unit: bytes) -> bool:
    """Whether a unit is a VPS, SPS or PPS."""
    return (unit[unit.index(_START) + len(_START)] >> 1) & 63 in _PARAMETER_SETS


def split(stream: bytes) -> tuple[bytes, bytes]:
    """Take the parameter sets out of a stream of pictures that all use the same ones.

    Encoders repeat them before each picture that can be decoded alone. Who keeps many streams of one encoder
    keeps them once for all, so that they cost nothing; put before the rest, they make it decodable.

    Returns:
        The parameter sets, each once, and all other units.

    Raises:
        ValueError: If there are several sets of one kind: then the pictures would need them in between.
    """
    sets: dict[int, bytes] = {}
    rest = []
    for unit in units(stream):
        if not is_parameter_set(unit):
            rest.append(unit)
            continue
        body = unit[unit.index(_START) :].rstrip(b"\0")
        if sets.setdefault(body[len(_START)], body) != body:
            raise ValueError("parameter sets differ from picture to picture")
    return b"".join(b"\0" + body for body in sets.values()), b"".join(rest)
