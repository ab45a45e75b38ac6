"""Files of sites: each format says the same, and what is odd is refused in one sentence."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import shape

from comeo.errors import BoundError, ParameterError
from tests.tileserver import uploads
from tests.tileserver.uploads import FIELD, WOOD
from tileserver.confined import environment
from tileserver.files import sites_file
from tileserver.files.sites_file import read_sites
from tileserver.render.sites import sites_of

MEBIBYTE = 1 << 20


def read(data: bytes, vertices: int = 1000, most: int = 100, size: int = MEBIBYTE) -> Any:
    return read_sites(data, vertices, most, size)


def refusal(data: bytes, **limits: int) -> str:
    with pytest.raises((ParameterError, BoundError)) as caught:
        read(data, **limits)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    assert "/tmp" not in sentence
    return sentence


def layered(statement: str) -> bytes:
    """A GeoPackage that somebody has tampered with."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.gpkg"
        path.write_bytes(uploads.geopackage())
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.executescript(statement)
        connection.close()
        return path.read_bytes()


@pytest.mark.parametrize("kind", ["kml", "kmz", "gpkg", "shp"])
def test_every_format_says_the_same(kind: str) -> None:
    found = sites_of(read(uploads.files()[kind]), 1000, 100)
    assert [dict(each.properties or {})["name"] for each in found] == ["Nørd", "Süd"]
    for one, wanted in zip(found, (FIELD, WOOD), strict=True):
        assert shape(dict(one.area.geometry)).normalize().equals_exact(wanted.normalize(), 1e-9)


@pytest.mark.parametrize("write", [uploads.geopackage, uploads.shapefile])
def test_other_coordinate_systems_are_brought_to_degrees(write: Any) -> None:
    to_utm = Transformer.from_crs(4326, 32632, always_xy=True)
    own = shapely.transform(FIELD, lambda points: np.column_stack(to_utm.transform(*points.T)))
    (feature,) = read(write(shapes=[own], names=["A"], crs="EPSG:32632"))["features"]
    assert shape(feature["geometry"]).normalize().equals_exact(FIELD.normalize(), 1e-7)


def test_geojson_goes_the_same_way() -> None:
    given = {"type": "Point", "coordinates": [9, 47]}
    assert read(b"\xef\xbb\xbf " + json.dumps(given).encode()) == given
    assert "no JSON" in refusal(b'{"type": NaN}')
    assert "no JSON" in refusal(b"{" * 100_000)


def test_heights_are_left_out_and_points_are_sites() -> None:
    point = shapely.Point(9.0, 47.0, 300.0)
    (feature,) = read(uploads.geopackage(shapes=[point], names=["A"]))["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [9.0, 47.0]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither KML"),
        (b"\x00" * 100, "neither KML"),
        (b"<html></html>", "no KML"),
        (b"<kml><Document>", "no well-formed XML"),
        (b"PK\x03\x04" + b"x" * 50, "ZIP file is damaged"),
        (b"SQLite format 3\x00" + b"x" * 200, "no GeoPackage"),
        (b'<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml>&x;</kml>', "DTD or entities"),
        (b'<!DOCTYPE kml [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><kml>&b;</kml>', "DTD or entities"),
    ],
)
def test_what_is_no_file_of_sites(data: bytes, words: str) -> None:
    assert words in refusal(data)


def test_links_of_kml_are_not_followed() -> None:
    link = b"<NetworkLink><Link><href>/etc/passwd</href></Link></NetworkLink></Document>"
    assert "NetworkLink" in refusal(uploads.kml().replace(b"</Document>", link))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIRTUAL TABLE other USING fts3(a)",
        """INSERT INTO sqlite_master VALUES ('table', 'a using rtree(b)', 'a using rtree(b)', 0,
           'CREATE VIRTUAL TABLE "a using rtree(b)" USING VirtualOGR(''/etc/passwd'')')""",
    ],
)
def test_virtual_tables_are_refused(statement: str) -> None:
    assert "virtual table" in refusal(layered(statement))


def test_layers_that_are_views_are_refused() -> None:
    statement = "ALTER TABLE layer RENAME TO other; CREATE VIEW layer AS SELECT * FROM other;"
    view = statement + "UPDATE gpkg_contents SET table_name = 'layer';"
    assert "is no table" in refusal(layered(view))


@pytest.mark.parametrize("without", [".prj", ".shx", ".dbf"])
def test_a_shapefile_is_whole(without: str) -> None:
    assert without in refusal(uploads.shapefile(without=(without,)))


def test_a_layer_without_coordinate_system_lies_nowhere() -> None:
    assert "coordinate system" in refusal(uploads.geopackage(crs=None))


def test_zip_bombs_are_bounded() -> None:
    bomb = uploads.zipped({"doc.kml": b" " * (64 * MEBIBYTE)})
    assert len(bomb) < MEBIBYTE // 8
    assert "more than" in refusal(bomb, size=MEBIBYTE)
    names = {f"{number}.kml": b"" for number in range(3)}
    assert "no well-formed" in refusal(uploads.zipped(names))
    assert "one Shapefile" in refusal(uploads.zipped({"readme.txt": b"x"}))
    assert "one Shapefile" in refusal(uploads.zipped({"a.shp": b"", "b.shp": b""}))


def test_names_in_a_zip_lead_nowhere(tmp_path: Path) -> None:
    found = read(uploads.zipped({"../../../../tmp/evil.kml": uploads.kml()}))
    assert len(found["features"]) == 2
    assert not Path("/tmp/evil.kml").exists()


def test_bounds_name_the_feature() -> None:
    circle = shapely.Point(9, 47).buffer(0.01, 100)
    file = uploads.geopackage(shapes=[FIELD, circle], names=["a", "b"])
    assert "features[1]: the geometry has more than 100 vertices" in refusal(file, vertices=100)
    assert "more than 1 sites" in refusal(file, most=1)
    assert "bytes, more than" in refusal(file, size=1000)


def test_rings_that_cross_themselves_are_refused_by_their_number() -> None:
    bow = shapely.Polygon([(9, 47), (9.1, 47.1), (9.1, 47), (9, 47.1)])
    found = read(uploads.geopackage(shapes=[FIELD, bow], names=["a", "b"]))
    with pytest.raises(ParameterError, match=r"^features\[1\]: the geometry is not valid: self-intersection"):
        sites_of(found, 1000, 100)


def test_what_ends_the_process_is_one_file_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the child dies of."""
    for module, words in (("hang", "takes longer"), ("crash", "cannot be read as")):
        monkeypatch.setattr(sites_file, "CHILD", f"tests.tileserver.files.{module}_child")
        monkeypatch.setattr(sites_file, "SECONDS", -9)
        began = time.monotonic()
        assert words in refusal(uploads.kml())
        assert time.monotonic() - began < 30


def test_the_child_learns_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMEO_SMTP", "smtp://user:secret@host")
    assert "secret" not in str(environment())


def test_gdal_has_our_drivers_alone() -> None:
    import subprocess
    import sys

    own = environment(**sites_file.QUIET, OGR_SKIP=sites_file._other_drivers())
    program = "import pyogrio; print(sorted(pyogrio.list_drivers()))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=own, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(sorted(sites_file.DRIVERS))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    read(uploads.shapefile())
    refusal(b"<kml>")
    assert list(tmp_path.iterdir()) == []
