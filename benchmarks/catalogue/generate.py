"""Many real archives out of a few: the payloads of the samples with other ids, dates and places."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from comeo.archive import Archive, ArchiveGroup, ArchiveWriter, open_archive
from comeo.compression.item import build_item
from comeo.scene import BandGroup, Pixels, Scene, Window

COLLECTIONS = ("sentinel-2-l2a", "sentinel-2-l1c", "fields", "lakes")
FIRST_DAY = datetime(2015, 7, 1, tzinfo=UTC)
DAYS = 4000
TILE_METRES = 109_800


def generate(samples: list[Path], folder: Path, count: int, seed: int = 0) -> None:
    """Write archives, the same for the same seed.

    Args:
        samples: Archives to take payloads from, in turn.
        folder: Where to write.
        count: How many.
        seed: Of dates and places.
    """
    chance = random.Random(seed)
    for number in range(count):
        with open_archive(samples[number % len(samples)]) as archive:
            write_copy(archive, folder, f"S2_{number:05}", chance)


def write_copy(archive: Archive, folder: Path, name: str, chance: random.Random) -> None:
    """Write an archive's payloads under another id, on a day and in a place drawn by chance."""
    groups = moved(archive, chance)
    moment = FIRST_DAY + timedelta(days=chance.randrange(DAYS), seconds=chance.randrange(86_400))
    collection = chance.choice(COLLECTIONS)
    properties = {"platform": chance.choice(["sentinel-2a", "sentinel-2b"]), "constellation": "sentinel-2",
                  "instruments": ["msi"], "eo:cloud_cover": round(chance.uniform(0, 100), 2)}  # fmt: skip
    scene = Scene(name, collection, moment, tuple(map(described, groups)), properties)
    spans = np.tile([0, groups[0].levels[0].width], (groups[0].levels[0].height, 1))
    item = build_item(scene, spans)
    writer = ArchiveWriter(folder / f"{name}.zarr.zip", groups, codec=archive.codec)
    for group in groups:
        for level in group.levels:
            rows, cols = level.grid
            for row in range(rows):
                for col in range(cols):
                    payload = archive.payload(level, row, col)
                    writer.add(level, row, col, None if payload is None else bytes(payload))
    facts = {"raw_bytes": archive.raw_bytes, "step": archive.step, "source": archive.source}
    writer.finish(item, facts, lambda _: None)
    writer.commit(replace=True)


def moved(archive: Archive, chance: random.Random) -> list[ArchiveGroup]:
    """The groups of an archive somewhere in another UTM zone, on the grid of Sentinel-2's tiles."""
    crs = CRS.from_epsg(chance.choice([32600, 32700]) + chance.randint(1, 60))
    east = 300_000 + TILE_METRES * chance.randint(0, 3)
    north = TILE_METRES * chance.randint(10, 60)
    origin = next(iter(archive.groups.values())).levels[0].transform
    shift = Affine.translation(east - origin.c, north - origin.f)
    return [
        replace(
            group,
            crs=crs,
            levels=tuple(replace(level, transform=shift @ level.transform) for level in group.levels),
        )
        for group in archive.groups.values()
    ]


def described(group: ArchiveGroup) -> BandGroup:
    """What the description of a scene needs of a group."""
    level = group.levels[0]

    def read(window: Window) -> Pixels:
        raise NotImplementedError

    return BandGroup(
        group.name, group.bands, level.height, level.width, level.dtype, group.crs, level.transform,
        group.has_nodata, read,
    )  # fmt: skip
