"""How certain the mean of a formula over an area is, by how certain the means of its bands are.

Measured on held-out scenes (`benchmarks/observations.py`): of NDVI over 40 ha the slope at the bands' means
states half of the error where dark pixels, on which an index hangs most, lie among bright ones; and what a
formula that is no straight line makes of errors of pixels does not cancel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comeo.grid import Grid
from comeo.indicators.expression import Expression
from comeo.indicators.uncertain import bending, propagate
from comeo.view.propagation import Errors, correlation, error_layers
from comeo.view.reader import ArchiveReader


def formula_errors(
    reader: ArchiveReader, expression: Expression, bands: Sequence[str], grid: Grid,
    values: Mapping[str, NDArray[Any]], kept: NDArray[Any], means: Errors, scales: Errors,
) -> list[float]:  # fmt: skip
    """Standard uncertainty that coding adds to the mean of each result of a formula over an area.

    Args:
        reader: Of the scene.
        expression: The formula.
        bands: Its bands.
        grid: Of the pixels; a sample of those of the area will do.
        values: (y, x) of each band, NaN where there is none.
        kept: (y, x) share of each pixel that counts.
        means: (bands, 1, 1) what coding adds to the mean of each band: `mean_errors`, in the unit of values.
        scales: (bands, 1, 1) what makes errors of stored numbers those of values.

    Returns:
        (results,); NaN where it is not known.

    Raises:
        NotFoundError: If the archive carries no certificate.
        BoundError: If the reader's budget does not suffice.
    """
    reader.budget.compute(grid.height * grid.width * expression.terms * (2 * len(bands) + 3))
    shape = len(bands), grid.height, grid.width
    independent = np.eye(len(bands), dtype=np.float32)
    slopes = propagate(expression, values, np.broadcast_to(means, shape), independent, of_means=True)
    errors = error_layers(reader, grid, bands) * scales
    bent = bending(expression, values, errors, correlation(reader.archive, bands))
    return [
        math.hypot(math.sqrt(_mean(slope.astype(np.float64) ** 2, kept)), _known(_mean(moved, kept)))
        for slope, moved in zip(slopes, bent, strict=True)
    ]


def _known(moved: float) -> float:
    """Where errors of all pixels reach what is not valid, nothing tells how the formula bends."""
    return 0.0 if math.isnan(moved) else moved


def _mean(layer: NDArray[Any], kept: NDArray[Any]) -> float:
    """Mean of what is known of a layer, each pixel by the share of it that counts; NaN of nothing."""
    weights = np.where(np.isfinite(layer), kept, 0).astype(np.float64)
    total = float(weights.sum())
    return float((np.nan_to_num(layer) * weights).sum()) / total if total else math.nan
