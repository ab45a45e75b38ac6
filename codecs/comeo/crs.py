"""Coordinate reference systems out of untrusted hands, accepted by a strict rule.

A definition may name files: grids of shifts, geoid models, whole pipelines. PROJ opens them, whatever they
are, while it holds the interpreter: one that names a pipe or a terminal stops the process for good. So a
definition is checked before PROJ sees it, against lists of what is allowed, and what PROJ makes of it is
checked again.

Allowed are codes of known authorities, and WKT or PROJJSON of geographic, projected and compound systems with
plain numbers. PROJ strings, bound and derived systems, transformations and models in files are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from rasterio import Env
from rasterio.crs import CRS
from rasterio.errors import CRSError

from comeo.errors import CrsError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MAX_TEXT: Final = 16_384
MAX_DEPTH: Final = 16
WKT: Final = "WKT2_2019"
_REMEDY: Final = "give it by its EPSG code"
_AUTHORITY: Final = r"(?:EPSG|ESRI|OGC|IGNF|IAU_\d{4}|NKG|NRCAN)"
_CODE: Final = re.compile(rf"({_AUTHORITY}):([A-Za-z0-9_.]{{1,32}})", re.IGNORECASE)
_NAMES: Final = re.compile(
    rf"(?:urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)({_AUTHORITY})[:/][0-9.]*[:/]"
    r"([A-Za-z0-9_.]{1,32})",
    re.IGNORECASE,
)
_ROOTS: Final = _words(
    "PROJCRS PROJECTEDCRS GEOGCRS GEOGRAPHICCRS GEODCRS GEODETICCRS COMPOUNDCRS PROJCS GEOGCS COMPD_CS"
)
# Of WKT 2 (ISO 19162:2019) and both kinds of WKT 1; what is not here is refused.
_KEYWORDS: Final = _ROOTS | _words(
    "BASEGEOGCRS BASEGEODCRS VERTCRS VERTICALCRS VERT_CS VERTCS DATUM GEODETICDATUM TRF VDATUM VERTICALDATUM "
    "VRF VERT_DATUM ENSEMBLE MEMBER ENSEMBLEACCURACY DYNAMIC FRAMEEPOCH ELLIPSOID SPHEROID PRIMEM "
    "PRIMEMERIDIAN CONVERSION METHOD PROJECTION PARAMETER CS AXIS ORDER MERIDIAN UNIT ANGLEUNIT "
    "LENGTHUNIT SCALEUNIT TIMEUNIT SCOPE AREA BBOX VERTICALEXTENT USAGE ID AUTHORITY CITATION URI REMARK "
    "ANCHOR ANCHOREPOCH EXTENSION"
)
_MEMBERS: Final = _words(
    "$schema type name base_crs conversion method parameters value unit id ids authority code version "
    "authority_citation uri datum datum_ensemble members accuracy ellipsoid semi_major_axis semi_minor_axis "
    "inverse_flattening radius prime_meridian longitude coordinate_system subtype axis abbreviation "
    "direction meridian minimum_value maximum_value range_meaning conversion_factor scope "
    "area bbox south_latitude "
    "west_longitude north_latitude east_longitude vertical_extent minimum maximum usages remarks components "
    "anchor anchor_epoch frame_reference_epoch"
)
_ROOT_TYPES: Final = frozenset(("ProjectedCRS", "GeographicCRS", "GeodeticCRS", "CompoundCRS"))
_TYPES: Final = _ROOT_TYPES | _words(
    "VerticalCRS GeodeticReferenceFrame DynamicGeodeticReferenceFrame VerticalReferenceFrame "
    "DynamicVerticalReferenceFrame DatumEnsemble Ellipsoid PrimeMeridian Conversion OperationMethod "
    "ParameterValue CoordinateSystem Axis Meridian Unit LinearUnit AngularUnit ScaleUnit TimeUnit "
    "TemporalUnit"
)
# PROJ takes a method named "PROJ …" for an operation of its own, with what follows as its parameters.
_METHOD: Final = re.compile(r"(?!proj\b|custom_proj)[\w][\w ()/,.&'°-]*", re.IGNORECASE)
# What GDAL writes into the older WKT of EPSG:3857: no grid at all, in so many words.
_WEB_MERCATOR: Final = re.compile(
    r"\+proj=merc(?: \+(?:(?:a|b|lat_ts|lon_0|x_0|y_0|k)=[0-9.]+|units=m|nadgrids=@null|wktext|no_defs))*"
)
# PROJ also takes typographic quotation marks for the end of a text, so that they are refused.
_TOKEN: Final = re.compile(
    r'\s*(?:(?P<open>[A-Za-z][A-Za-z0-9_]*)\s*\[|"(?P<text>(?:[^"\x00-\x1f“”]|"")*)"'
    r"|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<close>\])|(?P<comma>,))\s*"
)


class _Token(NamedTuple):
    kind: str
    value: str


def parse_crs(definition: str | int | Mapping[str, Any]) -> CRS:
    """Return the coordinate reference system of a map by its code (`EPSG:32632`), WKT or PROJJSON.

    Args:
        definition: Text, an EPSG code as a number, or PROJJSON as an object.

    Returns:
        The system, by its EPSG code if the definition is that of one.

    Raises:
        CrsError: If it is unknown or not one of a map, or could make PROJ open a file.
    """
    if isinstance(definition, bool) or not isinstance(definition, str | int | Mapping):
        raise CrsError("the coordinate reference system is neither text nor PROJJSON; " + _REMEDY)
    if isinstance(definition, int):
        return _parse(f"EPSG:{definition}")
    if isinstance(definition, Mapping):
        try:
            definition = json.dumps(definition)
        except (ValueError, TypeError, RecursionError) as error:
            raise CrsError(f"the coordinate reference system is not PROJJSON; {_REMEDY}") from error
    return _parse(definition)


def check_crs(crs: CRS) -> CRS:
    """Check a system that GDAL has made of a file's own description.

    Raises:
        CrsError: See `parse_crs`.
    """
    if not (crs.is_projected or crs.is_geographic):
        raise CrsError(f"the coordinate reference system is neither projected nor geographic; {_REMEDY}")
    try:
        text = crs.to_wkt(version=WKT)
    except CRSError as error:
        raise CrsError(
            f"the coordinate reference system cannot be described: {_reason(error)}; {_REMEDY}"
        ) from error
    check_wkt(text)
    return crs


def crs_text(crs: CRS) -> str:
    """Return a system as text that `parse_crs` takes: its code, or WKT 2."""
    code = crs.to_authority(confidence_threshold=100)
    return ":".join(code) if code else str(crs.to_wkt(version=WKT))


def check_wkt(text: str) -> None:
    """Check a definition in WKT without PROJ.

    Raises:
        CrsError: If it is too long, damaged, or has a part that is not allowed.
    """
    if len(text) > MAX_TEXT:
        raise CrsError(f"the coordinate reference system takes more than {MAX_TEXT} characters; {_REMEDY}")
    path: list[str] = []
    texts: list[int] = []  # of each open node, how many texts it has had
    before = _Token("comma", ",")
    for token in _tokens(text):
        _check_order(before, token, path)
        if token.kind == "open":
            _check_keyword(token.value.upper(), path)
            path.append(token.value.upper())
            texts.append(0)
        elif token.kind == "close":
            path.pop()
            texts.pop()
        elif token.kind == "text":
            _check_text(path[-1], texts[-1], token.value)
            texts[-1] += 1
        before = token
    if path or before.kind != "close":
        raise CrsError(f"the coordinate reference system is cut short; {_REMEDY}")


@lru_cache(maxsize=256)
def _parse(text: str) -> CRS:
    with Env():  # outside of one, PROJ prints its errors beside ours
        return _parsed(text.strip())


def _parsed(text: str) -> CRS:
    if code := _CODE.fullmatch(text) or _NAMES.fullmatch(text):
        return _by_code(*code.groups())
    if text.startswith("{"):
        text = _checked_json(text)
    else:
        check_wkt(text)
    try:
        crs = CRS.from_string(text)
        check_crs(crs)
        epsg = crs.to_epsg(confidence_threshold=100)
    except CRSError as error:
        raise CrsError(f"the coordinate reference system is unknown: {_reason(error)}; {_REMEDY}") from error
    return CRS.from_epsg(epsg) if epsg else crs


def _by_code(authority: str, code: str) -> CRS:
    """A system of PROJ's own database."""
    name = f"{authority.upper()}:{code}"
    try:
        crs = CRS.from_authority(authority.upper(), code)
    except (CRSError, ValueError, OverflowError) as error:
        raise CrsError(f"the coordinate reference system {name} is unknown; {_REMEDY}") from error
    if not (crs.is_projected or crs.is_geographic):
        raise CrsError(
            f"the coordinate reference system {name} is neither projected nor geographic; {_REMEDY}"
        )
    return crs


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise CrsError(
                f"the coordinate reference system {text[:40]!r} is neither a code nor well-formed WKT; "
                + _REMEDY
            )
        yield _Token(match.lastgroup, match[match.lastgroup])
        position = match.end()


