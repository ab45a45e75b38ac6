"""Kinds of scenes in a collection: what most of them have, and which ones differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from comeo.scene import Band

_MOST_NAMES = 8
Key = TypeVar("Key", bound=Hashable)


class BandSet(NamedTuple):
    """Bands that scenes have in common to the last detail.

    Attributes:
        bands: Of each of the scenes, finest first.
        scenes: How many have them.
        newest: Collection and id of the newest of them.
    """

    bands: tuple[Band, ...]
    scenes: int
    newest: tuple[str, str]

    @property
    def units(self) -> dict[str, str]:
        """Unit of each band by its name."""
        return {band.name: band.unit for band in self.bands}


class OddScene(NamedTuple):
    """A scene that lacks something that most scenes of its collection have.

    Attributes:
        id: STAC Item id.
        reason: How it differs.
    """

    id: str
    reason: str


def kinds_of(sets: Iterable[BandSet]) -> list[tuple[tuple[Band, ...], int]]:
    """Kinds of scenes: bands of the first set of each, and the number of its scenes.

    Scenes are of one kind if their bands have the same names and units in the same order.

    Args:
        sets: The largest first.
    """
    bands: dict[tuple[tuple[str, str], ...], tuple[Band, ...]] = {}
    counts: Counter[tuple[tuple[str, str], ...]] = Counter()
    for found in sets:
        kind = tuple((band.name, band.unit) for band in found.bands)
        bands.setdefault(kind, found.bands)
        counts[kind] += found.scenes
    return [(bands[kind], count) for kind, count in counts.items()]


def offered(counts: Mapping[Key, int], scenes: int) -> list[Key]:
    """What at least half of all scenes have; where nothing is had by so many, what most of them have.

    Args:
        counts: Number of scenes that have a thing.
        scenes: Number of all scenes.
    """
    most = max(counts.values(), default=0)
    return [key for key, count in counts.items() if count >= min(most, scenes / 2)]


def common_bands(sets: Sequence[BandSet]) -> tuple[Band, ...]:
    """Bands that a collection offers, each name once, as most of the scenes that have it describe it.

    Args:
        sets: Of all scenes, the largest first.
    """
    descriptions: dict[str, Counter[Band]] = {}
    for found in sets:
        for band in found.bands:
            descriptions.setdefault(band.name, Counter())[band] += found.scenes
    names = offered({name: bands.total() for name, bands in descriptions.items()}, _total(sets))
    return tuple(descriptions[name].most_common(1)[0][0] for name in names)


def differences(sets: Sequence[BandSet]) -> list[tuple[BandSet, str]]:
    """Band sets that lack a band of the most common kind of scene, or have it in another unit, and how.

    What a scene has beyond that kind is no difference.

    Args:
        sets: Of all scenes, the largest first.
    """
    kinds: Counter[frozenset[tuple[str, str]]] = Counter()
    for found in sets:
        kinds[frozenset(found.units.items())] += found.scenes
    if len(kinds) < 2:
        return []
    norm = dict(kinds.most_common(1)[0][0])
    reasons = ((found, _difference(found.units, norm)) for found in sets)
    return [(found, reason) for found, reason in reasons if reason]


def _difference(units: Mapping[str, str], norm: Mapping[str, str]) -> str:
    missing = sorted(name for name in norm if name not in units)
    others = sorted(name for name, unit in norm.items() if units.get(name, unit) != unit)
    parts = []
    if missing:
        parts.append(f"it has no {_names(missing)}")
    if others:
        found = " and ".join(sorted({units[name] or "no known unit" for name in others}))
        usual = " and ".join(sorted({norm[name] or "no known unit" for name in others}))
        parts.append(f"{_names(others)} in {found}, not {usual}")
    return "; ".join(parts)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _total(sets: Iterable[BandSet]) -> int:
    return sum(found.scenes for found in sets)
