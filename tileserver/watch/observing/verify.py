"""Looking at the original: whether what a compressed copy says of a site holds, before anybody is asked.

The window of the source around the site is read (`originals`), and the same indicator, site and mask are
applied to it as to the copy. So no alert rests on what compression did to a pixel.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from comeo.archive import open_archive
from comeo.archive.stores import ZIP_SUFFIX
from comeo.errors import ComeoError
from comeo.view.reader import ArchiveReader, block_cache
from comeo.view.site import observe_area
from tileserver.catalog import Record
from tileserver.render.plan import RenderPlan
from tileserver.render.scenes import Scenes
from tileserver.store.alerts import Verified
from tileserver.watch.faults import is_no_fault
from tileserver.watch.observing.observe import MAX_SIZE, Place
from tileserver.watch.observing.originals import Originals, source_of

_CACHE: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the originals say of an alert.

    Attributes:
        verified: Whether it holds, is withdrawn, or they cannot be reached.
        values: By item, of those that were.
        reason: One sentence.
    """

    verified: Verified
    values: Mapping[str, float]
    reason: str


def verify(
    scenes: Scenes, originals: Originals | None, evidence: Mapping[str, Any], side: str, least: int,
    works: Mapping[str, tuple[Record, RenderPlan]], place: Place,
) -> Outcome:  # fmt: skip
    """Look an alert's dates up in the originals.

    Args:
        scenes: Catalogue, open archives and caches.
        originals: Where sources are; None if nowhere.
        evidence: Of the alert.
        side: `low` or `high`.
        least: How many dates have to hold.
        works: Scene and plan of each item.
        place: The site.
    """
    outside = [each for each in evidence["dates"] if each["side"] == side and each["item"] in works]
    values: dict[str, float] = {}
    held = 0
    reason = "the originals are not at hand"
    for date in reversed(outside):
        if originals is None:
            break
        record, plan = works[date["item"]]
        try:
            value = original_value(scenes, originals, record, plan, place)
        except (ComeoError, OSError) as error:
            if is_no_fault(error):  # a full disk says nothing of the original
                raise
            reason = f"the original of {record.id} cannot be read: {error}"
            break
        if value is None:
            continue
        values[record.id] = value
        held += is_beyond(value, date, side)
        if held >= least:
            return Outcome("holds", values, f"the originals of {held} dates bear it out")
    if values and len(values) == len(outside):
        return Outcome(
            "withdrawn", values, f"the originals of {held} of {len(values)} dates bear it out: artefact"
        )
    if values:
        reason = f"the originals of {len(values)} of {len(outside)} dates are at hand"
    return Outcome("unreachable", values, reason)


def together(found: Sequence[Outcome]) -> Outcome:
    """What the originals of some sites say of an alert of their group: what most of those at hand say."""
    held = sum(each.verified == "holds" for each in found)
    reached = held + sum(each.verified == "withdrawn" for each in found)
    if not reached:
        return found[0]
    verified: Verified = "holds" if 2 * held >= reached else "withdrawn"
    return Outcome(verified, {}, f"the originals of {held} of {reached} sites bear it out")


def is_beyond(value: float, date: Mapping[str, Any], side: str) -> bool:
    """Whether an original's value lies outside; without uncertainty of coding the limits are nearer."""
    limit, middle, spread = date[side], date["middle"], date["spread"]
    if limit is None:
        return False
    if middle is not None:
        both = math.hypot(spread, date["u"] or 0.0)
        limit = middle + (limit - middle) * (spread / both if both else 1.0)
    return bool(value < limit if side == "low" else value > limit)


def original_value(
    scenes: Scenes, originals: Originals, record: Record, plan: RenderPlan, place: Place
) -> float | None:
    """The value of a site in the original of a scene; None if that is not at hand, or has none.

    Raises:
        ComeoError: If it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="comeo-verify-") as folder:
        path = Path(folder) / f"window{ZIP_SUFFIX}"
        if not originals.window(source_of(scenes, record), place.area.bounds, path):
            return None
        with open_archive(path) as archive:
            reader = ArchiveReader(archive, block_cache(_CACHE), scenes.budget())
            seen = observe_area(reader, plan, place.area, max_size=MAX_SIZE)
    return None if seen is None else seen.value
