"""Clouds coded more coarsely than the ground, where a scene's classes say which pixels are cloud.

Only the class `cloud` is: through thin cloud and in shadows ground is seen, and what is doubtful may be ground.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from affine import Affine

from comeo.archive import Level
from comeo.archive.clear import ClearLayer
from comeo.archive.clouds import COARSE
from comeo.codecs import Codec
from comeo.codecs.ground import Mask
from comeo.errors import SourceError
from comeo.missions.clear import BY_NAME, CLOUD, counts_of, shares_of
from comeo.scene import Scene, Window

PROPERTY: Final = "comeo:clouds"


@dataclass(frozen=True)
class Ground:
    """The ground of a scene: all but what is cloud.

    Attributes:
        layer: Its classes.
    """

    layer: ClearLayer

    @property
    def cloud_share(self) -> float:
        """Pixels that are cloud, in percent of those with a class."""
        shares = shares_of(counts_of(self.layer.classes))
        return 0.0 if shares is None else shares[BY_NAME["cloud"].name]

    def under(self, transform: Affine, window: Window) -> Mask:
        """Which pixels of a window are ground: those whose centre lies in no pixel that is cloud.

        Args:
            transform: Pixel corner (column, row) of the window's grid to coordinates.
            window: Of that grid.

        Returns:
            (y, x).
        """
        grid = self.layer.grid
        there = ~grid.transform @ transform
        col, row = np.meshgrid(
            np.arange(window.width) + (window.col + 0.5), np.arange(window.height) + (window.row + 0.5)
        )
        cols = np.floor(there.a * col + there.b * row + there.c).astype(np.int64)
        rows = np.floor(there.d * col + there.e * row + there.f).astype(np.int64)
        inside = (cols >= 0) & (cols < grid.width) & (rows >= 0) & (rows < grid.height)
        ground = np.ones(col.shape, np.bool_)
        ground[inside] = self.layer.classes[rows[inside], cols[inside]] != CLOUD
        return ground

    def of_block(self, level: Level, row: int, col: int) -> Mask | None:
        """The ground of a block: see `under`; None in overviews, where all pixels count.

        Overviews take 4 % of an archive's bytes, and what is cloud in one of their pixels is ground in part.
        """
        if level.number:
            return None
        height, width = level.block_shape(row, col)[1:]
        return self.under(level.transform, Window(row * level.block, col * level.block, height, width))


def check_clouds(clouds: str | None, codec: Codec) -> None:
    """Refuse a way of coding clouds that there is not, or that a codec has not.

    Raises:
        SourceError: If there is no such way.
        CodecError: If the codec codes all pixels alike.
    """
    if clouds not in (None, COARSE):
        raise SourceError(f"clouds is {COARSE} or left out, not {str(clouds)[:40]!r}")
    if clouds is not None:
        codec.check_weighs()


def ground_of(scene: Scene, clouds: str | None, layer: ClearLayer | None) -> Ground | None:
    """The ground of a scene whose clouds are to be coded more coarsely; None if they are not.

    Raises:
        SourceError: If it is not known which pixels are cloud, or the classes have another projection.
    """
    if clouds is None:
        return None
    if layer is None or BY_NAME["cloud"].name not in layer.facts.classes:
        raise SourceError(
            f"it is not known which pixels of {scene.id} are cloud, which coding clouds {clouds} needs; give "
            "--clear scl for a product with its scene classification, --clear s2cloudless for one of level 1C "
            "with all its bands, or leave --clouds out"
        )
    for group in scene.groups:
        if group.crs != layer.grid.crs:
            raise SourceError(
                f"{group.name} of {scene.id} has another projection than the classes that say where clouds "
                "are; leave --clouds out"
            )
    return Ground(layer)


def marked(scene: Scene, clouds: str | None) -> Scene:
    """The scene with the STAC Item property that says how its clouds were coded."""
    return scene if clouds is None else replace(scene, properties={**scene.properties, PROPERTY: clouds})
