"""Relative orbits: from which of its tracks a satellite saw a scene, and so from which side.

Radar sees slopes, walls and rows of crops by the side that it looks from. Scenes of one relative orbit are
seen alike, to a few hundred metres; between others the same ground differs by decibels without any change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from comeo.decibel import DECIBEL
from comeo.errors import BoundError, ParameterError
from tileserver.catalog import Record
from tileserver.render.scenes import Scenes

UNKNOWN = (None, None)
Track = tuple[str | None, int | None]
"""Direction (`ascending` or `descending`) and number of a relative orbit, as far as an Item states them."""


def is_radar(record: Record) -> bool:
    """Whether a scene has backscatter in dB."""
    return any(band.unit == DECIBEL for band in record.bands)


def track(scenes: Scenes, record: Record) -> Track:
    """From where a scene was seen."""
    properties = scenes.catalog.item(record).get("properties", {})
    state, number = (properties.get(f"sat:{name}") for name in ("orbit_state", "relative_orbit"))
    return (
        state if isinstance(state, str) else None,
        number if isinstance(number, int) and not isinstance(number, bool) else None,
    )


def by_track(scenes: Scenes, records: Iterable[Record]) -> Iterator[Record]:
    """Radar scenes of one relative orbit together, that of the newest first; others where they were.

    A mosaic takes the newest scenes of one orbit, and only what these leave empty from the others. Scenes
    that are not radar are given in their own order; those whose orbit is unknown make one group.

    Raises:
        BoundError: If `records` does, once those before have been given.
    """
    first: Track | None = None
    others: dict[Track, list[Record]] = {}
    refused: BoundError | None = None
    try:
        for record in records:
            if not is_radar(record):
                yield record
                continue
            own = track(scenes, record)
            first = own if first is None else first
            if own == first:
                yield record
            else:
                others.setdefault(own, []).append(record)
    except BoundError as error:
        refused = error
    for group in others.values():
        yield from group
    if refused is not None:
        raise refused


def check_same_track(scenes: Scenes, one: Record, other: Record) -> None:
    """Refuse to compare two scenes that are not known to be seen from one relative orbit.

    Raises:
        ParameterError: Saying what to do.
    """
    tracks = [track(scenes, record) for record in (one, other)]
    for record, (_, number) in zip((one, other), tracks, strict=True):
        if number is None:
            raise ParameterError(
                f"{record.id} does not say from which relative orbit it was seen; if you know that both "
                "scenes are of one orbit, add any_orbit=true"
            )
    if tracks[0] != tracks[1]:
        said = [
            f"{record.id} from relative orbit {number}" + (f" ({state})" if state else "")
            for record, (state, number) in zip((one, other), tracks, strict=True)
        ]
        raise ParameterError(
            f"{' and '.join(said)} were seen from different sides, and what differs is mostly that; "
            "compare scenes of one relative orbit, or add any_orbit=true"
        )
