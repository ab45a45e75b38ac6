"""Missions that are recognised only to be named: their scenes are never taken for a Sentinel's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Other:
    """A mission that scenes cannot be made of.

    Attributes:
        title: `Landsat`.
        mark: Pattern of its mark in names of products and files; None where a product alone states the title.
        stated: Pattern of it where a product states its platform, constellation, instrument or collection.
        prefixes: Of STAC properties that only its products have.
    """

    title: str
    mark: re.Pattern[str] | None = None
    stated: re.Pattern[str] | None = None
    prefixes: tuple[str, ...] = ()


def _other(title: str, marks: str, stated: str = "", prefixes: str = "") -> Other:
    def pattern(text: str) -> re.Pattern[str]:
        return re.compile(rf"(?<![A-Z0-9])(?:{text})(?![A-Z])", re.IGNORECASE)

    return Other(
        title, pattern(marks), pattern(f"{marks}|{stated}" if stated else marks), tuple(prefixes.split())
    )


# Beginnings of product names, platforms and instruments, as their providers document them. Words that also
# mean something else (terra, planet) count where a product states its platform, not in the name of a file.
OTHERS: Final = (
    _other("Landsat", r"L[COTEM]0?[1-9](?=[_-]|\d{6})|L[45789]_(?:TM|ETM|OLI)|LANDSAT|HLS2?[._-]?L30|GA_LS\d"
           r"|LS[4-9](?=_)|LND0[4-9](?=_)",
           r"OLI|ETM\+?|TIRS", "landsat"),
    _other("MODIS", r"(?:MOD|MYD|MCD)\d\d[A-Z]*\d?(?=[._]A\d{7})|MODIS", "TERRA|AQUA", "modis"),
    _other("VIIRS", r"V(?:NP|J1|J2)\d\d\w*(?=\.A\d{7})|VIIRS", r"SUOMI.?NPP|NOAA.?\d+"),
    _other("Sentinel-3", r"S(?:ENTINEL[ _-]?)?3[A-D]?(?=[ _.\-]|$)", "OLCI|SLSTR", "s3"),
    _other("Sentinel-5P", r"S(?:ENTINEL[ _-]?)?5[ _-]?P(?:RECURSOR)?", "TROPOMI", "s5p"),
    _other("Sentinel-6", r"S(?:ENTINEL[ _-]?)?6[AB]?(?=[ _.\-]|$)", "", "s6"),
    _other("PlanetScope", r"PLANETSCOPE|PSSCENE\w*|\d{8}_\d{6}_(?:\d\d_)?[0-9a-f]{4}(?=_(?:1B|3A|3B)|$)",
           r"PLANET|PS[B2](?:\.SD|2)?", "pl"),
    _other("SkySat", r"SKYSAT\w*", r"SSC\d+"),
    _other("RapidEye", r"RAPIDEYE", r"RE\d?"),
    _other("Pléiades", r"PHR1[AB]?|PLEIADES|PNEO\d?", "PHR"),
    _other("SPOT", r"SPOT[ _-]?[1-7]", "SPOT"),
    _other("WorldView", r"WV0[1-4]|WORLDVIEW|GEOEYE|QUICKBIRD", r"WV\d|GE01|QB02"),
    _other("ASTER", r"AST_L1[ABT]|AST_0\d", "ASTER"),
    _other("ALOS", r"ALOS[ _-]?[12]|PALSAR\d?", "ALOS"),
    _other("RADARSAT", r"RADARSAT|RS2(?=_)|RCM\d(?=_)", "RCM"),
    _other("TerraSAR-X", r"T[SD]X1(?=_)|TERRASAR\w*", "TSX|TDX"),
    _other("COSMO-SkyMed", r"CSKS\d(?=_)|CSG\d?(?=_)|COSMO[ _-]SKYMED", "COSMO|CSK|CSG"),
    _other("CBERS", r"CBERS", "AMAZONIA"),
    _other("Gaofen", r"GF\d(?=_)|GAOFEN"),
    _other("VENµS", r"VENUS-XS", "VENUS"),
    _other("EnMAP", r"ENMAP"),
    _other("PRISMA", r"PRS_L\d", "PRISMA"),
    _other("NAIP", r"NAIP"),
    _other("ICEYE", r"ICEYE"),
    _other("Capella", r"CAPELLA"),
)  # fmt: skip


def other_in(name: str, *, stated: bool = False) -> tuple[int, Other] | None:
    """Where the mark of another mission stands first in a name, and which mission; None without one.

    Args:
        name: Of a product or file.
        stated: Whether it is a text by which a product states where it is from.
    """
    found = [
        (match.start(), index)
        for index, each in enumerate(OTHERS)
        if (pattern := each.stated if stated else each.mark) and (match := pattern.search(name))
    ]
    if not found:
        return None
    start, index = min(found)
    return start, OTHERS[index]
