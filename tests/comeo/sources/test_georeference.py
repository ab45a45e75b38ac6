"""Files whose georeference names other files are refused before GDAL, which would wait for them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio.shutil
from rasterio.crs import CRS

from comeo.errors import SourceError
from comeo.sources import open_source
from comeo.sources.georeference import check_georeference
from tests.comeo.sources.conftest import write_tif
from tests.comeo.test_crs import OLD
from tests.watchdog import no_hanging  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("no_hanging")
NAME = "x" * 600
PLAIN = OLD.format(datum="", end="").replace('"x"', f'"{NAME}"', 1)


def esri_tif(path: Path, text: str | None = None, **profile: str) -> Path:
    """A GeoTIFF whose keys cite WKT, as Esri's software writes it; `text` takes that one's place."""
    values = np.ones((1, 4, 4), np.uint16)
    crs = CRS.from_wkt(PLAIN)
    write_tif(path, values, ["B02"], crs=crs, GEOTIFF_KEYS_FLAVOR="ESRI_PE", **profile)  # type: ignore[arg-type]
    if text is not None:
        _put_citation(path, text)
    return path


def _put_citation(path: Path, text: str) -> None:
    """Put a text in the place of each citation, those of former directories included."""

    def put(found: re.Match[bytes]) -> bytes:
        padded = text.replace('"x"', '"' + "x" * (len(found[1]) - len(text) + 1) + '"', 1)
        assert len(padded) == len(found[1])
        return b"ESRI PE String = " + padded.encode() + b"|"

    data, count = re.subn(rb"ESRI PE String = ([^|]*)\|", put, path.read_bytes())
    assert count
    path.write_bytes(data)


@pytest.mark.parametrize("big", ["NO", "YES"])
@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_citations_that_name_a_file(tmp_path: Path, big: str, order: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    evil = OLD.format(datum=f',EXTENSION["PROJ4_GRIDS","{tmp_path}/pipe"]', end="")
    path = esri_tif(tmp_path / "S2A_20200501.tif", evil, BIGTIFF=big, ENDIANNESS=order)
    with pytest.raises(SourceError, match="PROJ4_GRIDS"):
        open_source(path)
    parameters = OLD.format(datum="", end="") + f'+proj=longlat +nadgrids={tmp_path}/pipe "x"'
    other = esri_tif(tmp_path / "S2A_20200502.tif", parameters, BIGTIFF=big, ENDIANNESS=order)
    with pytest.raises(SourceError, match="gdal_edit"):
        open_source(other)


def test_plain_citations_are_fine(tmp_path: Path) -> None:
    check_georeference(str(esri_tif(tmp_path / "S2A_20200501.tif")))
    with open_source(esri_tif(tmp_path / "S2A_20200501.tif")) as scene:
        assert scene.groups[0].crs.is_projected


@pytest.fixture
def jp2(tmp_path: Path) -> Path:
    """A JPEG 2000 file with a georeference in GML and in a small GeoTIFF."""
    tif = write_tif(tmp_path / "x.tif", np.ones((1, 64, 64), np.uint16))
    rasterio.shutil.copy(tif, tmp_path / "x.jp2", driver="JP2OpenJPEG")
    return tmp_path / "x.jp2"


@pytest.mark.parametrize("quote", [b'"', b"'"])
def test_gml_that_names_a_file(jp2: Path, quote: bytes) -> None:
    check_georeference(str(jp2))
    data = jp2.read_bytes()
    name = b'"urn:ogc:def:crs:EPSG::32632"'
    assert name in data
    evil = b"+proj=longlat +nadgrids=/p".ljust(len(name) - 2)
    jp2.write_bytes(data.replace(name, quote + evil + quote))
    with pytest.raises(SourceError, match="is no code"):
        check_georeference(str(jp2))


def test_a_geotiff_in_a_box_that_names_a_file(jp2: Path, tmp_path: Path) -> None:
    evil = OLD.format(datum=',EXTENSION["PROJ4_GRIDS","/dev/ptmx"]', end="")
    inner = esri_tif(tmp_path / "inner.tif", evil).read_bytes()
    content = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03") + inner
    with jp2.open("ab") as file:
        file.write((8 + len(content)).to_bytes(4, "big") + b"uuid" + content)
    with pytest.raises(SourceError, match="PROJ4_GRIDS"):
        check_georeference(str(jp2))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"II",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II+\0\x08\0\0\0" + b"\xff" * 8,
    ],
)
def test_damaged_files_are_refused_or_left_to_gdal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.tif"):
        open_source(tmp_path / "x.tif")


def test_each_byte_of_a_directory_may_be_damaged(tmp_path: Path) -> None:
    whole = esri_tif(tmp_path / "x.tif").read_bytes()
    for place in range(0, 400, 3):
        (tmp_path / "y.tif").write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            check_georeference(str(tmp_path / "y.tif"))
        except SourceError as error:
            assert "y.tif" in str(error)
