"""A class of a map: of clear ground and clouds, or of what a decision gives."""

from __future__ import annotations

from typing import NamedTuple


class MapClass(NamedTuple):
    """One class.

    Attributes:
        number: As stored, or as a decision gives it.
        name: In masks and documents.
        title: For people.
        colour: (red, green, blue) on maps.
    """

    number: int
    name: str
    title: str
    colour: tuple[int, int, int]
