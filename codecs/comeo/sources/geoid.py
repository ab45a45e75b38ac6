"""Heights of the sea: the EGM96 geoid over the WGS 84 ellipsoid, and what a DEM's heights are measured from.

The table is NGA's EGM96 (public domain) at its own 15 minutes of arc, rounded to a quarter of a metre: by
what PROJ distributes as `egm96_15.gtx`. PROJ itself has no such grid unless someone installs it, and then
passes heights through without a word, which would place a scene 50 m off.
"""

from __future__ import annotations

import lzma
from functools import cache
from importlib.resources import files
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

TABLE_FILE: Final = "geoid-egm96.xz"
Datum = Literal["egm2008", "egm96", "ellipsoid"]
DATUMS: Final[tuple[Datum, ...]] = get_args(Datum)
_ROWS, _COLUMNS = 721, 1440
_UNIT: Final = 0.25  # metres
_STEP: Final = 0.25  # degrees
Values = NDArray[np.float64]


def undulation(latitudes: Values, longitudes: Values) -> Values:
    """Metres of the EGM96 geoid over WGS 84, bilinear: within 0.15 m of the table in full.

    Args:
        latitudes: Degrees, of any shape.
        longitudes: Degrees, of the same shape, from any meridian on.
    """
    table = _table()
    down = np.clip((latitudes + 90) / _STEP, 0, _ROWS - 1)
    right = np.mod(longitudes + 180, 360) / _STEP
    row = np.minimum(down.astype(np.intp), _ROWS - 2)
    column = np.minimum(right.astype(np.intp), _COLUMNS - 1)
    beside = (column + 1) % _COLUMNS
    down, right = down - row, right - column
    upper = (1 - right) * table[row, column] + right * table[row, beside]
    lower = (1 - right) * table[row + 1, column] + right * table[row + 1, beside]
    return np.asarray((1 - down) * upper + down * lower, np.float64)


def datum_named(text: str) -> Datum | None:
    """What heights are measured from, by the name of a vertical reference system or of a DEM; else None.

    Heights over EGM2008 are taken as over EGM96, from which it differs by less than a metre over most land.
    """
    plain = text.upper().replace(" ", "").replace("_", "").replace("-", "")
    if "EGM2008" in plain or "EGM08" in plain or "COPERNICUSDSM" in plain:
        return "egm2008"
    if "EGM96" in plain or "SRTM" in plain:
        return "egm96"
    if "ELLIPSOID" in plain:
        return "ellipsoid"
    return None


@cache
def _table() -> NDArray[np.float32]:
    """(rows from the south pole up, columns from 180° W on) metres."""
    steps = lzma.decompress(files("comeo.sources").joinpath(TABLE_FILE).read_bytes())
    changes = np.frombuffer(steps, "<i2").reshape(_ROWS, _COLUMNS)
    table: NDArray[np.float32] = np.cumsum(changes, axis=1, dtype=np.int32).astype(np.float32) * np.float32(
        _UNIT
    )
    return table
