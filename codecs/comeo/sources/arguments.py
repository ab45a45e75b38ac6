"""Arguments of `open_source` that are given by hand, checked before a product is looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from numbers import Real
from pathlib import Path
from typing import Any, Final

from comeo.errors import SourceError
from comeo.missions import unit_in_words
from comeo.missions.backscatter import BACKSCATTER, SCALES
from comeo.scene import Band

MAX_UNIT: Final = 32


@dataclass(frozen=True, slots=True)
class Given:
    """Meaning of numbers as the caller gives it, for all bands; None leaves a part to the source.

    Attributes:
        scale: Physical value = number × scale + offset.
        offset: See `scale`.
        unit: Of the physical value.
        nodata: Number that marks pixels without data, besides those that the source states.
        radar_scale: Of radar backscatter: `power`, `amplitude` or `dB`; see `backscatter_scale`.
        quantity: Of radar backscatter, one of `BACKSCATTER`.
    """

    scale: float | None = None
    offset: float | None = None
    unit: str | None = None
    nodata: float | None = None
    radar_scale: str | None = None
    quantity: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no band can have."""
        for name in ("scale", "offset", "nodata"):
            value = getattr(self, name)
            if value is not None and not _is_number(value, nan=name == "nodata"):
                raise SourceError(f"the {name} given is not a finite number; give one, as 0.0001")
        if self.scale == 0:
            raise SourceError("the scale given is 0, which makes all pixels alike; give the factor itself")
        unit: Any = self.unit
        if unit is not None and not (isinstance(unit, str) and 0 < len(unit.strip()) <= MAX_UNIT):
            raise SourceError(f"the unit given has to be a text of at most {MAX_UNIT} characters")
        if self.quantity not in (None, *BACKSCATTER):
            raise SourceError(
                f"the quantity given is {self.quantity!r}; give one of {', '.join(BACKSCATTER)}"
            )
        if self.radar_scale not in (None, *SCALES):
            raise SourceError(
                f"the scale given is {self.radar_scale[:40]!r}; give a number, or of radar one of "
                f"{', '.join(SCALES)}"
            )
        of_unit = None if unit is None else unit_in_words(unit)
        if self.radar_scale and of_unit and of_unit != self.radar_scale:
            raise SourceError(
                f"the scale given is {self.radar_scale}, but the unit {of_unit}; give one of them"
            )

    def factor_and_offset(self, band: Band) -> tuple[float, float]:
        """What a band's numbers are multiplied by, and what is added: its own where nothing else is given."""
        return (
            band.scale if self.scale is None else self.scale,
            band.offset if self.offset is None else self.offset,
        )

    @property
    def is_given(self) -> bool:
        """Whether anything is."""
        return self != Given()

    @property
    def is_of_radar(self) -> bool:
        """Whether something is given that only backscatter has."""
        return self.quantity is not None or self.radar_scale is not None

    @property
    def backscatter_scale(self) -> str | None:
        """The scale of radar backscatter that is given, as such or by its unit."""
        unit = None if self.unit is None else unit_in_words(self.unit)
        return self.radar_scale or (unit if unit in SCALES else None)


def parse_scale(scale: float | str | None) -> tuple[float | None, str | None]:
    """A factor, or else a word for a scale of radar, in its usual spelling."""
    return (None, unit_in_words(scale)) if isinstance(scale, str) else (scale, None)


def check_arguments(
    source: str | Path, texts: dict[str, str | None], moment: datetime | str | None,
    bands: Sequence[str] | None,
) -> None:  # fmt: skip
    """Refuse what cannot be meant.

    Args:
        source: Name or URL of the product.
        texts: Ids by the name of their argument.
        moment: Acquisition.
        bands: Names of bands.

    Raises:
        SourceError: Naming the argument, and saying how it is given.
    """
    if not str(source):
        raise SourceError("no source is named: give a SAFE product, a folder, a STAC Item or a GeoTIFF")
    for name, text in texts.items():
        given: Any = text
        if given is not None and not isinstance(given, str):
            raise SourceError(f"{name} is a text, not {given!r}")
    time: Any = moment
    if time is not None and not isinstance(time, (str, datetime)):
        raise SourceError(f"datetime is a datetime or a text, as 2019-05-30T10:30:31Z, not {time!r}")
    names: Any = bands
    if names is None:
        return
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise SourceError(f"bands is a list of names, as ['B04', 'B03'], not {names!r}")
    if not names or not all(isinstance(name, str) and name for name in names):
        raise SourceError("bands is a list of names, and no band is named to be taken")


def _is_number(value: Any, *, nan: bool) -> bool:
    """Whether an argument is a finite number, or NaN where that is allowed."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value) or (nan and math.isnan(value))
    except OverflowError:  # a whole number beyond all floats
        return False
