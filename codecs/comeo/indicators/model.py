"""The model of an indicator's document: its fields, and what each may hold. `docs/pof.md` describes them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from comeo.indicators.tree import GREATEST
from comeo.missions.clear import WORDS

LANGUAGES: Final = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$"
VERSION: Final = r"^(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){2}$"
_UNREADABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
MOST_INPUTS: Final = 8
MOST_STEPS: Final = 32
MOST_RESULTS: Final = 3
MOST_CLASSES: Final = 32
MOST_TESTS: Final = 100
MOST_PIXELS: Final = 15
"""Pixels to a side of an image that a test gives."""


def _number(value: Any) -> Any:
    """Refuse what pydantic would take for a number: truth and text."""
    if isinstance(value, (bool, str)):
        raise ValueError("a number is expected")
    return value


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError(f"{value[0]:g} is not less than {value[1]:g}")
    return value


def _word(value: str) -> str:
    if value not in WORDS:
        raise ValueError(f"{value[:40]!r} is no class of clear ground; write one of {', '.join(WORDS)}")
    return value


def _readable(value: str) -> str:
    """Refuse characters that pages, XML or comments of programs cannot carry, and those that turn text.

    Unicode 15, table 23-1 (controls), sections 23.2 (overrides of direction), 23.6 (halves of characters) and
    23.7 (no characters). Text over several lines may have line feeds and tabs.
    """
    found = _UNREADABLE.search(value)
    if found:
        raise ValueError(f"it has the character U+{ord(found.group()):04X}, which text may not have here")
    return value


def _one_line(value: str) -> str:
    if "\n" in value or "\t" in value:
        raise ValueError("it is one line: leave out line feeds and tabs")
    return _readable(value)


Real = Annotated[float, BeforeValidator(_number), Field(gt=-GREATEST, lt=GREATEST, allow_inf_nan=False)]
Interval = Annotated[tuple[Real, Real], AfterValidator(_ordered)]
Language = Annotated[str, Field(pattern=LANGUAGES)]
Readable = Annotated[str, AfterValidator(_readable)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Texts = Annotated[
    dict[Language, Annotated[Readable, Field(min_length=1, max_length=1000)]],
    Field(min_length=1, max_length=20),
]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]
BandName = Annotated[OneLine, Field(min_length=1, max_length=60)]
Formula = Annotated[str, Field(min_length=1, max_length=4000)]
Line = Annotated[OneLine, Field(min_length=1, max_length=500)]
Statistic = Annotated[
    str,
    Field(
        pattern=r"^(mean|median|min|max|latest|count|slope|percentile\((100|[0-9]{1,2})(\.[0-9]{1,9})?\)"
        r"|days-above\(-?[0-9]{1,9}(\.[0-9]{1,9})?\))$"
    ),
]
SiteStatistic = Annotated[
    str,
    Field(
        pattern=r"^(mean|median|percentile\((100|[0-9]{1,2})(\.[0-9]{1,9})?\)|(fraction|area)\([A-Za-z0-9_-]{1,40}\))$"
    ),
]


class Part(BaseModel):
    """Base of all parts: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class Mask(Part):
    """Pixels that count, by the archive's own classes of clear ground.

    Attributes:
        keep: Classes whose pixels count: `clear` (land, water, snow), or of land, water, snow, shadow, thin,
            cloud.
        buffer_m: Pixels nearer than this to one of shadow or cloud that is not kept do not count, in metres.
        max_cloud_nearby: Pixels around which more than this share of all within 500 m is cloud do not count.
    """

    keep: Annotated[list[Annotated[str, AfterValidator(_word)]], Field(min_length=1, max_length=len(WORDS))]
    buffer_m: Annotated[Real, Field(ge=0, le=1000)] = 0.0
    max_cloud_nearby: Annotated[Real, Field(ge=0, le=1)] | None = None


class Input(Part):
    """Bands of one scene.

    Attributes:
        collection: Id of the collection whose scenes it is for, instead of constellation and level.
        constellation: `sentinel-1` or `sentinel-2`.
        level: Of processing: `L1C`, `L2A`, `GRD`.
        unit: Of the bands: `reflectance` or `dB`; by default that of the constellation.
        bands: By the name that formulas have for each: the band's own or common name, or several, of which
            the first that a scene has is taken.
        mask: Pixels that count; by default all.
        same_orbit: Whether all dates must be of one relative orbit and direction.
    """

    collection: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = None
    constellation: Literal["sentinel-1", "sentinel-2"] | None = None
    level: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,10}$")] | None = None
    unit: Literal["reflectance", "dB"] | None = None
    bands: Annotated[
        dict[Identifier, BandName | Annotated[list[BandName], Field(min_length=1, max_length=10)]],
        Field(min_length=1, max_length=30),
    ]
    mask: Mask | None = None
    same_orbit: StrictBool = False
    pair: Literal["nearest"] | None = None
    max_gap_days: Annotated[Real, Field(ge=0, le=3660)] | None = None


