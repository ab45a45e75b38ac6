"""What an encoder looks at where only part of a block matters: its ground; elsewhere errors weigh less.

Bytes that clouds take are bytes that the ground lacks. So an encoder may be told which pixels are ground, and
then minimises an error in which all others count a sixteenth: quantised four times as coarsely, in effect. A
decoder need not know of it.

What is weighed are tiles of the lapped transform: a tile weighs less only if none of its pixels is ground. It
reaches 8 pixels into its neighbours, of which those nearest to a cloud lose a little. Weighing only tiles
that reach no ground leaves out two of three in small clouds; weighing all by their share of ground costs the
two pixels beside clouds a tenth more error. Spectral transforms may be fitted to ground, from which it gains
most: a block has one, and clouds have other colours. Predictions from a finer group are not: fitted to ground
they cost 2 to 14 % of the bytes of what is predicted, for what lies beside clouds.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.lapped import SIZE, tile_grid
from comeo.errors import CodecError

CLOUD_WEIGHT: Final = 1 / 16
"""Share that the squared error of what is not ground counts: `weight` of an archive's `clouds`."""
_FEWEST: Final = SIZE * SIZE  # pixels of ground that a transform is fitted to

Mask = NDArray[np.bool_]
Shares = NDArray[np.float64]


def check_ground(ground: Any, height: int, width: int) -> None:
    """Refuse what is no mask of a block of this size.

    Raises:
        CodecError: Saying what it has to be.
    """
    if not isinstance(ground, np.ndarray) or ground.dtype != np.bool_ or ground.shape != (height, width):
        raise CodecError(f"the ground is a NumPy array of bool ({height}, {width}), True where it is")


def tile_shares(ground: Mask) -> Shares:
    """Share that the squared error of each tile counts: 1 where any of it is ground.

    Args:
        ground: (y, x), pixels that matter.

    Returns:
        (⌈y/16⌉, ⌈x/16⌉).
    """
    height, width = ground.shape
    rows, columns = tile_grid(height, width)
    padded = np.pad(ground, ((0, rows * SIZE - height), (0, columns * SIZE - width)))
    tiles = padded.reshape(rows, SIZE, columns, SIZE)
    return np.where(tiles.any(axis=(1, 3)), 1.0, CLOUD_WEIGHT)


def fitted_to(ground: Mask, usable: Mask | None) -> Mask | None:
    """Pixels that a block's transform may be fitted to: those of ground, unless these are too few.

    Args:
        ground: (y, x).
        usable: (1 or bands, y, x) pixels with values; None: all.

    Returns:
        As `usable`.
    """
    both = ground[None] if usable is None else usable & ground
    return both if np.count_nonzero(both.all(axis=0)) >= _FEWEST else usable
