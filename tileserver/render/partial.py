"""Images of scenes of which not all is here: they say so, and are soon looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Self

from comeo.view.budget import Budget
from comeo.view.missing import Missing, MissingBlock
from tileserver.catalog import Record

HEADER: Final = "Comeo-Completeness"
MAX_AGE: Final = 30
"""Seconds that caches may keep such an image."""


_SOON: Final = "-part"


def etag_of(etag: str, records: Iterable[Record]) -> str:
    """The ETag of an image of scenes; it tells if not all of one of them is here: see `is_of_parts`."""
    return etag if all(record.is_whole for record in records) else etag + _SOON


def is_of_parts(etag: str) -> bool:
    """Whether not all of a scene is here of which an image with this ETag may be made.

    Known without making it, so that caches that ask whether theirs is the same do not keep it for long.
    """
    return etag.endswith(_SOON)


class PartialImage(bytes):
    """An encoded image that will look otherwise when more of its scenes is here.

    It is kept and sent as any other, and carries along what the header says of it.

    Attributes:
        told: Value of `HEADER`.
        missing: Blocks that it would be made of if they were here, as far as they were noted.
    """

    told: str
    missing: Mapping[MissingBlock, int]

    @classmethod
    def of(cls, image: bytes, told: str, missing: Missing | None = None) -> Self:
        """An image with what is said of it."""
        made = cls(image)
        made.told, made.missing = told, {} if missing is None else dict(missing.blocks)
        return made


def marked(image: bytes, budget: Budget) -> bytes:
    """An image as it was drawn within a budget: a `PartialImage` if not all of its scenes is here.

    The header has the share of bytes that are here of the scene of which the fewest are, the most levels (of
    halved resolution) by which pixels are coarser than those asked for, how many scenes are not drawn, and
    whether pixels were left out that are not here yet.
    """
    coarser = budget.coarser
    if coarser is None or not coarser.is_partial:
        return image
    share = min(coarser.completeness, 0.99)  # all is here when it is all
    told = f"{share:.2f}; drawn={coarser.levels}"
    if coarser.waiting:
        told += f"; waiting={coarser.waiting}"
    return PartialImage.of(image, told + ("; gaps" if coarser.gaps else ""), budget.missing)
