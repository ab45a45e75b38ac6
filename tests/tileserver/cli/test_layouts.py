"""`comeo compress` of products that are laid out in other ways than ESA's SAFE, from command to archive."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile, ZipInfo

from comeo import open_archive
from tests.comeo.sources.test_layouts_folders import HYP3, LAYOUTS, MAJA
from tests.safe_generator import Recipe, synthetic_pixels, write_product
from tests.tileserver.cli.test_cli import comeo


def windows_zip(folder: Path) -> Path:
    """A small SAFE product, packed with backslashes."""
    product = write_product(folder, Recipe(60, "L1C"), synthetic_pixels(60))
    packed = folder / "product.zip"
    with ZipFile(packed, "w") as archive:
        for file in sorted(product.rglob("*")):
            if file.is_file():
                entry = ZipInfo("x")
                entry.filename = str(file.relative_to(folder)).replace("/", "\\")
                archive.writestr(entry, file.read_bytes())
    return packed


def test_other_layouts_are_compressed_and_described(tmp_path: Path) -> None:
    sources = [
        LAYOUTS[what].write(tmp_path / str(i)) for i, what in enumerate(("bucket, tile", "MAJA", "HyP3"))
    ]
    (tmp_path / "zip").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.dim").touch()
    sources += [windows_zip(tmp_path / "zip"), tmp_path / "other"]
    done = comeo("compress", *sources, "--output", tmp_path / "archives", "--step", 50, "--codec", "dct")
    assert done.returncode == 1  # of the last one alone
    assert "other is a product of SNAP in BEAM-DIMAP; export it from SNAP as GeoTIFF" in done.stderr
    assert "Traceback" not in done.stderr
    bands = {}
    for archive in (tmp_path / "archives").glob("*.zarr.zip"):
        with open_archive(archive) as opened:
            info = opened.info()
        bands[info["id"]] = {name: group["bands"] for name, group in info["groups"].items()}
    assert bands.pop(Recipe(60, "L1C").name.removesuffix(".SAFE"))["r60m"] == ["B01", "B09", "B10"]
    assert bands == {
        "T32TMT_20200101_0_L1C": {
            "r10m": ["B02", "B03", "B04", "B08"],
            "r20m": ["B05", "B8A"],
            "r60m": ["B01", "B10"],
        },
        MAJA: {"r10m": ["B02", "B03", "B08"], "r20m": ["B05", "B8A"]},
        HYP3: {"r30m": ["VH", "VV"]},
    }
