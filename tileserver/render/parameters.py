"""Parameters that say what to read and how to show it, as JSON and queries carry them."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from comeo.errors import ParameterError
from comeo.globe import checked
from comeo.grid import Bounds
from comeo.missions import Range
from comeo.missions.clear import WORDS, ClearMask
from comeo.view.resampling import ResamplingName
from tileserver.render.plan import RenderRequest
from tileserver.text import is_text

MAX_LIST = 64
AUTO = "auto"
GREATEST = 1e30  # of numbers that are computed in single precision
SELECTION = "pixel_selection"
ONE_SCENE = (
    "this answer is not made of several scenes; take pixel_selection with tiles, TileJSON, bbox or "
    "overlay.kml of a collection, and leave it out here (mask=clear shows clear pixels alone)"
)
"""Why what chooses among scenes is refused."""


def split_commas(value: Any) -> Any:
    """Make a list of `a,b` and of `a&…=b` alike."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, (list, tuple)):
        if any(isinstance(entry, str) and not is_text(entry) for entry in value):
            raise ValueError("this is not text: it has half of a character")
        return [part.strip() for entry in value for part in str(entry).split(",") if part.strip()]
    return value


def split_names(value: Any) -> Any:
    """As `split_commas`, of what has to name something: an empty value would pass for none at all."""
    names = split_commas(value)
    if isinstance(names, list) and not names:
        raise ValueError("it is empty: leave it out, or give names with commas between them")
    return names


def split_ranges(value: Any) -> Any:
    """Make ranges of `0,1&rescale=0,2`, as TiTiler does, of `0,1,0,2`, of pairs in JSON; none of `auto`."""
    if value in (AUTO, [AUTO]):
        return []
    if isinstance(value, (list, tuple)) and any(isinstance(entry, (list, tuple)) for entry in value):
        return value
    numbers = split_commas(value)
    if not isinstance(numbers, list):
        return numbers
    if not numbers or len(numbers) % 2:
        raise ValueError("a range is min,max")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


Side = Annotated[int, Field(ge=1, le=1 << 53)]
"""Pixels of a side; how many may be made is bounded by the settings."""
Names = Annotated[list[str], BeforeValidator(split_names), Field(min_length=1, max_length=MAX_LIST)]
EpsgCode = Annotated[str, Field(max_length=20, pattern=r"^(?i:EPSG:)\d{4,6}$")]
Ranges = Annotated[list[Range], BeforeValidator(split_ranges), Field(max_length=MAX_LIST)]


def check_area(value: Bounds) -> Bounds:
    """`comeo.globe.checked` for pydantic.

    Raises:
        ValueError: Saying how an area is written.
    """
    try:
        return checked(value)
    except ParameterError as error:
        raise ValueError(str(error)) from error  # as pydantic wants it


def _box(value: list[float]) -> list[float]:
    if len(value) != 4:
        raise ValueError("bbox is west,south,east,north in degrees")
    return list(check_area((value[0], value[1], value[2], value[3])))


Box = Annotated[list[float], BeforeValidator(split_commas), AfterValidator(_box)]
"""West, south, east and north in degrees, as `bbox` of a query."""


class Parameters(BaseModel):
    """Base of all parameters. Unknown ones are ignored, as on web servers in general."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @classmethod
    @functools.cache
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """The JSON schema, made once: flask-openapi3 uses it on every request."""
        return super().model_json_schema(*args, **options)


def mask_of_words(words: list[str] | None) -> ClearMask | None:
    """The mask that a parameter names; None for all pixels.

    Raises:
        ParameterError: If a word is unknown.
    """
    return None if words is None else ClearMask.of(words)


class RenderParameters(Parameters):
    """What to read and how to show it, by TiTiler's names."""

    bands: Names | None = Field(None, description="Names of bands, `B04,B03,B02`, given as stored numbers.")
    expression: str | None = Field(
        None, min_length=1,
        description="Band arithmetic on physical values, `(B08-B04)/(B08+B04)`; several results between `;`.",
    )  # fmt: skip
    style: str | None = Field(None, min_length=1, max_length=64, description="A style that `info` lists.")
    rescale: Ranges | None = Field(
        None, description="Values to show as darkest and brightest: `min,max`, one for all or one for each. "
        "`auto` takes those that 2 and 98 % of the scene's own pixels do not exceed, clouds left aside; an "
        "index keeps its range.",
        json_schema_extra={"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
    )  # fmt: skip
    colormap_name: str | None = Field(
        None, min_length=1, max_length=64, description="One of rio-tiler's colour maps."
    )
    color_formula: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Of color-operations: `gamma RGB 1.2 saturation 1.1`.",
    )
    unscale: bool | None = Field(
        None, description="Physical values (true) or stored numbers (false); by default bands are stored "
        "numbers, expressions and styles physical.",
    )  # fmt: skip
    resampling: ResamplingName | None = Field(
        None, description="By default bilinear for pictures and nearest for tif and npy. The mask is always "
        "the nearest pixel's.",
    )  # fmt: skip
    mask: Names | None = Field(
        None, description="What pixels have to show to count, by the archive's own classes: `clear` (land, "
        f"water and snow), or of {', '.join(WORDS[1:])}, several with commas. Others are as without data.",
    )  # fmt: skip
    against: str | None = Field(
        None, min_length=1, max_length=256, description="Id of the scene of the same collection that this "
        "one is compared with: the picture or the values are the difference of the style, the expression or "
        "the one band, this scene's less the other's.",
    )  # fmt: skip
    significant: bool = Field(
        True, description="With `against`: pictures hatch differences within twice the joint expected error "
        "of both scenes; values have that error as a second band. False leaves both out.",
    )  # fmt: skip
    any_orbit: bool = Field(
        False, description="Whether `style=change` may compare scenes of different relative orbits, which "
        "are seen from different sides.",
    )  # fmt: skip
    return_mask: bool = Field(True, description="Whether images get an alpha channel and arrays a mask.")

    @model_validator(mode="before")
    @classmethod
    def _chooses_scenes(cls, values: Any) -> Any:
        """Refuse to drop what would change every pixel; other unknown parameters are ignored."""
        if isinstance(values, dict) and SELECTION in values and SELECTION not in cls.model_fields:
            raise ValueError(ONE_SCENE)
        return values

    @field_validator("rescale")
    @classmethod
    def _ordered(cls, value: list[Range] | None) -> list[Range] | None:
        for low, high in value or ():
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"{low:g},{high:g} is not a range: min has to be less than max")
            if max(abs(low), abs(high)) > GREATEST:
                raise ValueError(f"{low:g},{high:g} is not a range of values: it goes beyond {GREATEST:g}")
        return value

    def render_request(self) -> RenderRequest:
        """The same for `tileserver.render`."""
        bands, rescale = self.bands, self.rescale
        return RenderRequest(
            bands=None if bands is None else tuple(bands), expression=self.expression, unscale=self.unscale,
            resampling=self.resampling, style=self.style, stretched=rescale == [],
            rescale=tuple(rescale) if rescale else None, colormap_name=self.colormap_name,
            color_formula=self.color_formula, return_mask=self.return_mask, mask=mask_of_words(self.mask),
            against=self.against, significant=self.significant, any_orbit=self.any_orbit,
        )  # fmt: skip
