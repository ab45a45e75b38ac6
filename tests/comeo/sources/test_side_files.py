"""Files beside a source, and links: none of them is obeyed, and no path leads out of a product's folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from comeo.errors import SourceError
from comeo.scene import Window
from comeo.sources import open_source
from tests.comeo.sources.conftest import north_up, write_tif

WHOLE = Window(0, 0, 64, 64)
VALUES = np.random.default_rng(3).integers(1, 4000, (1, 64, 64), np.uint16)
VRT = """<VRTDataset rasterXSize="64" rasterYSize="64"><GeoTransform>1,1,0,1,0,-1</GeoTransform>
<Metadata><MDI key="INTERNAL_MASK_FLAGS_1">2</MDI></Metadata>
<VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="0">{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>
</VRTDataset>"""
METADATA = """<PAMDataset><SRS>EPSG:32601</SRS><GeoTransform>0,10,0,0,0,-10</GeoTransform>
<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{}</MDI></Metadata>
<PAMRasterBand band="1"><Description>B12</Description><NoDataValue>1000</NoDataValue><Scale>7</Scale>
</PAMRasterBand>
</PAMDataset>"""
WORLD = "10\n0\n0\n-10\n999995\n999995\n{}"
SIDE_FILES = {
    "{name}.msk": VRT, "{name}.ovr": VRT, "{stem}.ovr": VRT, "{stem}.rrd": VRT, "{stem}.aux": VRT,
    "{name}.aux.xml": METADATA, "{stem}.aux.xml": METADATA, "{name}.xml": METADATA,
    "{stem}.tfw": WORLD, "{stem}.tifw": WORLD, "{stem}.j2w": WORLD, "{stem}.jp2w": WORLD, "{stem}.wld": WORLD,
    "{stem}.IMD": "x{}", "{stem}_mtl.txt": "x{}", "{stem}.tab": "{}", "{stem}.RPB": "{}", "{stem}_rpc.txt": "{}",
}  # fmt: skip


@pytest.fixture
def stranger() -> Iterator[tuple[str, Callable[[], bool]]]:
    """An address that nobody may ask, and whether somebody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        def was_asked() -> bool:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield f"http://127.0.0.1:{server.getsockname()[1]}/secret.tif", was_asked


def copied(path: Path, driver: str, tags: dict[str, str] | None = None) -> Path:
    """The pixels in a file of a driver, a JPEG 2000 one without loss."""
    plain = write_tif(path.parent / "plain.tiff", VALUES, tags=None)
    if tags:
        with rasterio.open(plain, "r+") as dataset:
            dataset.update_tags(ns="OVERVIEWS", **tags)
    if driver == "GTiff":
        return plain.rename(path)
    with rasterio.open(plain) as dataset, rasterio.Env():
        options = {"QUALITY": "100", "REVERSIBLE": "YES", "WRITE_METADATA": "YES" if tags else "NO"}
        from rasterio.shutil import copy

        copy(dataset, path, driver=driver, **options)
    plain.unlink()
    return path


def reading(source: Path) -> tuple[Any, ...]:
    with open_source(source) as scene:
        (group,) = scene.groups
        pixels = group.read(WHOLE)
        facts = group.bands, group.transform, group.crs, group.has_nodata
        return *facts, pixels.values.tobytes(), pixels.valid.tobytes()


@pytest.mark.parametrize("driver", ["GTiff", "JP2OpenJPEG"])
@pytest.mark.parametrize("prefix", ["", "/vsicurl/"])
def test_files_beside_a_source_change_nothing(
    driver: str, prefix: str, tmp_path: Path, stranger: tuple[str, Callable[[], bool]]
) -> None:
    address, was_asked = stranger
    file = copied(tmp_path / ("B04.tif" if driver == "GTiff" else "B04.jp2"), driver)
    expected = reading(tmp_path)
    for form, content in SIDE_FILES.items():
        beside = tmp_path / form.format(name=file.name, stem=file.stem)
        beside.write_text(content.format(prefix + address))
        assert reading(tmp_path) == expected, beside.name
        assert not was_asked(), beside.name
        beside.unlink()
    assert sorted(tmp_path.iterdir()) == [file]


def test_a_mask_and_metadata_that_are_not_read_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tif(tmp_path / "a.tif", VALUES, ["B04"])
    (tmp_path / "a.tif.msk").write_text("x")
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset/>")
    with open_source(tmp_path / "a.tif"):
        pass
    assert "the mask in a.tif.msk is not read" in caplog.text
    assert "the metadata in a.tif.aux.xml is not read" in caplog.text


def test_a_world_file_gives_no_georeference(tmp_path: Path) -> None:
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        write_tif(tmp_path / "a.tif", VALUES, ["B04"], transform=Affine.identity())
    (tmp_path / "a.tfw").write_text(WORLD.format(""))
    with pytest.raises(SourceError, match="has no georeference"):
        open_source(tmp_path / "a.tif")


@pytest.mark.parametrize("driver", ["GTiff", "JP2OpenJPEG"])
@pytest.mark.parametrize("form", ["{}", "/vsicurl/{}", "beside.ovr"])
def test_a_file_that_names_another_inside_itself_is_refused(
    driver: str, form: str, tmp_path: Path, stranger: tuple[str, Callable[[], bool]]
) -> None:
    address, was_asked = stranger
    file = copied(
        tmp_path / ("B04.tif" if driver == "GTiff" else "B04.jp2"),
        driver,
        {"OVERVIEW_FILE": form.format(address)},
    )
    (tmp_path / "beside.ovr").write_text(VRT.format(address))
    with pytest.raises(SourceError, match=r"another file.*gdal_translate"):
        open_source(tmp_path)
    assert not was_asked(), file.name


@pytest.mark.parametrize("name", ["B04.tif", "B04.jp2"])
def test_a_vrt_under_another_name_is_refused(
    name: str, tmp_path: Path, stranger: tuple[str, Callable[[], bool]]
) -> None:
    address, was_asked = stranger
    (tmp_path / name).write_text(VRT.format(address))
    with pytest.raises(SourceError):
        open_source(tmp_path)
    assert not was_asked()


def item_of(folder: Path, href: str) -> Path:
    """A STAC Item with one asset."""
    path = folder / "item.json"
    item: dict[str, Any] = {
        "type": "Feature", "stac_version": "1.0.0", "id": "x", "geometry": None, "links": [],
        "properties": {"datetime": "2020-01-01T00:00:00Z"},
        "assets": {"red": {"href": href, "eo:bands": [{"name": "B04"}]}},
    }  # fmt: skip
    path.write_text(json.dumps(item))
    return path


@pytest.mark.parametrize("kind", ["item", "absolute", "url", "folder", "by resolution", "link to the item"])
def test_links_that_lead_out_are_refused(kind: str, tmp_path: Path) -> None:
    secret, product = tmp_path / "secret", tmp_path / "product"
    secret.mkdir()
    product.mkdir()
    file = write_tif(secret / "B04.tif", VALUES, ["B04"], transform=north_up(10))
    source = product
    if kind == "by resolution":
        (product / "R10m").symlink_to(secret, target_is_directory=True)
    elif kind == "link to the item":
        (product / "item.json").symlink_to(item_of(secret, "B04.tif"))
    else:
        (product / "B04.tif").symlink_to(file)
        hrefs = {"item": "B04.tif", "absolute": f"{product}/B04.tif", "url": "https://example.com/B04.tif"}
        if kind in hrefs:
            source = item_of(product, hrefs[kind])
    with pytest.raises(SourceError, match=r"leads out of the folder product"):
        open_source(source)


def test_links_inside_a_product_are_followed(tmp_path: Path) -> None:
    product = tmp_path / "product"
    (product / "data").mkdir(parents=True)
    write_tif(product / "data" / "0001.tif", VALUES)
    (product / "B04.tif").symlink_to("data/0001.tif")
    (tmp_path / "link").symlink_to(product, target_is_directory=True)
    assert reading(product) == reading(tmp_path / "link")


def test_a_link_out_of_a_safe_folder_is_refused(
    make_safe: Callable[..., tuple[Path, Any]], tmp_path: Path
) -> None:
    original, _ = make_safe()
    product = tmp_path / original.name
    shutil.copytree(original, product)
    image = next(product.rglob("*B02_10m.jp2"))
    shutil.move(image, tmp_path / image.name)
    image.symlink_to(tmp_path / image.name)
    with pytest.raises(SourceError, match="leads out of the folder"):
        open_source(product)


@pytest.mark.parametrize("href", ["B04.tif\0", "B04\0.tif", "B04.tif%00.jp2", "a" * 5000 + ".tif"])
def test_names_that_cannot_be_names_are_refused(href: str, tmp_path: Path) -> None:
    write_tif(tmp_path / "B04.tif", VALUES)
    with pytest.raises(SourceError):
        open_source(item_of(tmp_path, href))
    with pytest.raises(SourceError):
        open_source(f"{tmp_path}/{href}")


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    for name in ("B04.tif", "item.json"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(SourceError, match="not a regular file"):
            open_source(tmp_path / name)
    with pytest.raises(SourceError):
        open_source(tmp_path)
