"""What an archive says of clouds that were coded more coarsely than the ground."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

COARSE: Final = "coarse"
_MAX_BANDS: Final = 1024  # of all groups

_Error = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_Errors = Mapping[Annotated[str, Field(max_length=64)], _Error | None]


class CloudFacts(BaseModel):
    """The member `clouds` of the root attribute `comeo`: the certificate then tells of the ground alone.

    Attributes:
        coding: `coarse`.
        weight: Share that the squared error of a cloud counted when the encoder chose.
        share: Pixels of the class `cloud` in `clear/`, in percent of those with a class.
        rmse: Root mean squared error of each band there, in stored numbers; None without a valid pixel.
        maximum: Likewise the greatest absolute error.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    coding: Literal["coarse"]
    weight: float = Field(gt=0, le=1)
    share: float = Field(ge=0, le=100)
    rmse: _Errors = Field(max_length=_MAX_BANDS)
    maximum: _Errors = Field(max_length=_MAX_BANDS)
