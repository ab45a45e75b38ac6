"""Archives of which not all is here, made of whole ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine

from comeo.archive import open_archive
from comeo.archive.ranges import Ranges, pieces_of
from comeo.archive.stores.extents import Extents
from comeo.archive.stores.sparse import SparseWriter
from comeo.compression import compress
from tests.scenes import array_classes, array_group, array_scene, landscape, patchy

HEIGHT, WIDTH = 2304, 160
FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)


def long_archive(folder: Path, scene_id: str = "long", day: int = 1) -> Path:
    """A narrow scene: a group with an overview, one predicted from it that has no overview, and classes."""
    fine = landscape(2, HEIGHT, WIDTH, seed=day)
    means = fine[:1].reshape(1, HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(2, 4))
    coarse = np.clip(means, 1, None).astype(np.uint16)
    scene = array_scene(
        array_group(fine, np.ones(fine.shape, bool), names=["B04", "B08"], transform=FINE),
        array_group(
            coarse, np.ones(coarse.shape, bool), names=["B11"], transform=FINE @ Affine.scale(2)
        ),
        scene_id=scene_id, collection="optical", day=day,
        classes=array_classes(patchy(HEIGHT // 2, WIDTH // 2)),
    )  # fmt: skip
    return compress(scene, folder / f"{scene_id}.zarr.zip", codec="dct", step=120.0)


def ranges_of(whole: Path) -> Ranges:
    """Ranges of a whole archive, which need nothing of it any more."""
    with open_archive(whole) as archive:
        return pieces_of(archive)


def etag_of(whole: Path) -> str:
    """The ETag of a whole archive."""
    with open_archive(whole) as archive:
        return archive.etag


def bring(whole: Path, folder: Path, extents: Extents, layers: Sequence[str] = ("head",)) -> Path:
    """Publish bytes of an archive as a part in a folder, beside what is there of it."""
    content, etag = whole.read_bytes(), etag_of(whole)
    path = folder / f"{whole.name.removesuffix('.zarr.zip')}.zarr.part"
    writer = SparseWriter.create(path, len(content), etag)
    for start, stop in extents:
        writer.write(start, content[start:stop])
    writer.publish(layers, writer.published.union(extents))
    writer.close()
    return path
