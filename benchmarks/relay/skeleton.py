"""Archives of the shape and sizes of a whole Sentinel-2 product, whose blocks hold noise instead of pixels.

What a relay fetches and checks does not hang on what blocks show. Metadata, indexes, certificate and classes
are written by the same code as those of real archives; blocks are as long as `learned` makes them at ×100, in
groups and overviews (see `full_product`). It takes seconds, where a product takes minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from comeo.archive import ArchiveGroup, ArchiveWriter, Level, histogram, means
from comeo.archive import certificate as cert
from comeo.archive.certificate import GroupErrors
from comeo.archive.clear import ClearLayer
from comeo.archive.clear_model import ClearFacts
from comeo.compression.item import build_item
from comeo.compression.plan import plan
from comeo.grid import Grid
from comeo.missions.clear import CLASSES
from comeo.scene import BandGroup
from tests.safe_generator import FULL_SIZE, NATIVE, ULX, ULY
from tests.scenes import UTM32, array_group, array_scene, patchy

STEP: Final = 988.0
_NATIVE_BYTES: Final = {"r10m": 10_400_000, "r20m": 2_360_000, "r60m": 190_000}
_OVERVIEW_SHARE: Final = 0.0391
_SPREAD: Final = 0.3  # of the logarithm of blocks' lengths


def skeleton(path: Path, scene_id: str, day: int = 1) -> Path:
    """Write an archive.

    Args:
        path: Its name.
        scene_id: Of the scene.
        day: Of May 2020.
    """
    chance = np.random.default_rng(day)
    scene = array_scene(*_groups(), scene_id=scene_id, collection="sentinel-2-l2a", day=day)
    groups = plan(scene, STEP)
    writer = ArchiveWriter(path, groups, codec="dct", clear=_classes(day))
    for group in groups:
        for level in group.levels:
            _fill(writer, level, chance)
    spans = np.tile([0, FULL_SIZE], (FULL_SIZE, 1))
    facts = {"step": STEP, "raw_bytes": scene.raw_bytes, "source": {"name": f"{scene_id}.SAFE", "sha256": ""}}
    writer.finish(build_item(scene, spans), facts, lambda _: None, lambda _: _certified(groups, chance))
    return writer.commit()


def _groups() -> list[BandGroup]:
    found = []
    for metres, names in NATIVE.items():
        bands = [name for name in names if name != "B10"]
        side = FULL_SIZE * 10 // metres
        nothing = np.broadcast_to(np.uint16(1), (len(bands), side, side))
        transform = Affine(metres, 0, ULX, 0, -metres, ULY)
        found.append(array_group(nothing, nothing > 0, names=bands, transform=transform, crs=UTM32))
    return found


def _fill(writer: ArchiveWriter, level: Level, chance: np.random.Generator) -> None:
    rows, cols = level.grid
    total = _NATIVE_BYTES[level.group] * (_OVERVIEW_SHARE if level.number else 1.0)
    lengths = np.exp(chance.normal(0, _SPREAD, (rows, cols)))
    lengths *= total / lengths.sum()
    for row in range(rows):
        for col in range(cols):
            writer.add(level, row, col, chance.bytes(max(16, round(lengths[row, col]))))


def _classes(seed: int) -> ClearLayer:
    side = FULL_SIZE // 6
    facts = ClearFacts(source="SCL", classes=tuple(each.name for each in CLASSES))
    grid = Grid(UTM32, Affine(60, 0, ULX, 0, -60, ULY), side, side)
    return ClearLayer(patchy(side, side, seed), grid, facts)


def _certified(groups: list[ArchiveGroup], chance: np.random.Generator) -> dict[str, object]:
    """Errors by block, spread as those of real scenes are, in the fullest certificate; and histograms."""
    bands = sum(len(group.bands) for group in groups)
    counts = [np.bincount(chance.normal(1500, 300, 20_000).astype(int).clip(1)) for _ in range(bands)]
    errors = {group.name: _errors(group, chance) for group in groups}
    return {
        "means": means.encode([*chance.uniform(0.3, 1.5, 2 * bands)]),
        "histograms": histogram.encode([(each, np.dtype(np.uint16)) for each in counts]),
        "certificate": cert.encode(errors, [group.layout for group in groups], STEP, cert.DETAILS[0]),
    }


def _errors(group: ArchiveGroup, chance: np.random.Generator) -> GroupErrors:
    layout = group.layout
    shape = (layout.bands, layout.rows, layout.cols)
    rmse = 100.0 * np.exp(chance.normal(0, 0.2, shape)).astype(np.float32)
    correlation = np.eye(layout.bands) * 0.5 + 0.5
    whole = np.sqrt(np.square(rmse.astype(np.float64)).mean(axis=(1, 2)))
    peak: NDArray[np.float32] = rmse * np.exp(chance.normal(1.8, 0.15, shape)).astype(np.float32)
    bias = rmse * chance.normal(0, 0.015, shape).astype(np.float32)
    return GroupErrors(
        whole, peak.max(axis=(1, 2)).astype(np.float64), bias.mean(axis=(1, 2)).astype(np.float64),
        correlation, rmse, peak, bias,
    )  # fmt: skip
