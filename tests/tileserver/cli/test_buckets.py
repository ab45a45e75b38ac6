"""Buckets as arguments of commands: archives are read from them and written into them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner, Result

from comeo.archive import open_archive
from tests.buckets import Bucket
from tests.scenes import UTM32, landscape
from tileserver.cli.main import cli

SAMPLE = Path(__file__).parents[3] / "samples" / "S2_UTM37N_lake.zarr.zip"


@pytest.fixture(scope="module")
def geotiff(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "scene.tif"
    profile = {
        "driver": "GTiff", "dtype": "uint16", "count": 1, "height": 128, "width": 128,
        "crs": UTM32, "transform": Affine(10, 0, 472_480, 0, -10, 5_257_490),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(landscape(1, 128, 128))
        target.descriptions = ["B04"]
    return path


def comeo(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def compressed(source: Path, *arguments: object) -> Result:
    return comeo("compress", source, "--codec", "dct", "--step", 100, *arguments)


def test_an_archive_in_a_bucket_is_described_and_extracted_from(bucket: Bucket, tmp_path: Path) -> None:
    place = bucket.put("a b/c.zarr.zip", SAMPLE)
    far, near = (comeo("info", "--json", each) for each in (place, SAMPLE))
    assert json.loads(far.output) == json.loads(near.output)
    for each, name in ((place, "far.tif"), (SAMPLE, "near.tif")):
        done = comeo("extract", each, "-o", tmp_path / name, "--max-size", 64, "--bands", "B04")
        assert done.exit_code == 0, done.output
    with rasterio.open(tmp_path / "far.tif") as one, rasterio.open(tmp_path / "near.tif") as other:
        np.testing.assert_array_equal(one.read(), other.read())


def test_a_scene_is_compressed_into_a_bucket_once(
    geotiff: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = bucket.address("a/b.zarr.zip")
    done = compressed(geotiff, "-o", place, "--id", "first")
    assert done.exit_code == 0, done.output
    assert place in done.output
    with open_archive(place) as archive:
        assert archive.id == "first"
    content = bucket.get("a/b.zarr.zip")
    again = compressed(geotiff, "-o", place, "--id", "second")
    assert again.exit_code == 1
    assert f"{place} exists already, and objects are not replaced" in str(again.exception)
    assert bucket.get("a/b.zarr.zip") == content
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["", "a/b", "a/b/"])
def test_a_folder_of_a_bucket_takes_scenes_by_their_ids(folder: str, geotiff: Path, bucket: Bucket) -> None:
    done = compressed(geotiff, "-o", bucket.address(folder), "--id", "first")
    assert done.exit_code == 0, done.output
    key = f"{folder.rstrip('/')}/first.zarr.zip".lstrip("/")
    with open_archive(bucket.address(key)) as archive:
        assert archive.id == "first"
    again = compressed(geotiff, "-o", bucket.address(folder), "--id", "first")
    assert "exists already" in str(again.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "s3://bucket-x/a.zarr.zip", "--force"], "objects in a bucket are not replaced"),
        (["-o", "s3://bucket-x/a.zarr"], "an archive in a bucket ends in .zarr.zip"),
        (["-o", "s3://bucket-x/a.tif"], "a.tif is no name of an archive"),
        (["-o", "s3://bucket-x/../a.zarr.zip"], "no key that can be read"),
        (["b.tif", "-o", "s3://bucket-x/a.zarr.zip"], "several sources need a folder"),
    ],
)
def test_what_cannot_be_an_output_is_a_sentence(arguments: list[str], words: str) -> None:
    done = comeo("compress", "a.tif", *arguments)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


def test_a_bucket_that_is_missing_is_said_before_the_work(geotiff: Path, object_store: int) -> None:
    done = compressed(geotiff, "-o", "s3://never-made/a")
    assert done.exit_code == 1
    assert "there is no bucket never-made" in str(done.exception)