class Value(Part):
    """What is computed of a pixel.

    Attributes:
        formula: Of the value; up to three for a picture of as many colours.
        valid: A condition; where it is false there is no value.
        range: Values beyond it are none.
        unit: Of the value; `1` or left out where it has none.
        decimals: Digits behind the point that say something.
        floor_uncertainty: Standard uncertainty of sensor and atmosphere, in the value's unit, added in
            quadrature.
    """

    formula: Formula | Annotated[list[Formula], Field(min_length=1, max_length=MOST_RESULTS)]
    valid: Formula | None = None
    range: Interval | None = None
    unit: Annotated[OneLine, Field(max_length=20)] = ""
    decimals: Annotated[int, Field(ge=0, le=9, strict=True)] = 3
    floor_uncertainty: Annotated[Real, Field(ge=0)] = 0.0


class ReferencePeriod(Part):
    """What a value is compared with: the same place at other times."""

    of: Literal["same-season", "period", "scene"]
    years: Annotated[str, Field(pattern=r"^[0-9]{4}/[0-9]{4}$")] | None = None
    days: Annotated[int, Field(ge=1, le=183, strict=True)] = 25
    scene: Annotated[OneLine, Field(min_length=1, max_length=256)] | None = None
    statistic: Statistic = "median"
    result: Literal["difference", "ratio", "z"] = "difference"


class Temporal(Part):
    """How one map is made of many dates."""

    window: Annotated[str, Field(pattern=r"^P[0-9]{1,4}[DWMY]$")]
    statistic: Statistic = "median"
    weights: Literal["equal", "inverse-variance"] = "equal"
    min_dates: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1


class Spatial(Part):
    """How a site becomes a number."""

    statistic: SiteStatistic = "mean"
    of: Literal["bands", "values"] = "values"
    min_clear: Annotated[Real, Field(ge=0, le=1)] = 0.0
    min_pixels: Annotated[int, Field(ge=1, le=10**9, strict=True)] = 1


class Display(Part):
    """How values are shown: darkest and brightest (one pair, or one for each formula), and a palette."""

    rescale: Interval | Annotated[list[Interval], Field(min_length=1, max_length=MOST_RESULTS)] | None = None
    colormap: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")] | None = None


class ValueClass(Part):
    """Values that are called by a name.

    They go from one number to below another (the last class to it), or are one number.

    Attributes:
        name: In documents and URLs; by default its number from 0.
        value: The only value, instead of from and to.
        color: `#rrggbb`.
        title: By language.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    from_: Real | None = Field(None, alias="from")
    to: Real | None = None
    value: Real | None = None
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
    title: Texts


Rows = Annotated[
    list[Annotated[list[Real | None], Field(min_length=1, max_length=MOST_PIXELS)]],
    Field(min_length=1, max_length=MOST_PIXELS),
]


class Test(Part):
    """What a formula has to give of values: a number, several, or `invalid`.

    Attributes:
        given: Value of each band by its name: a number, null for one that is missing, or rows of an image
            with an odd number of rows and columns, of whose middle the result is taken.
        expect: The result, or one of each formula.
        tolerance: By how much the result may differ.
    """

    __test__ = False  # no test of pytest's

    given: Annotated[dict[Identifier, Real | Rows | None], Field(max_length=30)]
    expect: Real | Literal["invalid"] | Annotated[list[Real], Field(min_length=1, max_length=MOST_RESULTS)]
    tolerance: Annotated[Real, Field(ge=0)] = 1e-4


class Fields(Part):
    """All fields of a document; `comeo.indicators.document` checks them against each other."""

    pof: Annotated[Literal[1], Field(description="Version of the language.")]
    id: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
    version: Annotated[str, Field(pattern=VERSION)]
    title: Texts
    description: Texts | None = None
    abbreviation: Annotated[OneLine, Field(min_length=1, max_length=20)] | None = None
    reference: Line | None = None
    licence: Line | None = None
    author: Line | None = None
    origin: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] | None = None
    inputs: Annotated[dict[Identifier, Input], Field(min_length=1, max_length=MOST_INPUTS)]
    let: Annotated[dict[Identifier, Formula], Field(max_length=MOST_STEPS)] = Field(default_factory=dict)
    value: Value
    reference_period: ReferencePeriod | None = None
    temporal: Temporal | None = None
    spatial: Spatial | None = None
    display: Display | None = None
    classes: Annotated[list[ValueClass], Field(max_length=MOST_CLASSES)] = Field(default_factory=list)
    tests: Annotated[list[Test], Field(max_length=MOST_TESTS)] = Field(default_factory=list)
