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

from comeo.archive import Archive, open_archive
from comeo.codecs import get_codec
from comeo.codecs.payload import is_predicted, read_varint, write_varint
from comeo.codecs.prediction import Predictor
from comeo.scene import Window
from tools.format_vectors import FOLDER

MAIN = FOLDER.parent / "reader" / "main.mjs"
GOLDEN = Path(__file__).parent / "golden"
PREDICT = """
import { readFileSync, writeFileSync } from 'node:fs';
const [reader, folder, ...numbers] = process.argv.slice(1);
const [bands, height, width] = numbers.map(Number);
const { predict, readPrediction } = await import(`${reader}/prediction.mjs`);
const { weights, rest } = readPrediction(readFileSync(`${folder}/payload`), bands);
if (rest.length) throw new Error('bytes are left');
const all = new Float32Array(Uint8Array.from(readFileSync(`${folder}/reference`)).buffer);
const size = height * width;
const places = Array.from({ length: all.length / size }, (_, band) => band * size);
const planes = places.map((start) => all.subarray(start, start + size));
const parts = predict(weights, planes, height, width).map((plane) => Buffer.from(plane.buffer));
writeFileSync(`${folder}/predicted`, Buffer.concat(parts));
"""
# of a second implementation with sums in another order: how many digital numbers, and how far off they are
SHARE = 2e-3
FAR = 3  # where a block is predicted: weights multiply what is off in its reference

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", MAIN, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def read(*arguments: str | Path) -> Any:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_same(found: NDArray[Any], wanted: NDArray[Any], most: int = 1) -> None:
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4)
        return
    difference = np.abs(found.astype(int) - wanted)
    assert difference.max(initial=0) <= most
    assert np.mean(difference > 0) < SHARE
    np.testing.assert_array_equal((found == 0) | (found == 65535), (wanted == 0) | (wanted == 65535))


@pytest.mark.parametrize(
    "place",
    [
        *(
            FOLDER / f"dct_{name}.zarr.zip"
            for name in ("two_groups", "decibels", "overview", "predicted", "offset_before", "offset_behind")
        ),
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
                assert_same(found, wanted, FAR if level.reference else 1)
                raw = raw[wanted.nbytes :]
    assert not raw


STATING = [*sorted(FOLDER.glob("*_two_groups.zarr.zip")), FOLDER / "dct_means.zarr.zip"]


@pytest.mark.parametrize("place", STATING, ids=lambda place: place.name)
def test_it_reads_what_archives_state(place: Path) -> None:
    found = read("archive", place)
    with open_archive(place) as archive:
        assert (found["id"], found["version"], found["step"]) == (archive.id, 2, archive.step)
        for name, group in archive.groups.items():
            bands = [band.name for band in group.bands]
            np.testing.assert_allclose([found["means"][name][band] for band in bands], archive.means[name])
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
        for own, errors in zip(archive.certificate.groups.values(), found["certificate"], strict=True):
            assert errors["rmse"] == pytest.approx(list(own.rmse))
            assert errors["maximum"] == pytest.approx(list(own.maximum))
            assert errors["bias"] == pytest.approx(list(own.bias), abs=1e-9)
            if "blocks" in errors and own.block_rmse is not None:
                rmse = [np.nan if value is None else value for value in errors["blocks"]["rmse"]]
                np.testing.assert_allclose(rmse, own.block_rmse.ravel(), rtol=1e-5)


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


def test_it_makes_the_same_prediction_to_the_bit(tmp_path: Path) -> None:
    """Of a reference with holes, odd sides, a band without a known pixel, and values below zero."""
    rng = np.random.default_rng(6)
    reference = rng.normal(20, 300, (3, 23, 38)).astype(np.float32)
    reference[:2, 4:15, 11:30] = np.nan
    reference[rng.random(reference.shape) < 0.2] = np.nan
    reference[2] = np.nan
    whole = rng.integers(-8000, 8000, (12, 2))
    whole[[3, 7]] = 0
    exponents = np.where(whole.any(axis=1), rng.integers(-20, 1, 12), 0)
    predictor = Predictor(whole, exponents)
    (tmp_path / "payload").write_bytes(predictor.to_bytes())
    (tmp_path / "reference").write_bytes(reference.tobytes())
    done = subprocess.run(
        ["node", "--input-type=module", "-e", PREDICT, MAIN.parent.as_uri(), tmp_path, "2", "23", "38"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = np.fromfile(tmp_path / "predicted", np.float32).reshape(2, 23, 38)
    np.testing.assert_array_equal(found, predictor.predict(reference))


def test_it_reads_which_pixels_are_clear() -> None:
    place = FOLDER / "dct_predicted.zarr.zip"
    found = read("archive", place)["clear"]
    with open_archive(place) as archive:
        assert archive.clear is not None
        assert any(is_predicted(payload) for payload in predicted_payloads(archive))
        if isinstance(found, str):  # before Node.js 22.15
            assert "Node.js has from 22.15 on" in found
            return
        classes = archive.clear.read()
    counts = np.bincount(classes.ravel(), minlength=7)
    assert found == {"shape": list(classes.shape), "counts": counts.tolist()}


def predicted_payloads(archive: Archive) -> list[memoryview]:
    level = archive.groups["r20m"].levels[0]
    assert level.reference is not None
    found = archive.payloads(level, list(np.ndindex(*level.grid)))
    return [payload for payload in found if payload is not None]


def test_it_refuses_bytes_behind_a_mask(tmp_path: Path) -> None:
    payload = (FOLDER / "dct_masked.payload").read_bytes()
    length, rest = read_varint(memoryview(payload)[12:])
    longer = payload[:12] + write_varint(length + 1) + bytes(rest[:length]) + b"\0" + bytes(rest[length:])
    (tmp_path / "payload").write_bytes(longer)
    done = run("payload", tmp_path / "payload")
    assert done.returncode == 1
    assert "bytes stand behind a bitmap" in done.stderr


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
