"""Model files are read only as they were shipped, to the last byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from comeo.codecs.learned import model, models
from comeo.codecs.learned.model import SUMS, read_models
from comeo.errors import CodecError

SHIPPED = Path(model.__file__).parent / "models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED, tmp_path / "models")
    return tmp_path / "models"


def test_whole_files_are_read(folder: Path) -> None:
    found = read_models(folder)
    assert [(one.name, one.digest, one.flat) for one in found.values()] == [
        (one.name, one.digest, one.flat) for one in models().values()
    ]


@pytest.mark.parametrize("name", ["sentinel1-1.bin", "sentinel2-2.bin", "sentinel2-1.zip"])
@pytest.mark.parametrize("place", [0.0, 0.5, 0.9999])
def test_a_damaged_byte_is_noticed(name: str, place: float, folder: Path) -> None:
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content))] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CodecError, match=rf"{name} is damaged, its SHA-256 is not .* install comeo again"):
        read_models(folder)


def test_a_file_without_a_digest_is_none(folder: Path) -> None:
    lines = (folder / SUMS).read_text().splitlines(keepends=True)
    (folder / SUMS).write_text("".join(lines[1:]))
    with pytest.raises(CodecError, match=r"sentinel1-1\.bin is damaged"):
        read_models(folder)


def test_digests_are_written_as_they_are_read(folder: Path) -> None:
    flat = pytest.importorskip("training.flat", reason="training needs onnx")
    before = (folder / SUMS).read_text()
    (folder / SUMS).unlink()
    flat.write_sums(folder)
    assert (folder / SUMS).read_text() == before
