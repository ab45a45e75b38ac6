"""Archives of tiny blocks: a few kilobytes that claim a hundred thousand of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from affine import Affine

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import BoundError
from comeo.grid import Grid
from comeo.view.budget import Budget, Limit, Limits
from comeo.view.reader import ArchiveReader, block_cache
from tests.comeo.archive.rewriting import change_document
from tests.scenes import array_group, array_scene, landscape

SIDE, BLOCK = 4096, 16
DEFAULT = 3 << 26


def _claiming(path: Path) -> Path:
    """An archive of version 1, of which shards may be missing, that claims 65 536 blocks."""

    def root(document: Any) -> Any:
        facts = document["attributes"]["comeo"]
        facts["format_version"] = 1
        for name in ("shards", "means", "histograms", "certificate"):
            facts.pop(name, None)
        return document

    def array(document: Any) -> Any:
        document["shape"] = [1, SIDE, SIDE]
        document["chunk_grid"]["configuration"]["chunk_shape"] = [1, SIDE, SIDE]
        document["codecs"][0]["configuration"]["chunk_shape"] = [1, BLOCK, BLOCK]
        return document

    compress(array_scene(array_group(landscape(1, 40, 40))), path, codec="dct", step=40)
    change_document(path, "zarr.json", root)
    change_document(path, "r10m/0/data/zarr.json", array)
    path.write_bytes(path.read_bytes().replace(b"r10m/0/data/c/0/0/0", b"r10m/0/data/c/0/9/9"))
    return path


def test_an_image_of_very_many_blocks_is_refused_before_any_is_looked_at(tmp_path: Path) -> None:
    with open_archive(_claiming(tmp_path / "tiny.zarr.zip")) as archive:
        group = archive.groups["r10m"]
        level = group.levels[0]
        whole = Grid(group.crs, level.transform @ Affine.scale(64), SIDE // 64, SIDE // 64)
        corner = Grid(group.crs, level.transform, 64, 64)

        def reader() -> ArchiveReader:
            budget = Budget(Limits(decoded=Limit(DEFAULT, "max_decoded_samples")))
            return ArchiveReader(archive, block_cache(1 << 20), budget)

        with pytest.raises(BoundError, match="decoded samples"):
            reader().read(whole, ["B01"])
        assert not reader().read(corner, ["B01"]).array.data.any()
