"""The scene classification of products of every kind."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.missions.sentinel2 import CLASSES
from comeo.scene import Scene, Window
from comeo.sources import open_source
from tests.comeo.sources.conftest import north_up, write_tif
from tests.safe_generator import Recipe

NUMBERS = np.arange(12, dtype=np.uint8).reshape(3, 4).repeat(10, 0).repeat(10, 1)  # (30, 40)


def classes_in(scene: Scene) -> NDArray[np.uint8]:
    """All classes of a scene."""
    assert scene.classes is not None
    with closing(scene.classes.open()) as raster:
        return raster.read(Window(0, 0, raster.height, raster.width))


def of_numbers(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array(CLASSES.clear, np.uint8)[numbers]


def bands(folder: Path, *names: str, pixel: float = 20.0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        values = NUMBERS[None] if "SCL" in name.upper() else np.full((1, 30, 40), 900, np.uint16)
        write_tif(folder / f"{name}.tif", values, transform=north_up(pixel))


def test_a_safe_product_brings_its_classes(make_safe: Callable[..., tuple[Path, Recipe]]) -> None:
    path, _ = make_safe(level="L2A")
    with open_source(path) as scene:
        found = classes_in(scene)
        assert scene.classes is not None
        assert scene.classes.name == "SCL"
        assert set(np.unique(found)) <= {0, 1, 6}
        assert (found == 6).any()
        assert 2 * found.shape[0] == scene.groups[0].height


def test_a_safe_product_whose_classes_do_not_match_its_manifest_is_refused(
    make_safe: Callable[..., tuple[Path, Recipe]], tmp_path: Path
) -> None:
    path, _ = make_safe(level="L2A")
    copy = Path(shutil.copytree(path, tmp_path / path.name))
    (layer,) = copy.rglob("*_SCL_20m.jp2")
    checksum = hashlib.sha3_256(layer.read_bytes()).hexdigest()
    (copy / "manifest.safe").write_text(
        "<XFDU><dataObjectSection><dataObject><byteStream>"
        f'<fileLocation href="./{layer.relative_to(copy)}"/><checksum checksumName="SHA3-256">{checksum}'
        "</checksum></byteStream></dataObject></dataObjectSection></XFDU>"
    )
    with open_source(copy) as scene:
        assert classes_in(scene).any()
    layer.write_bytes(layer.read_bytes()[:-2] + b"\0\0")
    with open_source(copy) as scene, pytest.raises(SourceError, match=r"SCL.*does not match its manifest"):
        classes_in(scene)


def test_a_safe_product_without_any_opens_without(make_safe: Callable[..., tuple[Path, Recipe]]) -> None:
    path, _ = make_safe(level="L1C")
    with open_source(path) as scene:
        assert scene.classes is None


@pytest.mark.parametrize(
    "names",
    [
        ("SCL",), ("T32TMT_20190530T103031_SCL_20m", "T32TMT_20190530T103031_SCL_60m"), ("scl_20m",),
        ("S2A_USER_SCL_L2A_TL_MTI__20160204T150120_A003259_T32TMT_20m",),
    ],
)  # fmt: skip
def test_a_folder_of_bands_brings_the_classes_at_their_own_resolution(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    bands(tmp_path / "T32TMT_20190530", "B05", *names[:1])
    for name in names[1:]:
        write_tif(
            tmp_path / "T32TMT_20190530" / f"{name}.tif", NUMBERS[None, ::3, ::3], transform=north_up(60)
        )
    with open_source(tmp_path / "T32TMT_20190530") as scene:
        np.testing.assert_array_equal(classes_in(scene), of_numbers(NUMBERS))


def test_a_geotiff_with_a_band_of_classes_brings_them(tmp_path: Path) -> None:
    values = np.stack([np.full(NUMBERS.shape, 900), NUMBERS]).astype(np.uint16)
    path = write_tif(tmp_path / "S2_2020-01-01.tif", values, ["B02", "SCL"])
    with open_source(path) as scene:
        np.testing.assert_array_equal(classes_in(scene), of_numbers(NUMBERS))
        np.testing.assert_array_equal(classes_in(scene), of_numbers(NUMBERS))  # open for a second time


@pytest.mark.parametrize("key", ["scl", "SCL", "SCL_20m"])
def test_an_item_with_an_asset_of_classes_brings_them(tmp_path: Path, key: str) -> None:
    bands(tmp_path, "B05", "SCL")
    asset = {"href": "./SCL.tif", "roles": ["data"], "gsd": 20}
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "one", "collection": "sentinel-2-l2a",
        "properties": {"datetime": "2020-01-01T00:00:00Z", "constellation": "sentinel-2"},
        "assets": {"B05": {"href": "./B05.tif", "roles": ["data"]}, key: asset,
                   "scl-small": {**asset, "href": "./SCL_60m.tif", "gsd": 60}},
    }  # fmt: skip
    (tmp_path / "item.json").write_text(json.dumps(item))
    with open_source(tmp_path / "item.json") as scene:
        np.testing.assert_array_equal(classes_in(scene), of_numbers(NUMBERS))
    (tmp_path / "SCL.tif").unlink()
    with open_source(tmp_path / "item.json") as scene:
        assert scene.classes is None


def test_shares_are_counted_of_the_products_own_classes(tmp_path: Path) -> None:
    bands(tmp_path / "S2_20190530", "B05", "SCL")
    with open_source(tmp_path / "S2_20190530") as scene:
        assert scene.classes is not None
        with closing(scene.classes.open()) as raster:
            assert raster.properties()["eo:cloud_cover"] == pytest.approx(100 * 3 / 11, abs=1e-3)


def test_classes_that_cannot_be_read_are_an_error_that_says_why(tmp_path: Path) -> None:
    bands(tmp_path / "a", "B05", "SCL")
    write_tif(tmp_path / "a" / "SCL.tif", np.full((1, 30, 40), 37, np.uint8), transform=north_up(20))
    with open_source(tmp_path / "a") as scene, pytest.raises(SourceError, match="number 37"):
        classes_in(scene)
    shutil.copy(tmp_path / "a" / "B05.tif", tmp_path / "a" / "SCL.tif")
    (tmp_path / "a" / "SCL.tif").write_bytes(b"II*\0 and no more")
    with (
        open_source(tmp_path / "a") as scene,
        pytest.raises(SourceError, match="SCL of a cannot be read: "),
    ):
        classes_in(scene)
