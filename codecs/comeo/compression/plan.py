"""Layout of a scene's archive: levels and blocks of each group."""

from __future__ import annotations

from collections.abc import Sequence

from affine import Affine

from comeo.archive.model import BLOCK, ArchiveGroup, Level
from comeo.archive.shard import shard_sides
from comeo.codecs.base import MAX_REDUCE
from comeo.decibel import uses_power
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


def plan_group(group: BandGroup, step: float, finer: Sequence[ArchiveGroup] = ()) -> ArchiveGroup:
    """Lay out a group's levels, and find which of finer groups' they can be predicted from.

    Decibels are not predicted, nor is anything from them: corrections of a block are known a row later.
    """
    near = [] if uses_power(group.bands) else [other for other in finer if not uses_power(other.bands)]
    same = [level for other in near if other.crs == group.crs for level in other.levels]
    levels = []
    for number in level_numbers(group.height, group.width):
        height, width = -(-group.height >> number), -(-group.width >> number)
        level = Level(
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
        levels.append(next(filter(None, map(level.predicted_from, same)), level))
    return ArchiveGroup(group.name, group.bands, group.crs, group.dtype, group.has_nodata, tuple(levels))


def plan(scene: Scene, step: float, *, independent_groups: bool = False) -> list[ArchiveGroup]:
    """Lay out a scene's groups, each predicted from a finer one where there is one of half its pixel size.

    Args:
        scene: The scene.
        step: Quantisation step of all levels.
        independent_groups: Whether every group is to be decoded without another.
    """
    groups: list[ArchiveGroup] = []
    for group in scene.groups:
        groups.append(plan_group(group, step, () if independent_groups else groups))
    return groups
