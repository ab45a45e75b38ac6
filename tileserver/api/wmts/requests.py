"""Requests in key-value pairs, read strictly: every key once, every value what it has to be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from comeo.errors import ParameterError
from comeo.missions.clear import ClearMask
from tileserver.api.wmts.errors import OwsError, invalid, missing
from tileserver.render.parameters import RenderParameters
from tileserver.render.plan import Selection

VERSION = "1.0.0"
SECTIONS = ("ServiceIdentification", "ServiceProvider", "OperationsMetadata", "Contents", "Themes")
XML_TYPES = ("application/xml", "text/xml")
TILE_TYPES = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}
MASK: Final = "MASK"
SELECTION: Final = "PIXEL_SELECTION"
OWN: Final = (MASK, SELECTION)
"""Parameters of this service's own."""
_OTHERS: Final = frozenset(name.upper() for name in RenderParameters.model_fields) - {"STYLE", *OWN}
IN_QUERY: Final = _OTHERS | {*OWN}
"""What a resource's address carries in its query: wrong there, it is no resource that there is not."""
INFO_TYPES = {"text/html": "html", "application/json": "json", "text/plain": "txt"}
MAX_VALUE = 500
"""Characters."""
_NUMBER = re.compile(r"-?\d{1,10}")
Pairs = Iterable[tuple[str, str]]
Operation = Literal["GetCapabilities", "GetTile", "GetFeatureInfo"]


@dataclass(frozen=True, slots=True)
class CapabilitiesRequest:
    """GetCapabilities.

    Attributes:
        sections: Those of `SECTIONS` that are wanted.
        update_sequence: Of the document that the client has.
        media_type: Of the answer.
    """

    sections: frozenset[str] = frozenset(SECTIONS)
    update_sequence: str | None = None
    media_type: str = XML_TYPES[0]


@dataclass(frozen=True, slots=True)
class TileRequest:
    """GetTile; names are as the client wrote them.

    Attributes:
        layer: Identifier.
        style: Identifier; empty for the default one.
        time: Of the dimension; None for its default.
        matrix_set: Identifier.
        matrix: Identifier.
        row: From the top.
        col: From the left.
        extension: Of the image.
        mask: Of the parameter MASK, this service's own: what pixels have to show. None for all.
        selection: Of PIXEL_SELECTION, its own, too: which pixels of a collection's scenes.
    """

    layer: str
    style: str
    time: str | None
    matrix_set: str
    matrix: str
    row: int
    col: int
    extension: str
    mask: ClearMask | None = None
    selection: Selection = "first"


@dataclass(frozen=True, slots=True)
class FeatureInfoRequest:
    """GetFeatureInfo.

    Attributes:
        tile: In which it is asked.
        i: Column of the pixel.
        j: Row of the pixel.
        extension: Of the answer: `html`, `json` or `txt`.
    """

    tile: TileRequest
    i: int
    j: int
    extension: str


def parameters(pairs: Pairs) -> dict[str, str]:
    """Values by upper-case key.

    Raises:
        OwsError: If a key comes with different values, or a value is longer than any can be.
    """
    found: dict[str, str] = {}
    for key, value in pairs:
        name = key.upper()
        if len(value) > MAX_VALUE:
            raise invalid(name[:40], f"the value of {name[:40]} has more than {MAX_VALUE} characters")
        if found.setdefault(name, value) != value:
            raise invalid(name[:40], f"{name[:40]} is given more than once, with different values")
    return found


def operation(values: Mapping[str, str]) -> Operation:
    """Operation that a request names.

    Raises:
        OwsError: If it is not for this service, or no operation of it.
    """
    if _required(values, "SERVICE").upper() != "WMTS":
        raise invalid("SERVICE", "this is a WMTS: SERVICE=WMTS")
    name = _required(values, "REQUEST")
    for known in ("GetCapabilities", "GetTile", "GetFeatureInfo"):
        if name.lower() == known.lower():
            return known
    raise OwsError(
        "OperationNotSupported", name[:40],
        "this service has the operations GetCapabilities, GetTile and GetFeatureInfo",
    )  # fmt: skip


