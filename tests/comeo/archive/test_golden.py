"""Archives of version 1 are read for ever: the same facts, masks and pixels.

The files in `golden` were written by the last program that wrote version 1; they are never made anew. A
reader that fails here cannot read the archives that exist.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.archive import Archive, Level, open_archive
from comeo.errors import ArchiveError
from comeo.scene import Window

GOLDEN = Path(__file__).parent / "golden"
EXPECTED: dict[str, dict[str, Any]] = json.loads((GOLDEN / "golden.json").read_text())
CELLS = 8
# Sums may be rounded differently by other processors: a digital number here and there.
ROUNDING = 0.02


def cell_means(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Means of 8×8 parts of a level, invalid pixels counting as 0: (bands, 8, 8)."""
    rows = np.array_split(np.nan_to_num(pixels.astype(np.float64)), CELLS, axis=1)
    return np.stack(
        [[cell.mean(axis=(1, 2)) for cell in np.array_split(row, CELLS, axis=2)] for row in rows]
    ).transpose(2, 0, 1)


def as_before(found: Any, expected: Any) -> Any:
    """What is found, without the members that descriptions have got since, and the PSNR of decibels."""
    if isinstance(expected, dict):
        since = {"psnr"} if expected.get("psnr", 0) is None else set()  # decibels had no peak then
        return {
            key: None if key in since else as_before(found[key], value) for key, value in expected.items()
        }
    return found


def read_level(archive: Archive, level: Level) -> dict[str, Any]:
    """What a level decodes to."""
    pixels = archive.read(level, Window(0, 0, level.height, level.width))
    special = np.isnan(pixels) if pixels.dtype.kind == "f" else (pixels == 0) | (pixels == 65535)
    return {
        "pixels": hashlib.sha256(pixels.tobytes()).hexdigest(),
        "special": hashlib.sha256(np.packbits(special).tobytes()).hexdigest(),
        "means": cell_means(pixels),
    }


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_archives_of_version_1_are_read_as_ever(name: str) -> None:
    expected = EXPECTED[name]
    with open_archive(GOLDEN / name) as archive:
        assert as_before(archive.info(), expected["info"]) == expected["info"]
        for group in archive.groups.values():
            for level in group.levels:
                wanted, found = expected["levels"][f"{group.name}/{level.number}"], read_level(archive, level)
                assert found["special"] == wanted["special"]
                if found["pixels"] != wanted["pixels"]:
                    np.testing.assert_allclose(found["means"], wanted["means"], rtol=0, atol=ROUNDING)


def test_there_are_golden_archives_of_every_kind() -> None:
    assert {path.name for path in GOLDEN.glob("*.zarr*")} == set(EXPECTED)
    kinds = {(facts["info"]["codec"], group["dtype"], len(group["levels"]))
             for facts in EXPECTED.values() for group in facts["info"]["groups"].values()}  # fmt: skip
    for codec in ("dct", "jpeg2000", "learned"):
        assert {(codec, "uint16", 1), (codec, "uint16", 2), (codec, "float32", 1)} <= kinds


@pytest.mark.parametrize("name", ["dct_uint16_masked.zarr.zip", "learned_float32_masked.zarr.zip"])
def test_damage_to_a_golden_archive_is_named(name: str, tmp_path: Path) -> None:
    path = Path(shutil.copy(GOLDEN / name, tmp_path / name))
    content = bytearray(path.read_bytes())
    content[200] ^= 1  # in the payload of the first block
    path.write_bytes(content)
    with open_archive(path) as archive, pytest.raises(ArchiveError, match=r"block \(0, 0\) of r10m/0"):
        read_level(archive, archive.groups["r10m"].levels[0])
    path.write_bytes(content[:-1])
    with pytest.raises(ArchiveError, match="ZIP directory"):
        open_archive(path)
