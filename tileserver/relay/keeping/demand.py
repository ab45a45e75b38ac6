"""What somebody looks at comes before all else, within its share of the quotas."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from comeo.view.missing import MissingBlock
from tileserver.relay.keeping.bringing import Bringer
from tileserver.relay.keeping.gate import Gate, PausedError
from tileserver.relay.keeping.journal import Journal, Kept
from tileserver.relay.keeping.layering import Layering
from tileserver.relay.keeping.looks import Looks, LooksError, key_of
from tileserver.relay.keeping.retention import NoRoomError, Retention
from tileserver.relay.plan.offers import Key

_log = logging.getLogger("comeo")
MOST_AT_ONCE: Final = 16
"""Blocks that are fetched before it is looked again what was looked at last."""
_PUT_OFF: Final = timedelta(minutes=1)
"""Until looks are seen to again where they cannot be read, or there is no room."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Blocks of one scene that were looked at.

    Attributes:
        kept: The scene.
        blocks: With about as many bytes as are missing of each.
    """

    kept: Kept
    blocks: Mapping[MissingBlock, int]


class Demand:
    """Chooses what is fetched of what was looked at, and fetches it.

    Args:
        looks: What was looked at.
        journal: Of the relay.
        layering: Brings blocks.
        retention: Makes room for them.
        gate: Of the link.
        clock: Time in UTC.
    """

    def __init__(
        self,
        looks: Looks,
        journal: Journal,
        layering: Layering,
        retention: Retention,
        gate: Gate,
        clock: Callable[[], datetime],
    ) -> None:
        self._looks, self._journal, self._gate = looks, journal, gate
        self._layering, self._retention = layering, retention
        self._clock = clock
        self._put_off_until: datetime | None = None

    def first(self, origins: Collection[str], put_off: Container[Key] = ()) -> Sought | None:
        """What was looked at last, of a scene that can be fetched now; None: nothing.

        Args:
            origins: UUIDs of those that can be asked.
            put_off: Scenes that are left alone for now.
        """
        now = self._clock()
        if not origins or (self._put_off_until is not None and now < self._put_off_until) or not self._may():
            return None
        try:
            found, vain = self._choose(self._looks.newest(now), origins, put_off)
            if vain:
                self._looks.remove(vain)
        except LooksError as error:
            self._put_off(error)
            return None
        return found

    def bring(self, bringer: Bringer, sought: Sought) -> Kept:
        """Bring blocks, and let go of the looks.

        Raises:
            NoRoomError: If there is no room for them.
            FaultyError, PausedError, UpstreamError, ArchiveError: As `Layering.bring`.
        """
        try:
            self._retention.make_room_for_looks(sought.kept.key, sum(sought.blocks.values()))
        except NoRoomError as error:
            self._put_off(error)
            raise
        kept = self._layering.bring_looked(bringer, sought.kept, [*sought.blocks])
        self.forget(sought)
        return kept

    def forget(self, sought: Sought) -> None:
        """Let go of looks that have been seen to."""
        try:
            self._looks.remove(sought.blocks)
        except LooksError as error:  # they are here when they are looked into again, which costs no byte
            self._put_off(error)

    def _may(self) -> bool:
        try:
            self._gate.enter(alerts=False, on_demand=True)
        except PausedError:
            return False
        return True

    def _choose(
        self, looks: Mapping[MissingBlock, int], origins: Collection[str], put_off: Container[Key]
    ) -> tuple[Sought | None, list[MissingBlock]]:
        """The blocks to fetch now, and those that never will be."""
        known: dict[Key, Kept | None] = {}
        chosen: Kept | None = None
        blocks: dict[MissingBlock, int] = {}
        vain = []
        for look, count in looks.items():
            key = key_of(look)
            kept = known[key] = known[key] if key in known else self._journal.get(key)
            if kept is None or not _can_come(kept):
                vain.append(look)
            elif key in put_off or kept.origin not in origins:
                continue
            elif chosen in (None, kept) and len(blocks) < MOST_AT_ONCE:
                chosen = kept
                blocks[look] = count
        return None if chosen is None else Sought(chosen, blocks), vain

    def _put_off(self, why: Exception) -> None:
        _log.warning("what is looked at is not fetched now: %s", why)
        self._put_off_until = self._clock() + _PUT_OFF


def _can_come(kept: Kept) -> bool:
    """Whether anything of a scene can be looked at, and fetched."""
    return kept.state == "coming" and kept.dropped is None and "head" in kept.layers
