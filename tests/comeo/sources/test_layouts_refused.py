"""What cannot be read is refused with what was found and what to do; zips of any names never crash."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comeo.errors import SourceError
from comeo.sources import open_source
from comeo.sources.container import open_container, plain_name
from tests.comeo.sources.conftest import write_tif

TIF = b"tif"
ITEM = {
    "type": "Feature",
    "stac_version": "1.0.0",
    "id": "x",
    "properties": {"datetime": "2020-01-01T00:00:00Z"},
    "assets": {"B02": {"href": "./B02.tif"}},
}
RADAR = "S1A_IW_GRDH_1SDV_20180716T004042_20180716T004107_022812_02792A_FD5B.SAFE"


def zip_of(*names: str) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return content.getvalue()


# Files, what is given, and what is said.
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "DIMAP": (
        {"x.dim": "", "x.data/B2.img": "", "x.data/B2.hdr": ""},
        "",
        r"is a product of SNAP in BEAM-DIMAP; export",
    ),
    "DIMAP file": ({"x.dim": "", "x.data/B2.img": ""}, "x.dim", r"x\.dim is a product of SNAP"),
    "DIMAP data": ({"x.dim": "", "x.data/B2.img": ""}, "x.data", r"x\.data is a product of SNAP"),
    "zips": (
        {"S2A.zip": zip_of("a"), "S2B.zip": zip_of("a")},
        "",
        r"is a folder of archives: S2A\.zip, S2B\.zip; give one",
    ),
    "zip in a zip": (
        {"x.zip": zip_of("S2A.zip")},
        "x.zip",
        r"is a zip of archives: S2A\.zip; unzip it and give one",
    ),
    "tar": (
        {"x.tar.gz": ""},
        "x.tar.gz",
        r"is an archive that only zips are read of; unpack it and give its folder",
    ),
    "7z": ({"x.7z": ""}, "x.7z", "unpack it"),
    "two scenes": (
        {"a/B02.tif": TIF, "b/B02.tif": TIF},
        "",
        "band files in several folders: a, b; give the folder of one",
    ),
    "masks alone": (
        {"SCL.tif": TIF, "CLD_20m.tif": TIF},
        "",
        "has no band in it, only layers beside bands: CLD_20m.tif, SCL.tif; add the bands",
    ),
    "unknown names": (
        {"a.tif": TIF, "SCL.tif": TIF},
        "",
        r"no name says which band.*; rename a\.tif, or give",
    ),
    "NetCDF": ({"a.nc": "", "b.nc": "", "xfdumanifest.xml": ""}, "", r"it has files of 2 \.nc, 1 \.xml"),
    "empty": ({}, "", "it has no files"),
    "litter alone": ({"._B02.tif": "", "__MACOSX/B02.tif": TIF}, "", "it has no files"),
    "Item in a zip": ({"x.zip": zip_of()}, "x.zip", "has a STAC Item in it; unzip it and give item.json"),
    "unknown name": (
        {"B02.tif": TIF, "mystery.tif": TIF},
        "",
        r"mystery\.tif does not say which band.*`--bands`",
    ),
    "band twice": (
        {"B02.tif": TIF, "b2.tif": TIF},
        "",
        r"more than one file of band B02: .*; remove all but one",
    ),
    "band twice at one size": (
        {"R20m/B02.tif": TIF, "B02_20m.tif": TIF},
        "",
        "more than one file of band B02",
    ),
    "radar": (
        {f"{RADAR}/manifest.safe": "", f"{RADAR}/measurement/vv.tiff": TIF},
        "",
        "Sentinel-1 product in radar",
    ),
    "one band": ({"B02.jp2": TIF}, "B02.jp2", "is one band; give the folder that has all bands"),
    "no such band": ({"R10m/B02.tif": TIF}, "--bands", "has no file of band B03: it has B02"),
}


def write(folder: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is TIF:
            write_tif(path, np.ones((1, 6, 6), np.uint16))
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_say_what_was_found_and_what_to_do(tmp_path: Path, what: str) -> None:
    files, given_path, message = REFUSED[what]
    folder = tmp_path / "product"
    folder.mkdir()
    write(folder, files)
    if what == "Item in a zip":
        with ZipFile(folder / "x.zip", "w") as archive:
            archive.writestr("scene/item.json", json.dumps(ITEM))
            archive.writestr("scene/B02.tif", b"")
    bands = ["B03"] if given_path == "--bands" else None
    with pytest.raises(SourceError, match=message) as caught:
        open_source(folder if bands else folder / given_path, bands=bands)
    assert "download" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_an_item_below_is_found_beside_its_bands(tmp_path: Path) -> None:
    write(tmp_path, {"a/b/B02.tif": TIF, "a/b/item.json": json.dumps(ITEM)})
    scene = open_source(tmp_path)
    assert (scene.id, scene.datetime.year) == ("x", 2020)
    scene.close()


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"secret/B02.tif": TIF, "product/B03.tif": TIF})
    link = tmp_path / "product" / "B02.tif"
    link.symlink_to(tmp_path / "secret" / "B02.tif")
    with pytest.raises(
        SourceError, match=r"B02\.tif leads out of the folder product; copy what it links to there"
    ):
        open_source(tmp_path / "product")
    link.unlink()
    link.symlink_to("B03.tif")
    scene = open_source(tmp_path / "product")
    assert [band.name for band in scene.groups[0].bands] == ["B02", "B03"]
    scene.close()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a/b.jp2", "a/b.jp2"),
        ("./a/./b.jp2", "a/b.jp2"),
        ("/a//b.jp2", "a/b.jp2"),
        ("a\\b.jp2", "a/b.jp2"),
        ("C:\\a\\b.jp2", "a/b.jp2"),
        ("\\\\host\\a\\b.jp2", "host/a/b.jp2"),
        ("../b.jp2", "../b.jp2"),
        ("a/\x1b[31mb\n.jp2", "a/_[31mb_.jp2"),
        ("/", ""),
    ],
)
def test_plain_names(name: str, plain: str) -> None:
    assert plain_name(name) == plain


NAMES = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            [
                *(
                    "..",
                    ".",
                    "",
                    "C:",
                    "GRANULE",
                    "IMG_DATA",
                    "R10m",
                    "__MACOSX",
                    "x.SAFE",
                    "._B02.jp2",
                    "\\",
                ),
                *("B02.jp2", "B03.tif", "SCL.tif", "MTD_MSIL2A.xml", "MTD_TL.xml", "manifest.safe", "x.dim"),
                *(
                    "metadata.xml",
                    "tileInfo.json",
                    "item.json",
                    "a.zip",
                    "B02" * 60 + ".jp2",
                    "\n",
                    "\x1b[0m",
                ),
            ]
        ),
        min_size=1,
        max_size=5,
    ).map("/".join),
)


@given(
    st.dictionaries(NAMES, st.sampled_from([b"", b"<a/>", b"{}", b"II*\0", b"\xff\x4f\xff\x51"]), max_size=6)
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_zips_of_any_names_are_refused_in_one_sentence(tmp_path: Path, files: dict[str, bytes]) -> None:
    packed = tmp_path / "x.zip"
    with ZipFile(packed, "w") as archive:
        for name, content in files.items():
            entry = ZipInfo("x")
            entry.filename = name
            try:
                archive.writestr(entry, content)
            except (UnicodeError, ValueError):
                continue
    with pytest.raises(SourceError) as caught:
        open_source(packed)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 2000
    assert str(tmp_path) not in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zip"]


@given(NAMES)
@settings(max_examples=200, deadline=None)
def test_plain_names_are_relative_and_final(name: str) -> None:
    plain = plain_name(name)
    assert plain_name(plain) == plain
    assert not plain.startswith("/")
    assert not {"\\", "\n"} & set(plain)
    assert plain.isprintable()


def test_a_zip_is_read_once_however_it_is_named(tmp_path: Path) -> None:
    packed = tmp_path / "x.zip"
    with ZipFile(packed, "w") as archive:
        archive.writestr("./a/b.jp2", b"1")
        archive.writestr("__MACOSX/a/b.jp2", b"2")
    container = open_container(packed)
    assert container.names == {"a/b.jp2"}
    assert container.folders == {"a"}
    assert container.local("a/b.jp2") == container.local("./a/b.jp2")
    container.close()
