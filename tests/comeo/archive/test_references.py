"""Archives whose groups are predicted from a finer one, from compression to every way of reading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from comeo.archive import Archive, Level, open_archive
from comeo.archive.references import finer_blocks
from comeo.codecs.payload import is_predicted
from comeo.compression import compress
from comeo.compression.plan import plan
from comeo.errors import ArchiveError, BoundError
from comeo.scene import Scene, Window
from comeo.view.budget import Budget, Limit, Limits
from comeo.view.reader import ArchiveReader, block_cache
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import array_group, array_scene, corner_cut, landscape

STEP = 120.0
FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
COARSE = FINE @ Affine.scale(2)


def scene(height: int = 1100, width: int = 700) -> Scene:
    """Six bands of 20 m that are mixtures of four of 10 m, smoothed; nodata beyond a diagonal."""
    fine = landscape(4, height, width)
    rows, cols = height // 2, width // 2
    half = fine[:, : 2 * rows, : 2 * cols].reshape(4, rows, 2, cols, 2).mean(axis=(2, 4))
    mixing = np.random.default_rng(5).uniform(0, 0.4, (6, 4))
    coarse = np.stack([uniform_filter(band, 3) for band in np.einsum("ij,jyx->iyx", mixing, half)])
    coarse = np.clip(coarse + np.random.default_rng(6).normal(0, 20, coarse.shape), 1, None).astype(np.uint16)
    return array_scene(
        array_group(fine, corner_cut(fine.shape), transform=FINE),
        array_group(coarse, corner_cut(coarse.shape), names=[f"C{k}" for k in range(6)], transform=COARSE),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compress(scene(), tmp_path_factory.mktemp("predicted") / "s.zarr.zip", codec="dct", step=STEP)


def whole(archive: Archive, level: Level, reduce: int = 0) -> NDArray[Any]:
    return archive.read(level, Window(0, 0, level.height, level.width), reduce)


def test_a_group_is_smaller_and_as_good_and_its_masks_are_exact(path: Path, tmp_path: Path) -> None:
    source = scene()
    alone = compress(source, tmp_path / "alone.zarr.zip", codec="dct", step=STEP, independent_groups=True)
    sizes, errors = [], []
    for name in (path, alone):
        with open_archive(name) as archive:
            level = archive.groups["r20m"].levels[0]
            pixels = source.groups[1].read(Window(0, 0, level.height, level.width))
            decoded = whole(archive, level)
            np.testing.assert_array_equal(decoded != 0, pixels.valid)
            errors.append(np.square(decoded.astype(float) - pixels.values)[pixels.valid].mean())
            blocks = [(row, col) for row in range(level.grid[0]) for col in range(level.grid[1])]
            payloads = [payload for payload in archive.payloads(level, blocks) if payload is not None]
            sizes.append(sum(map(len, payloads)))
            assert any(map(is_predicted, payloads)) == (name == path)
    assert sizes[0] < 0.7 * sizes[1]
    assert errors[0] < 1.1 * errors[1]


def test_what_was_certified_is_what_is_read(path: Path) -> None:
    source = scene()
    with open_archive(path) as archive:
        assert archive.certificate is not None
        level = archive.groups["r20m"].levels[0]
        pixels = source.groups[1].read(Window(0, 0, level.height, level.width))
        errors = np.where(pixels.valid, whole(archive, level).astype(float) - pixels.values, np.nan)
        measured = np.sqrt(np.nanmean(np.square(errors), axis=(1, 2)))
        np.testing.assert_allclose(archive.certificate.groups["r20m"].rmse, measured, rtol=1e-3)


@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_reduced_reads_are_means_of_the_full_one(path: Path, reduce: int) -> None:
    with open_archive(path) as archive:
        level = archive.groups["r20m"].levels[0]
        full = whole(archive, level)[:, :128, :128].astype(float)
        means = full.reshape(6, 128 >> reduce, 1 << reduce, -1, 1 << reduce).mean(axis=(2, 4))
        reduced = whole(archive, level, reduce)[:, : 128 >> reduce, : 128 >> reduce]
        assert np.sqrt(np.square(reduced - means).mean()) < STEP / np.sqrt(12) / 2**reduce / 4


def test_finer_blocks_are_decoded_once_kept_and_counted(path: Path) -> None:
    counted: list[int] = []
    with open_archive(path) as archive:
        reader = ArchiveReader(
            archive, block_cache(1 << 26), on_decoded=lambda _codec, blocks, _seconds: counted.append(blocks)
        )
        level = archive.groups["r20m"].levels[0]
        grid = reader.native_grid(["C0"])
        image = reader.read(grid, ["C0"], "nearest")
        np.testing.assert_array_equal(image.array.filled(0)[0], whole(archive, level)[0])
        blocks = [(row, col) for row in range(level.grid[0]) for col in range(level.grid[1])]
        finer = level.reference
        assert finer is not None
        payloads = zip(blocks, archive.payloads(level, blocks), strict=True)
        predicted = [block for block, payload in payloads if payload is not None and is_predicted(payload)]
        assert counted == [sum(len(finer_blocks(finer, level, *block)) for block in predicted), len(blocks)]
        under = [place for block in blocks for place in finer_blocks(finer, level, *block)]
        needed = 6 * 256**2 * len(blocks) + 4 * 128**2 * len(under)
        assert reader.budget.decoded == needed
        counted.clear()
        reader.read(grid, ["C0"], "nearest")
        assert not counted
        cramped = Budget(Limits(decoded=Limit(needed - 1, "max_decoded_samples")))
        with pytest.raises(BoundError):
            ArchiveReader(archive, block_cache(0), cramped).read(grid, ["C0"], "nearest")


def test_a_damaged_finer_block_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true = Archive.payloads

    def damaged(self: Archive, level: Level, blocks: Sequence[tuple[int, int]]) -> list[memoryview | None]:
        found = true(self, level, blocks)
        if level.group == "r10m" and (1, 0) in blocks:
            found[list(blocks).index((1, 0))] = memoryview(b"nothing")
        return found

    monkeypatch.setattr(Archive, "payloads", damaged)
    with open_archive(path) as archive, pytest.raises(ArchiveError, match=r"block \(1, 0\) of r10m/0"):
        archive.decode_blocks(archive.groups["r20m"].levels[0], [(0, 0)])


def test_plain_zarr_says_what_to_do_and_reads_independent_groups(path: Path, tmp_path: Path) -> None:
    with zarr.storage.ZipStore(path, mode="r") as store:
        array = zarr.open_array(store, path="r20m/0/data", mode="r")
        with pytest.raises(Exception, match=r"r10m/0/data.*engine=.comeo.*--independent-groups"):
            array[:, :64, :64]
    alone = compress(
        scene(300, 300), tmp_path / "s.zarr.zip", codec="dct", step=STEP, independent_groups=True
    )
    with zarr.storage.ZipStore(alone, mode="r") as store, open_archive(alone) as archive:
        array = zarr.open_array(store, path="r20m/0/data", mode="r")
        np.testing.assert_array_equal(array[:], whole(archive, archive.groups["r20m"].levels[0]))


@pytest.mark.parametrize("reference", ["r20m/0/data", "r10m/3/data", "r60m/0/data", 7])
def test_references_that_cannot_be_are_refused(path: Path, tmp_path: Path, reference: Any) -> None:
    copy = tmp_path / "odd.zarr.zip"
    copy.write_bytes(path.read_bytes())
    place = ("codecs", 0, "configuration", "codecs", 0, "configuration", "reference")
    change_document(copy, "r20m/0/data/zarr.json", put(*place, value=reference))
    change_document(
        copy, "zarr.json",
        put("consolidated_metadata", "metadata", "r20m/0/data", *place, value=reference),
    )  # fmt: skip
    with pytest.raises(ArchiveError, match=r"r20m/0"):
        open_archive(copy)


@pytest.mark.parametrize(
    ("rows", "cols", "shift", "predicted"),
    [
        (300, 200, 0, True),
        (301, 199, 0, True),
        (303, 200, 0, False),
        (300, 200, 10, True),  # a finer pixel
        (300, 202, -10, False),  # three finer pixels short
        (300, 200, 5, False),  # half of one
        (300, 200, 20, False),
    ],
)
def test_only_the_same_ground_at_half_the_resolution_is_predicted_from(
    rows: int, cols: int, shift: float, predicted: bool
) -> None:
    fine = array_group(landscape(4, rows, cols), transform=FINE)
    coarse = array_group(
        landscape(6, 150, 100), names=[f"C{k}" for k in range(6)],
        transform=Affine.translation(shift, 0) @ COARSE,
    )  # fmt: skip
    both = array_scene(fine, coarse)
    assert (plan(both, STEP)[1].levels[0].reference is not None) == predicted
    assert plan(both, STEP, independent_groups=True)[1].levels[0].reference is None


def test_overviews_are_predicted_too(tmp_path: Path) -> None:
    """Level 3 of a group from level 3 of the finer one, for scenes that have both."""
    fine, coarse = (array_group(np.ones((1, side, 1), np.uint16), names=[name], transform=transform)
                    for side, name, transform in ((4200, "A", FINE), (2100, "B", COARSE)))  # fmt: skip
    path = compress(array_scene(fine, coarse), tmp_path / "s.zarr.zip", codec="dct", step=STEP)
    with open_archive(path) as archive:
        levels = archive.groups["r20m"].levels
        assert [level.reference and level.reference.key for level in levels] == ["r10m/0/data", "r10m/3/data"]
        assert (whole(archive, levels[1]) == 1).all()
