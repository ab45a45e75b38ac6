"""The test vectors of docs/format: there for all codecs, and read as they say."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from comeo.archive import open_archive
from comeo.codecs import codec_names, get_codec
from comeo.scene import Window
from tests.comeo.archive.test_golden import as_before
from tools import format_vectors as vectors

PAYLOADS = sorted(vectors.FOLDER.glob("*.payload"))
ARCHIVES = sorted(vectors.FOLDER.glob("*.zarr.zip"))
MEANS = 0.02  # a digital number here and there, where sums are rounded differently


@pytest.mark.parametrize("place", PAYLOADS, ids=lambda place: place.stem)
def test_payloads_decode_to_their_pixels(place: Path) -> None:
    payload = place.read_bytes()
    found = get_codec(place.stem.split("_")[0]).decode(payload)
    expected = zlib.decompress(place.with_suffix(".pixels").read_bytes(), -15)
    wanted = np.frombuffer(expected, found.dtype).reshape(found.shape)
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4)
        return
    difference = np.abs(found.astype(int) - wanted)
    assert difference.max(initial=0) <= 1
    assert np.mean(difference > 0) < 1e-3
    np.testing.assert_array_equal((found == 0) | (found == 65535), (wanted == 0) | (wanted == 65535))


@pytest.mark.parametrize("place", ARCHIVES, ids=lambda place: place.name)
def test_archives_are_as_their_description(place: Path) -> None:
    expected = json.loads(place.with_suffix(".json").read_text())
    with open_archive(place) as archive:
        found = json.loads(json.dumps(archive.info()))
        assert as_before(found, expected["info"]) == expected["info"]
        for group in archive.groups.values():
            for level in group.levels:
                pixels = archive.read(level, Window(0, 0, level.height, level.width))
                if vectors.digest(pixels) != expected["pixels"][level.key]:
                    means = np.nanmean(pixels, axis=(1, 2))
                    np.testing.assert_allclose(means, expected["means"][level.key], rtol=0, atol=MEANS)


def test_every_codec_has_all_vectors() -> None:
    for codec in codec_names():
        names = [name for name, _ in vectors.blocks(codec)]
        assert {f"{codec}_{name}" for name in names} <= {place.stem for place in PAYLOADS}
        names = [name for name, *_ in vectors.scenes(codec)]
        assert {f"{codec}_{name}.zarr.zip" for name in names} <= {place.name for place in ARCHIVES}


def test_what_is_there_is_never_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "codec_names", lambda: ["dct"])
    monkeypatch.setattr(vectors, "scenes", lambda codec: iter(()))
    assert len(vectors.write_missing(tmp_path)) == len(list(vectors.blocks("dct")))
    kept = tmp_path / "dct_whole.payload"
    kept.write_bytes(b"as it was")
    (tmp_path / "dct_empty.payload").unlink()
    assert [place.name for place in vectors.write_missing(tmp_path)] == ["dct_empty.payload"]
    assert kept.read_bytes() == b"as it was"
