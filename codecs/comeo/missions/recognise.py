"""Which mission a product is of, from what it states and from its names.

What a product states of its platform or constellation counts before the names of its files; a mission that is
not described here is named and refused, never taken for the one whose bands have like names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from comeo.errors import SourceError
from comeo.missions.mission import Mission
from comeo.missions.other import OTHERS, Other, other_in
from comeo.missions.sentinel1 import SENTINEL1
from comeo.missions.sentinel2 import SENTINEL2

MISSIONS: Final[Mapping[str, Mission]] = MappingProxyType(
    {mission.id: mission for mission in (SENTINEL2, SENTINEL1)}
)
_READABLE: Final = " and ".join(sorted(each.title for each in MISSIONS.values()))
# STAC properties that say what a product is from, the clearest first.
_STATED: Final = ("constellation", "platform")
_HINTS: Final = ("mission", "instruments", "odc:product", "collection")


def mission_in(name: str) -> Mission | None:
    """The mission whose mark comes first in a product or file name; None where another one's comes first."""
    found = [(match.start(), each) for each in MISSIONS.values() if (match := each.name_mark.search(name))]
    if not found:
        return None
    start, mission = min(found, key=lambda item: item[0])
    other = other_in(name)
    return None if other and other[0] < start else mission


def other_mission_in(name: str) -> Other | None:
    """The mission that cannot be read whose mark comes first in a product or file name."""
    other = other_in(name)
    return other[1] if other and mission_in(name) is None else None


def platform_in(name: str) -> str:
    """STAC `platform` that comes first in a product or file name: `sentinel-2a`, or empty."""
    found = [
        (match.start(), f"{each.id}{match.group(1).lower()}")
        for each in MISSIONS.values()
        if (match := each.platform_mark.search(name))
    ]
    return min(found)[1] if found else ""


def stated_mission(text: str) -> Mission | Other | None:
    """The mission that a platform's, constellation's or instrument's name is of, in any spelling."""
    known = next((each for each in MISSIONS.values() if each.spelling.search(text)), None)
    if known:
        return known
    other = other_in(text, stated=True)
    return other[1] if other else None


def platform_of(text: str) -> str:
    """STAC `platform` in its usual spelling: `sentinel-2b` for `Sentinel-2B` or `S2B`; empty for others."""
    for each in MISSIONS.values():
        if (match := each.spelling.search(text)) and match.group(1):
            return f"{each.id}{match.group(1).lower()}"
    return ""


def mission_stated_by(properties: Mapping[str, Any]) -> Mission | Other | None:
    """The mission that the properties of a STAC Item state, one that is not described here included."""
    texts = {name: str(properties[name])[:80] for name in _STATED if isinstance(properties.get(name), str)}
    known = {name: stated_mission(text) or Other(text) for name, text in texts.items() if text.strip()}
    if isinstance(platform := known.get("platform"), Mission) and (text := texts.get("constellation")):
        # `Sentinel` or `Copernicus` says less than the platform, and nothing against it.
        known["constellation"] = stated_mission(text) or platform
    if found := list(known.values()):
        return next((each for each in found if isinstance(each, Other)), found[0])
    for name in _HINTS:
        value = properties.get(name)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and (hint := stated_mission(text[:80])):
                return hint
    prefixes = {name.partition(":")[0] for name in properties if ":" in name}
    everything: tuple[Mission | Other, ...] = (*MISSIONS.values(), *OTHERS)
    return next((each for each in everything if prefixes.intersection(each.prefixes)), None)


def mission_of(where: str, properties: Mapping[str, Any], names: Iterable[str]) -> Mission | None:
    """The mission of a product, by what it states, else by the first of its names that tells.

    Args:
        where: Name of the product, for the message.
        properties: STAC Item properties, as far as they are known.
        names: Of the product and its files, the clearest first.

    Raises:
        SourceError: If it is of a mission that cannot be read; the sentence names it.
    """
    found = mission_stated_by(properties)
    for name in names:
        found = found or mission_in(name) or other_mission_in(name)
    if isinstance(found, Other):
        raise SourceError(
            f"{where} is of {found.title}, and only scenes of {_READABLE} can be compressed; "
            "if that is wrong, correct what it states of its platform, or its name"
        )
    return found
