"""The reader of docs/format/reader, written in JavaScript from the documents alone, against this one."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.archive import open_archive
from comeo.codecs import get_codec
from comeo.scene import Window
from tools.format_vectors import FOLDER

MAIN = FOLDER.parent / "reader" / "main.mjs"
GOLDEN = Path(__file__).parent / "golden"
# of a second implementation with sums in another order: digital numbers, and how many of them
SHARE = 2e-3

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", MAIN, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def read(*arguments: str | Path) -> Any:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_same(found: NDArray[Any], wanted: NDArray[Any]) -> None:
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4)
        return
    difference = np.abs(found.astype(int) - wanted)
    assert difference.max(initial=0) <= 1
    assert np.mean(difference > 0) < SHARE
    np.testing.assert_array_equal((found == 0) | (found == 65535), (wanted == 0) | (wanted == 65535))


@pytest.mark.parametrize(
    "place",
    [
        *(FOLDER / f"dct_{name}.zarr.zip" for name in ("two_groups", "decibels", "overview")),
        GOLDEN / "dct_uint16_masked.zarr.zip",
    ],
    ids=lambda place: f"{place.parent.name}-{place.name}",
)
def test_it_decodes_whole_archives(place: Path, tmp_path: Path) -> None:
    read("archive", place, tmp_path / "pixels")
    raw = (tmp_path / "pixels").read_bytes()
    with open_archive(place) as archive:
        for group in archive.groups.values():
            for level in group.levels:
                wanted = archive.read(level, Window(0, 0, level.height, level.width))
                found = np.frombuffer(raw[: wanted.nbytes], wanted.dtype).reshape(wanted.shape)
                assert_same(found, wanted)
                raw = raw[wanted.nbytes :]
    assert not raw


@pytest.mark.parametrize("place", sorted(FOLDER.glob("*_two_groups.zarr.zip")), ids=lambda place: place.name)
def test_it_reads_what_archives_state(place: Path) -> None:
    found = read("archive", place)
    with open_archive(place) as archive:
        assert (found["id"], found["version"], found["step"]) == (archive.id, 2, archive.step)
        assert found["certainty"] == pytest.approx(list(archive.certainty.values()))
        for band, percentiles in found["histograms"].items():
            histogram = archive.histogram(band)
            assert histogram is not None
            assert list(percentiles.values()) == histogram.values.tolist()
        levels = [level for group in archive.groups.values() for level in group.levels]
        assert [level["key"] for level in found["levels"]] == [level.key for level in levels]
        for level, stated in zip(levels, found["levels"], strict=True):
            pixels = archive.read(level, Window(0, 0, level.height, level.width))
            assert stated["codec"] == archive.codec
            assert stated["valid"] == np.count_nonzero(pixels)
            assert stated["saturated"] == np.count_nonzero(pixels == 65535)
        assert archive.certificate is not None
        for group, errors in zip(archive.certificate.groups.values(), found["certificate"], strict=True):
            assert errors["rmse"] == pytest.approx(list(group.rmse))
            assert errors["maximum"] == pytest.approx(list(group.maximum))
            assert errors["bias"] == pytest.approx(list(group.bias), abs=1e-9)
            if "blocks" in errors and group.block_rmse is not None:
                rmse = [np.nan if value is None else value for value in errors["blocks"]["rmse"]]
                np.testing.assert_allclose(rmse, group.block_rmse.ravel(), rtol=1e-5)


@pytest.mark.parametrize("place", sorted(FOLDER.glob("*.payload")), ids=lambda place: place.stem)
def test_it_reads_payloads(place: Path, tmp_path: Path) -> None:
    """Those of `dct` to their pixels, of the others masks and what comes before networks and packets."""
    pixels = tmp_path / "pixels"
    codec = place.stem.split("_")[0]
    found = read("payload", place, *([pixels] if codec == "dct" else []))
    wanted = get_codec(codec).decode(place.read_bytes())
    assert (found["codec"], found["bands"], found["height"], found["width"]) == (codec, *wanted.shape)
    assert found["float"] == (wanted.dtype.kind == "f")
    masks = [np.frombuffer(base64.b64decode(found[key]), np.uint8) for key in ("valid", "saturated")]
    valid, saturated = (mask.reshape(wanted.shape).astype(bool) for mask in masks)
    np.testing.assert_array_equal(valid, ~np.isnan(wanted) if found["float"] else wanted != 0)
    np.testing.assert_array_equal(saturated, wanted == 65535)
    if codec == "learned" and found["usable"]:
        head = found["learned"]
        assert len(head["offsets"]) == 24
        assert len(head["energy"]) == wanted.shape[0]
    if codec == "dct":
        expected = zlib.decompress(place.with_suffix(".pixels").read_bytes(), -15)
        raw = np.frombuffer(pixels.read_bytes(), wanted.dtype).reshape(wanted.shape)
        assert_same(raw, np.frombuffer(expected, wanted.dtype).reshape(wanted.shape))


def test_it_refuses_what_is_damaged(tmp_path: Path) -> None:
    content = (FOLDER / "dct_decibels.zarr.zip").read_bytes()
    flipped = bytearray(content)
    flipped[200] ^= 1
    cases = {"directory": content[:-1], "damaged": bytes(flipped), "short": b"PK"}
    for words, data in cases.items():
        path = tmp_path / "a.zarr.zip"
        path.write_bytes(data)
        done = run("archive", path)
        assert done.returncode == 1
        assert words in done.stderr
