"""Zips are untrusted: no file lands outside, none is larger than it may be, damage is named."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import container as module
from comeo.sources import open_source
from comeo.sources.container import ZipContainer, open_container
from tests.safe_generator import Recipe

Make = Callable[..., tuple[Path, Recipe]]


def test_names_that_lead_out_stay_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "unpacked"))
    (tmp_path / "unpacked").mkdir()
    packed = tmp_path / "evil.zip"
    names = ("../../outside.jp2", "/absolute.jp2", "a/../../b.jp2", "..")
    with ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(ZipInfo(name), b"x")
    container = open_container(packed)
    for name in names[:3]:
        local = container.local(name)
        assert local.is_relative_to(tmp_path / "unpacked")
        assert local.read_bytes() == b"x"
    assert not (tmp_path / "outside.jp2").exists()
    assert container.below("a", "../b.jp2") is None
    container.close()


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BAND_BYTES", 1 << 20)
    packed = tmp_path / "bomb.zip"
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr("big.jp2", bytes(2 << 20))
        archive.writestr("MTD.xml", bytes(module.MAX_TEXT_BYTES + 1))
    container = open_container(packed)
    with pytest.raises(SourceError, match="has more than"):
        container.local("big.jp2")
    with pytest.raises(SourceError, match="has more than"):
        container.read("MTD.xml")
    container.close()


def test_a_size_that_lies_is_found(tmp_path: Path) -> None:
    packed = tmp_path / "liar.zip"
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr("big.jp2", bytes(1 << 20))
    content = packed.read_bytes()
    packed.write_bytes(content.replace((1 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    container = open_container(packed)
    with pytest.raises(SourceError, match="cannot be unpacked"):
        container.local("big.jp2")
    container.close()


def test_no_room_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "x.zip"
    with ZipFile(packed, "w") as archive:
        archive.writestr("a.jp2", b"12345")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=4))
    container = ZipContainer(packed)
    with pytest.raises(SourceError, match="set TMPDIR to a larger disk"):
        container.local("a.jp2")
    container.close()


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "twice.zip"
    with ZipFile(packed, "w") as archive:
        archive.writestr("a", b"1")
        archive.writestr("b", b"2")
    packed.write_bytes(packed.read_bytes().replace(b"b", b"a"))
    with pytest.raises(SourceError, match="one name twice"):
        open_container(packed)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip at all", bytes(1000)])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"is not a (readable )?zip"):
        open_source(path)


def test_damaged_zips_are_errors_of_ours(make_safe: Make, tmp_path: Path) -> None:
    path, _ = make_safe("L2A", size=60, zipped=True)
    content = path.read_bytes()
    reference = open_source(path)
    expected = [group.read(Window(0, 0, group.height, group.width)).values for group in reference.groups]
    reference.close()
    rng = random.Random(5)
    damaged = tmp_path / path.name
    refused = 0
    for attempt in range(60):
        changed = bytearray(content)
        if attempt % 3 == 0:
            changed = changed[: rng.randrange(len(content))]
        else:
            changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        damaged.write_bytes(changed)
        try:
            scene = open_source(damaged)
        except SourceError as error:
            assert str(error)
            refused += 1
            continue
        values = [group.read(Window(0, 0, group.height, group.width)).values for group in scene.groups]
        assert all((a == b).all() for a, b in zip(values, expected, strict=True))
        scene.close()
    assert refused > 20
