"""What an archive says of the mean power of its bands in decibels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

SIDE: Final = 8
"""Side in pixels of the cells whose error is stated."""
_MAX_BANDS: Final = 1024  # of all groups


class BandPower(BaseModel):
    """Errors of a band's mean power, in dB; None where there is nothing to measure them on.

    Attributes:
        bias: 10·log10 of the decoded scene's mean power over that of the original pixels.
        rmse_8: RMSE of the mean power of 8×8 pixels.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    bias: float | None = Field(ge=-1e4, le=1e4, allow_inf_nan=False)
    rmse_8: float | None = Field(ge=0, le=1e4, allow_inf_nan=False)


Power = Mapping[str, BandPower]

POWER: Final = TypeAdapter(
    Annotated[
        dict[Annotated[str, Field(max_length=64)], BandPower], Field(min_length=1, max_length=_MAX_BANDS)
    ]
)
"""The member `power` of the root attribute `comeo`: of each band in decibels, by name."""
