"""Borders of countries as `make reference` makes them (static/reference/borders.mjs)."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from comeo.errors import ComeoError
from comeo.globe import cut, inside
from tileserver.countries.codes import codes_of
from tileserver.settings import viewer_places

FILE: Final = "countries.json.gz"
"""TopoJSON beside the built viewer."""
_NEAR: Final = 3
"""Codes that are named where one is unknown."""
_ALIKE: Final = 0.65


@dataclass(frozen=True, slots=True)
class Country:
    """A country, or a part of one that has a code of its own.

    Attributes:
        code: Two letters of ISO 3166-1.
        iso3: Three letters.
        name: In English.
        rings: Numbers of arcs, of rings of polygons; one below 0 is an arc from its end to its start.
    """

    code: str
    iso3: str
    name: str
    rings: Sequence[Sequence[Sequence[int]]]


def area_of_countries(area: str) -> BaseGeometry:
    """The area of countries in degrees, cut at the antimeridian: never empty, however small they are.

    Args:
        area: As `country:SN,GM`.

    Raises:
        ComeoError: If there is no such code, naming those near it, or the borders are missing.
    """
    try:
        codes = codes_of(area)
    except ValueError as error:
        raise ComeoError(str(error)) from error
    topology = _topology()
    found = _countries(topology)
    by_code = found | {each.iso3: each for each in found.values()}
    unknown = next((code for code in codes if code not in by_code), None)
    if unknown is not None:
        raise ComeoError(_unknown(unknown, found))
    borders = _Borders(topology)
    wanted = dict.fromkeys(by_code[code].code for code in codes)
    return shapely.union_all([borders.polygon(rings) for code in wanted for rings in found[code].rings])


def _place() -> Path:
    for folder in viewer_places():
        if (folder / FILE).is_file():
            return folder / FILE
    raise ComeoError(
        "the borders of countries are missing, as this was installed without the reference map; run "
        "`make reference install` in the source tree, or name a GeoJSON file instead of country:"
    )


def _topology() -> dict[str, Any]:
    path = _place()
    try:
        with gzip.open(path) as file:
            found = json.load(file)
        if not {"arcs", "objects", "transform"} <= set(found):
            raise ValueError("it is no TopoJSON")
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise ComeoError(
            f"{path} cannot be read: {error}; remove static/.cache/reference, then `make reference install`"
        ) from error
    return dict(found)


def _countries(topology: Mapping[str, Any]) -> dict[str, Country]:
    shapes = topology["objects"]["countries"]["geometries"]
    return {
        each["id"]: Country(each["id"], each["properties"]["iso3"], each["properties"]["name"], each["arcs"])
        for each in shapes
    }


class _Borders:
    """Lines on a grid, of which neighbours share those between them."""

    def __init__(self, topology: Mapping[str, Any]) -> None:
        self._arcs: Sequence[Sequence[Sequence[int]]] = topology["arcs"]
        self._scale = np.array(topology["transform"]["scale"])
        self._shift = np.array(topology["transform"]["translate"])

    def polygon(self, rings: Sequence[Sequence[int]]) -> BaseGeometry:
        """The area inside the first ring, and in none of the others, in degrees."""
        outer, *holes = map(self._inside, rings)
        return shapely.difference(outer, shapely.union_all(holes)) if holes else outer

    def _inside(self, numbers: Sequence[int]) -> BaseGeometry:
        points = np.concatenate([self._line(number)[:-1] for number in numbers])  # one begins where one ends
        if len(points) > 2:
            mended = shapely.make_valid(
                inside(points[:, 0], points[:, 1])
            )  # lines of fewer positions may cross
            found = shapely.union_all([part for part in shapely.get_parts(mended) if part.area > 0])
            if not found.is_empty:
                return cut(found)
        return shapely.LineString(points[[0, -1]]).buffer(
            self._scale[0] / 2
        )  # an islet smaller than the grid

    def _line(self, number: int) -> NDArray[np.float64]:
        steps = np.array(self._arcs[number if number >= 0 else ~number])
        line: NDArray[np.float64] = np.cumsum(steps, axis=0) * self._scale + self._shift
        return line if number >= 0 else line[::-1]


def _unknown(word: str, countries: Mapping[str, Country]) -> str:
    likely = sorted(((_likeness(word, each), each.code) for each in countries.values()), reverse=True)
    near = [f"{code} ({countries[code].name})" for score, code in likely[:_NEAR] if score >= _ALIKE]
    verb = "are" if len(near) > 1 else "is"
    hint = f"near it {verb} {', '.join(near)}" if near else "write one as country:KE"
    return f"{word} is no country's code of ISO 3166-1; {hint}"


def _likeness(word: str, country: Country) -> float:
    """How likely a country is meant: by its name and initials first, then by like letters."""
    name = country.name.upper()
    initials = "".join(re.findall(r"\b[A-Z]", country.name))
    if word in (initials, name):
        return 2.0
    if name.startswith(word):
        return 1.0
    other = country.iso3 if len(word) == 3 else name
    return SequenceMatcher(None, word, other).ratio() + (0.1 if word[0] == other[0] else 0.0)
