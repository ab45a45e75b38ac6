"""Parameters of the STAC API. Unknown ones are refused: a filter left out would find the wrong items."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator

from tileserver.api.stac.cql2.filters import MAX_FILTER
from tileserver.render.geojson import GeometryDocument
from tileserver.render.parameters import Parameters, split_commas
from tileserver.text import is_text

MAX_NAMES = 1000
MAX_FIELDS = 100


def _whole(value: str) -> str:
    if not is_text(value):
        raise ValueError("this is not text: it has half of a character")
    return value


def _split_at_most(most: int) -> BeforeValidator:
    """Split at commas. Blank parts count, too: a client that reads the schema counts them."""

    def split(value: Any) -> Any:
        given = value if isinstance(value, (list, tuple)) else [value]
        if sum(str(entry).count(",") + 1 for entry in given) > most:
            raise ValueError(f"list should have at most {most} items")
        return split_commas(value)

    return BeforeValidator(split)


BBox = Annotated[list[float], Field(json_schema_extra={"minItems": 4, "maxItems": 6})]
Text = Annotated[str, AfterValidator(_whole)]
Names = Annotated[list[Text], Field(max_length=MAX_NAMES)]
FieldName = Annotated[Text, Field(min_length=1, max_length=110)]
FieldNames = Annotated[list[Annotated[Text, Field(max_length=110)]], Field(max_length=MAX_FIELDS)]
# Read as a whole, with its bounds and sentences, by `cql2.filters`.
FilterDocument = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": name} for name in ("object", "string", "boolean", "null")]})
]
_TIME = "A time, a day, or an interval: `2024-05-01/2024-06-01`, `../2024-05-01`."
_AREA = "west,south,east,north in degrees."


class _Exact(Parameters):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Page(_Exact):
    datetime: Text | None = Field(None, max_length=100, description=_TIME)
    limit: int = Field(10, ge=1, description="Items a page.")
    token: Text | None = Field(None, max_length=2000, description="Of the next page, as its link has it.")

    @field_validator("bbox", check_fields=False)
    @classmethod
    def _four(cls, value: list[float] | None) -> list[float] | None:
        """Heights are of no interest here."""
        if value is None:
            return None
        if len(value) == 6:
            value = [value[0], value[1], value[3], value[4]]
        if len(value) != 4 or not all(map(math.isfinite, value)):
            raise ValueError("bbox is west,south,east,north in degrees")
        west, south, east, north = value
        if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
            raise ValueError("bbox is west,south,east,north in degrees, the south not above the north")
        return value


class _Filtered(_Page):
    filter_lang: str | None = Field(
        None, alias="filter-lang", max_length=100,
        description="`cql2-text` or `cql2-json`; by default what the filter looks like.",
    )  # fmt: skip
    filter_crs: str | None = Field(
        None, alias="filter-crs", max_length=200, description="CRS84, in which geometries are anyway."
    )


class ItemsQuery(_Filtered):
    """Items of a STAC collection."""

    bbox: Annotated[BBox | None, BeforeValidator(split_commas)] = Field(None, description=_AREA)
    sortby: Annotated[FieldNames | None, _split_at_most(MAX_FIELDS)] = Field(
        None,
        description="Fields to sort by, `-` before one for descending: `-properties.eo:cloud_cover,id`.",
    )  # fmt: skip
    fields: Annotated[FieldNames | None, _split_at_most(MAX_FIELDS)] = Field(
        None,
        description="Fields to give beside the usual ones, `-` before one to leave out.",
    )
    filter: Text | None = Field(
        None, max_length=MAX_FILTER,
        description="CQL2: `eo:cloud_cover < 10 AND id LIKE 'S2A%'`; `/stac/queryables` has the names.",
    )  # fmt: skip
    query: Text | None = Field(
        None, max_length=MAX_FILTER, description='Conditions as JSON: `{"eo:cloud_cover": {"lt": 10}}`.'
    )

    def sort_keys(self) -> list[tuple[str, bool]]:
        """Fields to sort by, and whether descending."""
        return [(name.lstrip("+-"), name.startswith("-")) for name in self.sortby or ()]

    def selection(self) -> tuple[list[str], list[str]] | None:
        """Fields to include and to exclude, or None for all."""
        if self.fields is None:
            return None
        exclude = [name[1:] for name in self.fields if name.startswith("-")]
        return [name.lstrip("+") for name in self.fields if not name.startswith("-")], exclude


class SearchQuery(ItemsQuery):
    """STAC search."""

    collections: Annotated[Names | None, _split_at_most(MAX_NAMES)] = Field(
        None, description="Collection ids."
    )
    ids: Annotated[Names | None, _split_at_most(MAX_NAMES)] = Field(None, description="Item ids.")
    intersects: Text | None = Field(None, max_length=8000, description="GeoJSON geometry.")


class SortBy(_Exact):
    """A field to sort by."""

    field: FieldName
    direction: Literal["asc", "desc"] = "asc"


class FieldSelection(_Exact):
    """Fields to give beside the usual ones, and those to leave out."""

    include: list[FieldName] | None = Field(None, max_length=MAX_FIELDS)
    exclude: list[FieldName] | None = Field(None, max_length=MAX_FIELDS)


class SearchBody(_Filtered):
    """STAC search by POST."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    bbox: BBox | None = Field(None, description=_AREA)
    collections: Names | None = Field(None, description="Collection ids.")
    ids: Names | None = Field(None, description="Item ids.")
    intersects: GeometryDocument | None = Field(None, description="GeoJSON geometry.")
    sortby: list[SortBy] | None = Field(None, max_length=MAX_FIELDS, description="Fields to sort by.")
    fields: FieldSelection | None = Field(None, description="Fields to give, and to leave out.")
    filter: FilterDocument = Field(
        None, description="CQL2 JSON, or CQL2 text; `/stac/queryables` has the names."
    )
    query: dict[str, dict[str, Any]] | None = Field(
        None, description='Conditions: `{"eo:cloud_cover": {"lt": 10}}`.'
    )

    def sort_keys(self) -> list[tuple[str, bool]]:
        """Fields to sort by, and whether descending."""
        return [(key.field, key.direction == "desc") for key in self.sortby or ()]

    def selection(self) -> tuple[list[str], list[str]] | None:
        """Fields to include and to exclude, or None for all."""
        return None if self.fields is None else (self.fields.include or [], self.fields.exclude or [])
