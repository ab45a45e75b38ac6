"""Two versions of a group read side by side, strip by strip, with rows of context above and below."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.scene import BandGroup, Pixels, Window

ROWS: Final = 256  # of a strip; a multiple of every cell, tile and pyramid step used by the metrics
CONTEXT: Final = 80  # rows above and below that windows of the coarsest scale of MS-SSIM reach into


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of a group in both versions.

    Attributes:
        row: The first row of the core in the group.
        height: Rows of the core; metrics count these only.
        margin: Rows of context above the core; below there are as many, fewer at the group's end.
        reference: (bands, y, x) with context; 0 where not valid.
        decoded: The same of the other version.
        valid: (bands, y, x), where both have a value.
        lost: Valid pixels of the core's reference that the other version has no value for.
    """

    row: int
    height: int
    margin: int
    reference: NDArray[Any]
    decoded: NDArray[Any]
    valid: NDArray[np.bool_]
    lost: int = 0

    @property
    def core(self) -> slice:
        """Rows of the arrays that are the core."""
        return slice(self.margin, self.margin + self.height)


def strip_count(group: BandGroup) -> int:
    """How many strips `strips` gives."""
    return -(-group.height // ROWS)


def strips(reference: BandGroup, decoded: BandGroup) -> Iterator[Strip]:
    """Read two versions of a group of one shape, each strip while the one before is being measured.

    Args:
        reference: The original.
        decoded: The same of the other version.

    Yields:
        Strips from top to bottom; no pixel is read twice.
    """
    with ThreadPoolExecutor(1) as ahead:
        tops = range(0, reference.height, ROWS)
        reads = (ahead.submit(_read, reference, decoded, top) for top in tops)
        previous, current = None, next(reads).result()
        coming = next(reads, None)
        for top in tops:
            following = coming.result() if coming else None
            coming = next(reads, None)
            yield _joined(previous, current, following, top)
            if following is not None:
                previous, current = current, following


def _read(reference: BandGroup, decoded: BandGroup, top: int) -> Strip:
    height = min(ROWS, reference.height - top)
    window = Window(top, 0, height, reference.width)
    ours, theirs = reference.read(window), decoded.read(window)
    valid = ours.valid & theirs.valid
    lost = int(np.count_nonzero(ours.valid)) - int(np.count_nonzero(valid))
    return Strip(top, height, 0, _filled(ours, valid), _filled(theirs, valid), valid, lost)


def _filled(pixels: Pixels, valid: NDArray[np.bool_]) -> NDArray[Any]:
    return pixels.values if valid.all() else np.where(valid, pixels.values, pixels.values.dtype.type(0))


def _joined(above: Strip | None, core: Strip, below: Strip | None, row: int) -> Strip:
    def stack(name: str) -> NDArray[Any]:
        parts = [] if above is None else [getattr(above, name)[:, -CONTEXT:]]
        parts.append(getattr(core, name))
        if below is not None:
            parts.append(getattr(below, name)[:, :CONTEXT])
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    margin = 0 if above is None else CONTEXT
    return Strip(row, core.height, margin, stack("reference"), stack("decoded"), stack("valid"), core.lost)