def _check_order(before: _Token, token: _Token, path: list[str]) -> None:
    """Refuse values and commas where WKT has none; the first node is the only one at its level."""
    value = token.kind not in ("close", "comma")
    fits = before.kind in ("open", "comma") if value else before.kind not in ("open", "comma")
    outside = not path and (token.kind != "open" or before.kind == "close")
    if not fits or outside:
        raise CrsError(f"the coordinate reference system is not well-formed WKT; {_REMEDY}")


def _check_keyword(keyword: str, path: list[str]) -> None:
    if keyword not in (_KEYWORDS if path else _ROOTS):
        raise CrsError(
            f"the coordinate reference system is refused: {keyword[:40]} is no part of a plain definition, "
            f"and could name a file; {_REMEDY}"
        )
    if len(path) >= MAX_DEPTH:
        raise CrsError(f"the coordinate reference system is nested too deeply; {_REMEDY}")


def _check_text(keyword: str, position: int, value: str) -> None:
    """Refuse a text that PROJ would take for more than a name."""
    if keyword == "EXTENSION":
        allowed = (position == 0 and value == "PROJ4") or bool(_WEB_MERCATOR.fullmatch(value))
    elif keyword in ("METHOD", "PROJECTION"):
        allowed = position > 0 or bool(_METHOD.fullmatch(value))
    elif keyword == "PARAMETER":
        allowed = position == 0  # the value is a number
    else:
        allowed = True
    if not allowed:
        raise CrsError(
            f"the coordinate reference system is refused: {value[:60]!r} in {keyword} could name a file; "
            + _REMEDY
        )


