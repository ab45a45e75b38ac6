from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from comeo.errors import ComeoError
from training import pack


def test_values_come_back_to_eight_numbers_and_bands_in_the_order_asked_for(
    raw_data: Path, small_pack: Path
) -> None:
    image = next(image for image in pack.load(small_pack) if image.entry.name == "train/field.tif")
    with rasterio.open(raw_data / "train/field.tif") as file:
        original = file.read([3, 2, 1, 4])
    valid = original > 0
    assert np.array_equal(image.values > 0, valid)
    difference = image.values.astype(int) - original
    assert np.abs(difference[valid & (original > 8)]).max() <= 4


def test_the_index_tells_sheets_shares_and_held_out_images(small_pack: Path) -> None:
    entries = {image.entry.name: image.entry for image in pack.load(small_pack)}
    assert entries["train/sheet_0.tif"].chip == 128
    assert entries["train/sheet_0.tif"].first == 4
    assert entries["train/sheet_0.tif"].weight == pytest.approx(0.25)
    assert [name for name, entry in entries.items() if entry.held_out] == ["train/kept.tif"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("scenes/scene.tif", "does not give scenes/scene.tif for training"), ("train/none.tif", "holds no")],
)
def test_what_is_not_for_training_is_refused(raw_data: Path, tmp_path: Path, path: str, reason: str) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text(f'[[source]]\npath = "{path}"\nbands = [0]\n')
    with pytest.raises(ComeoError, match=reason):
        pack.build(raw_data, tmp_path / "pack.npz", sources)


@pytest.mark.parametrize(
    ("kind", "values"),
    [("dB", [-20.0, 3.0, np.nan]), ("power", [0.01, 10**0.3, 0.0]), ("amplitude", [0.1, 10**0.15, -1.0])],
)
def test_backscatter_is_kept_in_hundredths_of_a_decibel(
    tmp_path: Path, kind: str, values: list[float]
) -> None:
    path = tmp_path / "radar.tif"
    shape = {"driver": "GTiff", "count": 1, "height": 1, "width": 3, "dtype": "float32"}
    with rasterio.open(path, "w", **shape, transform=Affine(10, 0, 0, 0, -10, 10)) as file:
        file.write(np.array([[values]], "float32"))
    (tmp_path / "manifest.json").write_text(json.dumps([{"path": "radar.tif", "split": "train"}]))
    sources = tmp_path / "sources.toml"
    sources.write_text(f'[[source]]\npath = "radar.tif"\nbands = [0]\nbackscatter = "{kind}"\n')
    pack.build(tmp_path, tmp_path / "pack.npz", sources)
    (image,) = pack.load(tmp_path / "pack.npz")
    assert image.values[0, 0].tolist() == [pytest.approx(8000, abs=4), pytest.approx(10300, abs=4), 0]


@pytest.mark.parametrize("name", ["sentinel1.toml", "sentinel2.toml"])
def test_the_shipped_list_keeps_every_held_out_file_out_of_training(name: str) -> None:
    sources = tomllib.loads(pack.SOURCES.with_name(name).read_text())["source"]
    held_out = {source["path"] for source in sources if source.get("held_out")}
    trained = {source["path"] for source in sources if not source.get("held_out")}
    assert held_out
    assert not held_out & trained
    assert not any(source["path"].startswith("scenes") for source in sources)
    assert sum(source.get("weight", 0.0) for source in sources) == pytest.approx(1.0)


def test_the_shipped_list_fits_the_shared_data(shared_data: Path, tmp_path: Path) -> None:
    output = tmp_path / "pack.npz"
    pack.build(shared_data, output)
    assert output.stat().st_size < 64 << 20


@pytest.mark.parametrize(("sheet", "side"), [(0, 128), (20, 32)])
def test_small_images_and_chips_are_mirrored_up_to_a_crop(tmp_path: Path, sheet: int, side: int) -> None:
    values = np.random.default_rng(1).uniform(0.01, 1, (1, 40, 60)).astype(np.float32)
    shape = {"driver": "GTiff", "count": 1, "height": 40, "width": 60, "dtype": "float32"}
    with rasterio.open(tmp_path / "small.tif", "w", **shape, transform=Affine(30, 0, 0, 0, -30, 0)) as file:
        file.write(values)
    (tmp_path / "manifest.json").write_text(json.dumps([{"path": "small.tif", "split": "train"}]))
    chip = f"chip = {sheet}\n" if sheet else ""
    text = f'[[source]]\npath = "small.tif"\nbands = [0]\nbackscatter = "power"\n{chip}continued = {side}\n'
    (tmp_path / "sources.toml").write_text(text)
    pack.build(tmp_path, tmp_path / "pack.npz", tmp_path / "sources.toml")
    (image,) = pack.load(tmp_path / "pack.npz")
    rows, columns = (2, 3) if sheet else (1, 1)
    assert image.values.shape == (1, rows * side, columns * side)
    assert (image.entry.chip, image.entry.decibels) == (side if sheet else 0, True)
    height, width = 40 // rows, 60 // columns
    plain = image.values[0, :height, :width]
    expected = (10 * np.log10(values[0, :height, :width]) + 100) * 100
    assert np.abs(plain - expected).max() <= 4.5
    last = image.values[0, side * (rows - 1) :, side * (columns - 1) :]
    mirrored = last[: min(2 * height, side)]
    np.testing.assert_array_equal(mirrored[height:], last[:height][::-1][: len(mirrored) - height])
