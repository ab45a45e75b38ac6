"""What one request may cost: samples decoded, samples warped, bytes made, scenes opened.

One budget is made where a request is validated and handed down to all that works for it. Everything is
counted before the work that it stands for, so that a refused request has cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from comeo.errors import BoundError
from comeo.view.coarser import Coarser
from comeo.view.missing import Missing

BlockKey = tuple[str, str, int, int, int, int]
"""ETag of the whole archive, group, level, reduction, row, column."""
_ADVICE = "choose a smaller area, fewer bands or a coarser image"


class Limit(NamedTuple):
    """A bound, and the setting that it comes from: errors name it."""

    amount: int
    setting: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a request; None is no bound.

    Attributes:
        decoded: Samples (pixels × bands) of the blocks that it decodes, each block once.
        at_once: Of these, those that are in memory for one image.
        warped: Samples of all images that are brought onto grids.
        computed: Pixels × terms of all expressions that are evaluated.
        made: Bytes of all images that it makes, before they are packed.
        opened: Scenes.
    """

    decoded: Limit | None = None
    at_once: Limit | None = None
    warped: Limit | None = None
    computed: Limit | None = None
    made: Limit | None = None
    opened: Limit | None = None


class Budget:
    """Counts the work of a request, and refuses what exceeds a limit.

    A block counts once, whether or not a cache has it: the answer to a request does not depend on earlier
    requests, and work can be announced as a whole before its parts are done. A budget belongs to one request
    and is used by one thread.

    Args:
        limits: By default none.
        coarser: Lets pixels be drawn coarser where finer ones are not here; by default they are waited for.
        missing: Notes which finer ones are not here, if anybody wants to know.

    Attributes:
        coarser: As given, likewise `missing`.
        decoded: Samples counted so far, likewise `warped` and `computed`, and `made` in bytes.
    """

    def __init__(
        self, limits: Limits | None = None, coarser: Coarser | None = None, missing: Missing | None = None
    ) -> None:
        self._limits = limits or Limits()
        self.coarser = coarser
        self.missing = missing
        self._blocks: set[BlockKey] = set()
        self._scenes: set[str] = set()
        self.decoded = self.warped = self.computed = self.made = 0

    @property
    def opened(self) -> int:
        """Different scenes counted so far."""
        return len(self._scenes)

    def decode(self, blocks: Mapping[BlockKey, int]) -> None:
        """Count blocks that are about to be decoded for one image.

        Args:
            blocks: Samples of each block, by a key that no other block has.

        Raises:
            BoundError: If they are too many for one image, or for the request.
        """
        _check(self._limits.at_once, sum(blocks.values()), "one image needs {} decoded samples", _ADVICE)
        self.announce(blocks)

    def announce(self, blocks: Mapping[BlockKey, int]) -> None:
        """Count the blocks of many images, each of which will be counted as nothing then: see `decode`."""
        new = {key: samples for key, samples in blocks.items() if key not in self._blocks}
        self.decoded += sum(new.values())
        _check(
            self._limits.decoded, self.decoded, "this request needs {} decoded samples (pixels × bands)",
            _ADVICE,
        )  # fmt: skip
        self._blocks.update(new)

    def warp(self, samples: int) -> None:
        """Count samples that are about to be brought onto a grid.

        Raises:
            BoundError: If they are too many for the request.
        """
        self.warped += samples
        _check(
            self._limits.warped, self.warped, "this request needs {} resampled samples (pixels × bands)",
            _ADVICE,
        )  # fmt: skip

    def compute(self, terms: int) -> None:
        """Count pixels × terms of an expression that is about to be evaluated.

        Raises:
            BoundError: If they are too many for the request.
        """
        self.computed += terms
        _check(
            self._limits.computed, self.computed, "this request computes {} terms (pixels × terms)",
            "choose a smaller area, a coarser image or a simpler expression",
        )  # fmt: skip

    def make(self, size: int) -> None:
        """Count bytes of an image that is about to be made.

        Raises:
            BoundError: If they are too many for the request.
        """
        self.made += size
        _check(self._limits.made, self.made, "this request makes {} bytes of pixels", _ADVICE)

    def open(self, scene: str) -> None:
        """Count a scene that is about to be opened, by a name that no other scene has; the same one once.

        Raises:
            BoundError: If it is one too many for the request.
        """
        self._scenes.add(scene)
        _check(
            self._limits.opened, self.opened, "this request has to look into {} scenes",
            "narrow datetime, or zoom in",
        )  # fmt: skip


def _check(limit: Limit | None, amount: int, need: str, advice: str) -> None:
    if limit is not None and amount > limit.amount:
        raise BoundError(f"{need.format(amount)}, more than {limit.amount}; {advice}", limit.setting)
