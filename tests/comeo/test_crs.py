"""The strict rule for coordinate reference systems: nothing that could make PROJ open a file gets to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from comeo import crs as rules
from comeo.crs import check_crs, check_wkt, crs_text, parse_crs
from comeo.errors import CrsError

CODES = (32632, 32760, 3857, 4326, 2056, 27700, 5514, 28992, 3035, 3413, 3031, 2193, 2154, 6933, 8857, 7415)
GEOGRAPHIC = (
    'GEOGCRS["x",DATUM["d",ELLIPSOID["Bessel 1841",6377397.155,299.15]],CS[ellipsoidal,2],AXIS["lat",north],'
    'AXIS["lon",east],ANGLEUNIT["degree",0.0174532925199433]]'
)
TM = (
    'PROJCRS["x",BASEGEOGCRS["x",DATUM["d",ELLIPSOID["e",6377397.155,299.15]]],CONVERSION["c",METHOD["{method}"],'
    'PARAMETER["Longitude of natural origin",9]],CS[Cartesian,2],AXIS["e",east],AXIS["n",north],'
    'LENGTHUNIT["metre",1]]'
)
OLD = (
    'PROJCS["x",GEOGCS["x",DATUM["d",SPHEROID["e",6377397.155,299.15]{datum}],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["central_meridian",9],'
    'UNIT["metre",1]{end}]'
)
HEIGHT = 'COMPD_CS["x",{horizontal},VERT_CS["h",VERT_DATUM["h",2005,{extension}],UNIT["metre",1]]]'


def bound(file: str, opening: str = "[", closing: str = "]") -> str:
    """The system of `hardening.md`, which names a file."""
    text = (
        f'BOUNDCRS[SOURCECRS[{GEOGRAPHIC}],TARGETCRS[{GEOGRAPHIC}],ABRIDGEDTRANSFORMATION["t",METHOD["NTv2",'
        f'ID["EPSG",9615]],PARAMETERFILE["Latitude and longitude difference file","{file}"]]]'
    )
    return text.replace("[", opening).replace("]", closing)


def naming(file: str) -> dict[str, Any]:
    """Definitions that make PROJ open a file, by what they do it with."""
    projjson: dict[str, Any] = json.loads(CRS_JSON)
    method = dict(projjson["conversion"], method={"name": f"PROJ hgridshift grids={file}"})
    return {
        "bound": bound(file),
        "bound in small letters": bound(file).lower(),
        "bound in round brackets": bound(file, "(", ")"),
        "bound with space": bound(file).replace("BOUNDCRS[", " BOUNDCRS \n["),
        "bound behind a typographic quotation mark": GEOGRAPHIC.replace('"x"', f'"x”,{bound(file)},"'),
        "bound in a compound": f'COMPOUNDCRS["x",{GEOGRAPHIC},{bound(file)}]',
        "bound behind a system": f"{GEOGRAPHIC},{bound(file)}",
        "bound as JSON": {"type": "BoundCRS", "source_crs": projjson, "target_crs": projjson},
        "nested bound as JSON": dict(projjson, base_crs={"type": "BoundCRS", "source_crs": projjson}),
        "grids of a datum": OLD.format(datum=f',EXTENSION["PROJ4_GRIDS","{file}"]', end=""),
        "parameters of PROJ": OLD.format(datum="", end=f',EXTENSION["PROJ4","+proj=tmerc +nadgrids={file}"]'),
        "null grid and another": OLD.format(
            datum="", end=f',EXTENSION["PROJ4","+proj=merc +nadgrids=@null,{file}"]'
        ),
        "geoid": HEIGHT.format(
            horizontal=OLD.format(datum="", end=""), extension=f'EXTENSION["PROJ4_GRIDS","{file}"]'
        ),
        "geoid model": f'COMPOUNDCRS["x",{GEOGRAPHIC},VERTCRS["h",VDATUM["h"],CS[vertical,1],AXIS["u",up],'
        f'LENGTHUNIT["metre",1],GEOIDMODEL["PROJ {file}"]]]',
        "method of PROJ": TM.format(method=f"PROJ hgridshift grids={file}"),
        "method of PROJ as JSON": dict(projjson, conversion=method),
        "pipeline": TM.format(
            method=f"PROJ-based operation method: +proj=pipeline +step +proj=hgridshift +grids={file}"
        ),
        "PROJ string": f"+proj=longlat +ellps=bessel +nadgrids={file} +no_defs",
        "geoidgrids": f"+proj=utm +zone=32 +geoidgrids={file} +vunits=m",
        "pipeline string": f"+proj=pipeline +step +proj=hgridshift +grids={file}",
        "init": f"+init={file}:1",
        "init code": "init=epsg:32632",
        "path": file,
        "URL": f"file://{file}",
        "concatenated": f'CONCATENATEDOPERATION["x",STEP[{bound(file)}]]',
        "transformation": {
            "type": "Transformation",
            "name": "x",
            "parameters": [{"name": "x", "value": file}],
        },
        "parameter that is a text": dict(
            projjson, conversion=dict(projjson["conversion"], parameters=[{"name": "x", "value": file}])
        ),
        "derived": f'GEOGCRS["x",BASE{GEOGRAPHIC},DERIVINGCONVERSION["c",METHOD["NTv2"],'
        f'PARAMETERFILE["f","{file}"]]]',
        "shifts in numbers": OLD.format(datum=",TOWGS84[598.1,73.7,418.2,0.202,0.045,-2.455,6.7]", end=""),
        "XML": f"<gml:ProjectedCRS><gml:file>{file}</gml:file></gml:ProjectedCRS>",
    }


CRS_JSON = pyproj.CRS.from_epsg(32632).to_json()


@pytest.mark.parametrize("kind", sorted(naming("")))
def test_no_definition_names_a_file(kind: str, tmp_path: Path) -> None:
    """PROJ would wait for the pipe for ever, and the test with it."""
    os.mkfifo(tmp_path / "pipe")
    for file in (str(tmp_path / "pipe"), "/dev/ptmx", "https://cdn.example.org/grid.tif"):
        with pytest.raises(CrsError):
            parse_crs(naming(file)[kind])


@pytest.mark.parametrize("code", CODES)
def test_systems_of_maps_are_known_by_code_text_and_json(code: int) -> None:
    expected = CRS.from_epsg(code)
    texts = [expected.to_wkt(version=version) for version in ("WKT2_2019", "WKT2_2015")]
    if code != 8857:  # a projection that the older text has no name for
        texts.append(expected.to_wkt(version="WKT1_GDAL"))
    forms: list[Any] = [
        code, f"EPSG:{code}", f"epsg:{code}", f"urn:ogc:def:crs:EPSG::{code}",
        f"http://www.opengis.net/def/crs/EPSG/0/{code}", *(text for text in texts if "EXTENSION" not in text),
        pyproj.CRS.from_epsg(code).to_json_dict(),
    ]  # fmt: skip
    if code != 7415:  # its older text names a grid of heights
        forms += texts
    for form in forms:
        assert parse_crs(form) == expected, form


def test_an_epsg_code_is_taken_where_there_is_one() -> None:
    text = CRS.from_epsg(32632).to_wkt(version="WKT1_ESRI")
    assert crs_text(parse_crs(text)) == "EPSG:32632"
    lying = (
        CRS.from_epsg(32632)
        .to_wkt(version="WKT1_GDAL")
        .replace('"central_meridian",9', '"central_meridian",9.1')
    )
    assert '"EPSG","32632"' in lying
    assert parse_crs(lying) != CRS.from_epsg(32632)
    assert "9.1" in crs_text(parse_crs(lying))


def test_other_authorities() -> None:
    assert parse_crs("ESRI:102001").is_projected
    assert parse_crs("OGC:CRS84").is_geographic


@pytest.mark.parametrize(
    "wrong",
    ["", " ", "EPSG:", "EPSG:0", "EPSG:999999", "EPSG:99999999999999999999", "EPSG:3855", "EPSG:4978",
     "file:passwd",
     "[]", "{}", '{"type":["x"]}', "null", 'LOCAL_CS["here",UNIT["metre",1]]', -1, True, None, 3.5,
     {"type": "ProjectedCRS", "value": float("nan")}, "PROJCRS[", GEOGRAPHIC[:-1], GEOGRAPHIC + "]",
     "é" * 50],
)  # fmt: skip
def test_others_are_refused_with_a_sentence(wrong: Any) -> None:
    with pytest.raises(CrsError, match="coordinate reference system"):
        parse_crs(wrong)


def test_length_and_depth_are_bounded() -> None:
    with pytest.raises(CrsError, match="characters"):
        parse_crs(GEOGRAPHIC.replace('"x"', '"' + "x" * rules.MAX_TEXT + '"'))
    deep = "".join('ID["x",' for _ in range(5000))
    with pytest.raises(CrsError):
        parse_crs(GEOGRAPHIC.replace("AXIS", deep + "AXIS", 1)[: rules.MAX_TEXT])
    nested: Any = {"type": "ProjectedCRS"}
    for _ in range(500):
        nested = {"type": "ProjectedCRS", "base_crs": nested}
    with pytest.raises(CrsError):
        parse_crs(nested)
    with pytest.raises(CrsError):
        parse_crs('{"a":' * 100_000)


def test_what_others_have_made_is_checked_too() -> None:
    shifted = CRS.from_wkt(OLD.format(datum=",TOWGS84[598.1,73.7,418.2,0.202,0.045,-2.455,6.7]", end=""))
    with pytest.raises(CrsError, match="BOUNDCRS"):
        check_crs(shifted)
    assert check_crs(CRS.from_epsg(3857)) == CRS.from_epsg(3857)


PIECES = st.sampled_from(
    ["BOUNDCRS[", "PROJCS[", "GEOGCRS[", "PARAMETERFILE[",
     'EXTENSION["PROJ4","+proj=merc +nadgrids=/dev/ptmx"]',
     '"', '""', "“", "”", "[", "]", "(", ")", ",", "1", "-1e5", "north", "/dev/ptmx", "\n", "x", "\x00", "é"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join))
def test_text_of_any_kind_is_refused_or_harmless(text: str) -> None:
    _refused_or_plain(lambda: check_wkt(text), text)


@given(st.integers(0, len(GEOGRAPHIC)), PIECES)
def test_text_put_anywhere_is_refused_or_harmless(place: int, piece: str) -> None:
    text = GEOGRAPHIC[:place] + piece + GEOGRAPHIC[place:]
    _refused_or_plain(lambda: check_wkt(text), text)


def _refused_or_plain(check: Callable[[], None], text: str) -> None:
    try:
        check()
    except CrsError:
        return
    outside = "".join(text.replace('""', "").split('"')[::2])
    assert not any(word in outside.upper() for word in ("BOUNDCRS", "PARAMETERFILE", "PTMX", "(", "“"))