def capabilities_request(values: Mapping[str, str]) -> CapabilitiesRequest:
    """Read GetCapabilities.

    Raises:
        OwsError: If no version is acceptable to both sides, or there is no such section.
    """
    versions = _list(values.get("ACCEPTVERSIONS"))
    if versions and VERSION not in versions:
        raise OwsError("VersionNegotiationFailed", None, f"this service speaks WMTS {VERSION} alone")
    wanted = {name.lower() for name in _list(values.get("SECTIONS"))}
    known = {name.lower(): name for name in SECTIONS}
    unknown = wanted - known.keys() - {"all"}
    if unknown:
        raise invalid("SECTIONS", f"a section is one of {', '.join(SECTIONS)} or All")
    everything = not wanted or "all" in wanted
    formats = [name for name in _list(values.get("ACCEPTFORMATS")) if name in XML_TYPES]
    return CapabilitiesRequest(
        frozenset(SECTIONS if everything else (known[name] for name in wanted)),
        values.get("UPDATESEQUENCE") or None,
        formats[0] if formats else XML_TYPES[0],
    )


def tile_request(values: Mapping[str, str]) -> TileRequest:
    """Read GetTile.

    Raises:
        OwsError: If a parameter is missing or cannot have its value.
    """
    return _tile(values, _choice(values, "FORMAT", TILE_TYPES))


def feature_info_request(values: Mapping[str, str]) -> FeatureInfoRequest:
    """Read GetFeatureInfo. FORMAT, the tile's, changes nothing, and QGIS leaves it out.

    Raises:
        OwsError: If a parameter is missing or cannot have its value.
    """
    tile = _tile(values, _choice({"FORMAT": next(iter(TILE_TYPES)), **values}, "FORMAT", TILE_TYPES))
    extension = _choice(values, "INFOFORMAT", INFO_TYPES)
    return FeatureInfoRequest(tile, _number(values, "I"), _number(values, "J"), extension)


def _tile(values: Mapping[str, str], extension: str) -> TileRequest:
    if _required(values, "VERSION") != VERSION:
        raise invalid("VERSION", f"this service speaks WMTS {VERSION} alone")
    if "STYLE" not in values:
        raise missing("STYLE")
    check_others(values)
    return TileRequest(
        layer=_required(values, "LAYER"),
        style=values["STYLE"],
        time=values.get("TIME") or None,
        matrix_set=_required(values, "TILEMATRIXSET"),
        matrix=_required(values, "TILEMATRIX"),
        row=_number(values, "TILEROW"),
        col=_number(values, "TILECOL"),
        extension=extension,
        mask=_mask(values.get(MASK)),
        selection=_selection(values),
    )


def check_others(names: Iterable[str]) -> None:
    """Refuse parameters of the map's own tiles that would change the picture, and that WMTS has no place for.

    Raises:
        OwsError: Naming the first.
    """
    for name in names:
        if name in _OTHERS:
            raise invalid(name, f"{name} is not for WMTS, which shows styles; leave it out")


def _selection(values: Mapping[str, str]) -> Selection:
    value = values.get(SELECTION, "first").lower()
    if value not in get_args(Selection):
        raise invalid(SELECTION, f"{SELECTION} is one of {', '.join(get_args(Selection))}")
    return cast("Selection", value)


def _mask(value: str | None) -> ClearMask | None:
    try:
        return None if value is None else ClearMask.of(_list(value))
    except ParameterError as error:
        raise invalid(MASK, str(error)) from error


def _required(values: Mapping[str, str], name: str) -> str:
    value = values.get(name, "")
    if not value:
        raise missing(name)
    return value


def _choice(values: Mapping[str, str], name: str, known: Mapping[str, str]) -> str:
    value = _required(values, name)
    if value not in known:
        raise invalid(name, f"{name} is one of {', '.join(known)}")
    return known[value]


def _number(values: Mapping[str, str], name: str) -> int:
    value = _required(values, name)
    if not _NUMBER.fullmatch(value, 0) or not value.isascii():
        raise invalid(name, f"{name} is a whole number of at most ten digits")
    return int(value)


def _list(value: str | None) -> list[str]:
    return [part.strip() for part in (value or "").split(",") if part.strip()]
