"""Whole archives: the same as before, something well-formed, or an ArchiveError."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from affine import Affine

from comeo.archive import Archive, open_archive
from comeo.cache import array_cache
from comeo.compression import compress
from comeo.errors import ArchiveError
from comeo.grid import Grid
from comeo.scene import Window
from comeo.view.budget import Budget, Limit, Limits
from comeo.view.reader import ArchiveReader
from tests.fuzz import corpus
from tests.fuzz.mutations import mutated
from tests.fuzz.zipping import directory_damaged, rezipped
from tests.scenes import array_group, array_scene, corner_cut, landscape
from tileserver.catalog.entry import read_entry

_CODECS = ("dct", "jpeg2000", "learned")
_CORNER = 40  # pixels: less than two blocks' sides of the smallest block
_SAMPLES = 1 << 18


class ArchiveTarget:
    """Damaged archives, read as the server reads them."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="comeo-fuzz-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._path = self._folder / "fuzzed.zarr.zip"
        self._sound = [self._compressed(codec, number) for number, codec in enumerate(_CODECS)]
        self._inputs = [*self._sound, *(data for _, data in sorted(corpus.load("archives").items()))]
        self._readings = [self._read(data) for data in self._sound]

    def case(self, number: int) -> bytes:
        """Damage a sound archive in its bytes or its ZIP directory, or any in what the ZIP holds.

        A third of each: see `check` for why the first two start from sound ones alone.
        """
        random = Random(number)
        if number % 3 == 2:
            return rezipped(random.choice(self._inputs), random)
        original, other = random.choice(self._sound), random.choice(self._sound)
        if number % 3:
            return directory_damaged(original, random)
        return mutated(original, other, random)

    def check(self, data: bytes) -> str:
        """Read everything; see `Target`."""
        try:
            reading = self._read(data)
        except ArchiveError as error:
            assert self._path.name in str(error), str(error)
            assert "\n" not in str(error), str(error)
            return str(error).replace(self._path.name, "…")
        return "the same" if reading in self._readings else "well-formed"

    def _read(self, data: bytes) -> list[Any]:
        """What an archive says, and some of its pixels."""
        self._path.write_bytes(data)
        read_entry(str(self._path))
        with open_archive(self._path) as archive:
            facts = archive.info()
            facts.pop("archive_bytes"), facts.pop("ratio")
            return [facts, archive.item, *_corners(archive), *_pictures(archive)]

    def _compressed(self, codec: str, seed: int) -> bytes:
        values = landscape(2, 40, 300, seed=seed, dtype=np.float32 if seed == 1 else np.uint16)
        scene = array_scene(array_group(values, corner_cut(values.shape)))
        return compress(
            scene,
            self._folder / f"{codec}.zarr.zip",
            codec=codec,
            step=2.0 if seed == 1 else 400.0,
        ).read_bytes()


def _corners(archive: Archive) -> list[bytes]:
    """The first and the last pixels of every level."""
    out = []
    for group in archive.groups.values():
        for level in group.levels:
            height, width = min(level.height, _CORNER), min(level.width, _CORNER)
            for window in (
                Window(0, 0, height, width),
                Window(level.height - height, level.width - width, height, width),
            ):
                values = archive.read(level, window)
                assert values.shape == (level.bands, height, width)
                assert values.dtype == level.dtype
                out.append(values.tobytes())
    return out


def _pictures(archive: Archive) -> list[Any]:
    """The whole scene in a few pixels, as a map would show it."""
    reader = ArchiveReader(archive, array_cache(1 << 22), Budget(Limits(decoded=Limit(_SAMPLES, "fuzz"))))
    native = reader.native_grid()
    coarser = native.transform @ Affine.scale(native.width / 16, native.height / 16)
    image = reader.read(Grid(native.crs, coarser, 16, 16))
    return [image.array.shape, image.array.filled(0).tobytes()]