def _checked_json(text: str) -> str:
    """Check PROJJSON; return it as PROJ is to see it, each member once."""
    if len(text) > MAX_TEXT:
        raise CrsError(f"the coordinate reference system takes more than {MAX_TEXT} characters; {_REMEDY}")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CrsError(
            f"the coordinate reference system is not PROJJSON: {str(error)[:80]}; {_REMEDY}"
        ) from error
    kind = str(document.get("type"))
    if kind not in _ROOT_TYPES:
        raise CrsError(f"the coordinate reference system is refused: its type is {kind[:40]!r}; {_REMEDY}")
    _check_member("", document, 0)
    return json.dumps(document)


def _check_member(name: str, value: Any, depth: int) -> None:
    if depth > 2 * MAX_DEPTH:
        raise CrsError(f"the coordinate reference system is nested too deeply; {_REMEDY}")
    if isinstance(value, list):
        for element in value:
            _check_member(name, element, depth + 1)
    elif isinstance(value, dict):
        unknown = [key for key in value if key not in _MEMBERS]
        kind = str(value.get("type", "Axis"))
        if unknown or kind not in _TYPES:
            raise CrsError(
                f"the coordinate reference system is refused: {(unknown or [kind])[0][:40]!r} is no part of "
                f"a plain definition, and could name a file; {_REMEDY}"
            )
        if name == "method" and not _METHOD.fullmatch(str(value.get("name", ""))):
            raise CrsError(f"the coordinate reference system has an unknown method; {_REMEDY}")
        for key, member in value.items():
            _check_member(key, member, depth + 1)
    elif name == "value" and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise CrsError(f"the coordinate reference system has a parameter that is no number; {_REMEDY}")


def _reason(error: CRSError) -> str:
    return " ".join(str(error).split())[:200]
