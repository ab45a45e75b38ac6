"""Layout of a scene's archive: levels and blocks of each group."""

from __future__ import annotations

from affine import Affine

from comeo.archive.model import BLOCK, ArchiveGroup, Level
from comeo.archive.shard import shard_sides
from comeo.codecs.base import MAX_REDUCE
from comeo.scene import BandGroup, Scene

# A stored level costs rate, a missing one costs time on zoomed-out tiles. Codecs decode at 1/8 of the size
# for little, so a level is stored only when 8×8 blocks of the one before no longer cover the grid.
LEVEL_SPACING = MAX_REDUCE
MAX_BLOCKS_AT_COARSEST = 8


def level_numbers(height: int, width: int) -> list[int]:
    """Levels to store for a grid."""
    numbers = [0]
    while max(height, width) > (BLOCK * MAX_BLOCKS_AT_COARSEST) << numbers[-1]:
        numbers.append(numbers[-1] + LEVEL_SPACING)
    return numbers


def plan_group(group: BandGroup, step: float) -> ArchiveGroup:
    """Lay out a group's levels."""
    levels = []
    for number in level_numbers(group.height, group.width):
        height, width = -(-group.height >> number), -(-group.width >> number)
        levels.append(
            Level(
                group=group.name,
                number=number,
                height=height,
                width=width,
                transform=group.transform @ Affine.scale(2**number),
                block=BLOCK,
                shard=shard_sides(-(-height // BLOCK), -(-width // BLOCK)),
                bands=len(group.bands),
                dtype=group.dtype,
                step=step,
            )
        )
    return ArchiveGroup(group.name, group.bands, group.crs, group.dtype, group.has_nodata, tuple(levels))


def plan(scene: Scene, step: float) -> list[ArchiveGroup]:
    """Lay out a scene's groups."""
    return [plan_group(group, step) for group in scene.groups]
