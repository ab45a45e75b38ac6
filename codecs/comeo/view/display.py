"""Ranges and histograms from an archive's own decoded values, where nothing else tells them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.archive import Archive, ArchiveGroup
from comeo.archive.blocks import valid_mask
from comeo.archive.histogram import PERCENTAGES, Histogram
from comeo.errors import ComeoError, NotHereError
from comeo.missions import QUANTITIES
from comeo.scene import Band

logger = logging.getLogger(__name__)

_PERCENTILES: Final = (2.0, 98.0)
_MOST_BLOCKS: Final = 16


def bands_to_show(archive: Archive) -> tuple[Band, ...]:
    """All bands of an archive, finest first; those that nothing says a range of with one of their own.

    A band whose values cannot be decoded keeps none, and is logged.
    """
    return tuple(band for group in archive.groups.values() for band in _of_group(archive, group))


def _of_group(archive: Archive, group: ArchiveGroup) -> tuple[Band, ...]:
    if all(band.unit in QUANTITIES or band.display for band in group.bands):
        return group.bands
    try:
        values, valid = _sample(archive, group)
    except NotHereError:  # and is looked at again when more is
        return group.bands
    except ComeoError as error:
        logger.warning("%s: the range of its bands is unknown: %s", archive.name, error)
        return group.bands
    return tuple(
        band
        if band.unit in QUANTITIES or band.display
        else replace(band, display=_range(band, values[row][valid[row]]))
        for row, band in enumerate(group.bands)
    )


def sampled_histograms(archive: Archive, group: ArchiveGroup) -> list[Histogram | None]:
    """Histograms of decoded pixels of blocks spread over the coarsest level, for an archive that keeps none.

    Args:
        archive: The scene.
        group: Of whose bands.

    Returns:
        One a band; None for a band without a valid pixel there.

    Raises:
        ArchiveError: If a block is damaged.
    """
    values, valid = _sample(archive, group)
    kept = [row[known].astype(np.float64) for row, known in zip(values, valid, strict=True)]
    return [Histogram(np.percentile(row, PERCENTAGES)) if row.size else None for row in kept]


def _sample(archive: Archive, group: ArchiveGroup) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values (bands, pixels) of blocks spread over the coarsest level, and where they are valid."""
    level = group.levels[-1]
    rows, cols = level.grid
    places = [(row, col) for row in range(rows) for col in range(cols)]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(len(places), _MOST_BLOCKS), dtype=int))
    blocks = archive.decode_blocks(level, [places[index] for index in chosen])
    values = np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)
    return values, valid_mask(values, group.has_nodata)


def _range(band: Band, numbers: NDArray[Any]) -> tuple[float, float] | None:
    """(black, white) in physical values; a little apart where all are alike."""
    if not numbers.size:
        return None
    ends = np.percentile(numbers.astype(np.float64), _PERCENTILES) * band.scale + band.offset
    low, high = float(ends.min()), float(ends.max())
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))
