"""Clouds coded more coarsely than the ground, where a scene's classes say which pixels are cloud.

Only the class `cloud` is: through thin cloud and in shadows ground is seen, and what is doubtful may be it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from comeo.archive import Level
from comeo.archive.clear import ClearLayer, classes_under
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

    def of_block(self, level: Level, row: int, col: int) -> Mask | None:
        """The ground of a block, (y, x): pixels whose centre lies in none that is cloud.

        None in overviews, where all pixels count.

        Overviews take 4 % of an archive's bytes, and what is cloud in one of their pixels is ground in part.
        """
        if level.number:
            return None
        height, width = level.block_shape(row, col)[1:]
        window = Window(row * level.block, col * level.block, height, width)
        classes = classes_under(self.layer.classes, self.layer.grid, level.transform, window)
        return np.asarray(classes != CLOUD)


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
            "--clear scl for a product with its scene classification, --clear s2cloudless for one of level "
            "1C with all its bands, or leave --clouds out"
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
