"""What to make of a GRD product, and from what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from comeo.errors import SourceError
from comeo.grid import Bounds
from comeo.sources.geoid import Datum

Radiometry = Literal["sigma0", "gamma0", "rtc"]
RADIOMETRIES: Final[tuple[Radiometry, ...]] = get_args(Radiometry)


@dataclass(frozen=True, slots=True)
class GeocodeOptions:
    """How a product is brought onto a map.

    Attributes:
        dem: Heights of the ground: any path that GDAL reads. None for the product's own few heights, by which
            it can be shown, but is not terrain-corrected.
        dem_heights: What the DEM's heights are measured from; None for what it says itself.
        radiometry: Quantity of backscatter.
        pixel: Size of the map's pixels in metres; None for the product's own spacing, to tens of metres.
        crs: The map's coordinate reference system, in metres, as `EPSG:3413`; None for UTM of the middle, or
            polar stereographic beyond 84 degrees.
        bbox: Area in degrees (west, south, east, north); None for all of the product.
        noise: Whether to take thermal noise off, where the product tells of it.
        incidence: Whether to make a layer of the local incidence angle.
        mask: Whether pixels in layover and shadow are without data.
        orbit: A precise or restituted orbit file (.EOF) to use instead of the product's own orbit.

    Raises:
        SourceError: If something is wanted that takes a DEM, and there is none.
    """

    dem: str | None = None
    dem_heights: Datum | None = None
    radiometry: Radiometry = "sigma0"
    pixel: float | None = None
    crs: str | None = None
    bbox: Bounds | None = None
    noise: bool = True
    incidence: bool = False
    mask: bool = False
    orbit: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if self.radiometry not in RADIOMETRIES:
            raise SourceError(f"the radiometry given is none of {', '.join(RADIOMETRIES)}")
        if self.dem is None:
            for wanted, name in (
                (self.radiometry == "rtc", "--radiometry rtc"), (self.incidence, "--incidence"),
                (self.mask, "--mask"), (self.dem_heights is not None, "--dem-heights"),
            ):  # fmt: skip
                if wanted:
                    raise SourceError(f"{name} needs heights of the ground: give them with --dem")
