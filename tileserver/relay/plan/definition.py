"""What an operator writes to have a relay: the model of RELAY.toml."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from comeo.errors import ComeoError
from tileserver.countries.codes import codes_of, is_countries

MOST_BYTES: Final = 1 << 20
"""Of RELAY.toml."""
Layer = Literal["head", "coarse", "area", "rest"]
LAYERS: Final[tuple[Layer, ...]] = ("head", "coarse", "area", "rest")
"""Of an archive, in the order in which they come; none is of use without the head, nor `rest` without all."""
OVERVIEW: Final[tuple[Layer, ...]] = ("head", "coarse")
"""What is left of a scene that has faded, as far as it was here."""
SEEN: Final[frozenset[Layer]] = frozenset(("coarse", "area"))
"""Either shows something of a scene."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS: Final = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SPANS: Final = {"d": 1, "w": 7, "m": 30, "y": 365}
_SLUG: Final = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"


def size_of(value: Any) -> Any:
    """Bytes of a text as `300 MB`; a number stays one.

    Raises:
        ValueError: If the text is no size.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?) ?([kMGT]?B?)", value.strip())
    unit = "" if match is None else match[2]
    unit = f"{unit}B" if unit in ("k", "M", "G", "T") else unit
    if match is None:
        raise ValueError(f"{value[:40]!r} is no size; write one as 300 MB or 6 GB")
    return round(float(match[1]) * _UNITS[unit])


def _days_of(value: Any) -> Any:
    match = re.fullmatch(r"(\d{1,5}) ?([dwmy])", value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and match is None:
        raise ValueError(f"{value[:40]!r} is no span of time; write one as 90d, 6m or 2y")
    return value if match is None else int(match[1]) * _SPANS[match[2]]


def _share_of(value: Any) -> Any:
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,3})?) ?%", value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and match is None:
        raise ValueError(f"{value[:40]!r} is no share; write one as 10 % or 0.1")
    return value if match is None else float(match[1]) / 100


def _weekdays_of(value: Any) -> Any:
    """Numbers of days, Monday being 0, of a text as `mon-fri,sun`."""
    if not isinstance(value, str):
        return value
    found: set[int] = set()
    for part in value.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part[:20]!r} are no days; write them as mon-fri or sat,sun")
        start, stop = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(start, stop + 1 + (7 if stop < start else 0))}
    return frozenset(found)


def _minutes_of(value: Any) -> Any:
    """Minutes since midnight of a text as `23:00`; 24:00 is the end of the day."""
    match = re.fullmatch(r"(\d{1,2}):(\d\d)", value) if isinstance(value, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else -1
    if not 0 <= minutes <= 1440 or (match and int(match[2]) > 59):
        raise ValueError(f"{str(value)[:20]!r} is no time of day; write one as 23:00, in quotes")
    return minutes


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name[:40]!r} is no time zone; write one as Africa/Abidjan or UTC")
    return name


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value[:40]!r} is no date; write one as 2015-01-01") from error
    if not isinstance(value, date):
        raise ValueError(f"{str(value)[:40]} is no date; write one as 2015-01-01")
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value


Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Size = Annotated[int, BeforeValidator(size_of), Field(ge=1, le=10**17)]
Span = Annotated[int, BeforeValidator(_days_of), Field(ge=1, le=100_000)]
Share = Annotated[float, BeforeValidator(_share_of), Field(ge=0, le=1, allow_inf_nan=False)]
Minutes = Annotated[int, BeforeValidator(_minutes_of)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Degrees = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Box = tuple[Degrees, Degrees, Degrees, Degrees]


class Part(BaseModel):
    """Base of all parts: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_flags(cls, values: Any) -> Any:
        """Refuse true and false where a number is due: a relay would keep one day, or one byte."""
        for name, value in values.items() if isinstance(values, dict) else ():
            known = cls.model_fields.get(name)
            if isinstance(value, bool) and known is not None and known.annotation is not bool:
                raise ValueError(f"{name} is a number or a text, not {str(value).lower()}")
        return values


class Origin(Part):
    """Where scenes come from.

    Attributes:
        url: http(s) address of a server or of a folder on one, or `file:///…` of a folder, or
            `s3://BUCKET/PREFIX` of a bucket.
        key: Public key that its lines are signed with, as the origin's operator gave it.
        models: Whether learned models that its scenes need, and this version lacks, are fetched and run.
    """

    url: Annotated[str, Field(max_length=2000, pattern=r"^(https?|file|s3)://[!-~]+$")]
    key: Annotated[str, Field(pattern=r"^ed25519:[A-Za-z0-9+/]{43}=$")]
    models: bool = False


def _checked_area(area: str | Box) -> str | Box:
    if isinstance(area, str):
        if is_countries(area):
            codes_of(area)
            return area
        if area.startswith("sites:") and not re.fullmatch(_SLUG, area.removeprefix("sites:")):
            raise ValueError(f"{area[:80]!r} is no geoservice; write its short name as sites:forest-watch")
        if not area.startswith("sites:") and not area.lower().endswith((".json", ".geojson")):
            raise ValueError(
                f"{area[:80]!r} is no area; give [west, south, east, north], a .geojson file, country:CODE, "
                "or sites:NAME"
            )
        return area
    west, south, east, north = area
    if west == east or south >= north or min(south, north) < -90 or max(south, north) > 90:
        raise ValueError("the box is empty; its order is west, south, east, north, in degrees")
    return area


def in_order(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Layers as they come, each once."""
    found = frozenset(layers)
    return tuple(layer for layer in LAYERS if layer in found)


def _layers_of(value: Any) -> Any:
    """The layers asked for, and the head, without which they are of no use."""
    names: dict[str, tuple[Layer, ...]] = {
        "head": (),
        "coarse": ("coarse",),
        "area": ("area",),
        "all": LAYERS,
    }
    if not isinstance(value, list) or not value:
        raise ValueError('this is a list, as ["head", "coarse", "area"]')
    unknown = [name for name in value if not isinstance(name, str) or name not in names]
    if unknown:
        raise ValueError(f"{str(unknown[0])[:40]!r} is no layer; there are head, coarse, area and all")
    return in_order(("head", *(layer for name in value for layer in names[name])))


Layers = Annotated[tuple[Layer, ...], BeforeValidator(_layers_of)]


class Subscription(Part):
    """Scenes that are wanted, and what of them.

    Attributes:
        name: For people.
        priority: Of its scenes, among those of others.
        collections: Of the scenes; by default all.
        area: [west, south, east, north] in degrees, a GeoJSON file, `country:` and codes of ISO 3166-1, or
            `sites:` and a geoservice's short name; by default everywhere.
        since: Scenes before it are not wanted.
        until: Scenes from it on are not wanted.
        max_cloud: Of the whole scene, percent.
        max_cloud_over_area: Share of the area that clouds may hide.
        layers: What is fetched, beside the head, which tells what else there is: `coarse` puts the whole
            scene on the map, `area` its area, as sharp as it is, `all` is the whole archive.
        bands: Of `area`; by default all. Blocks hold all bands of a resolution, so these come together.
        keep: How long scenes are kept, from their acquisition on; by default for ever.
        fade: What is left of a scene afterwards; `nothing` removes it.
        alerts: Whether its scenes come before those of all others, and may use what is reserved for alerts.
    """

    name: Name
    priority: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 1.0
    collections: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    area: Annotated[str | Box, AfterValidator(_checked_area)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    max_cloud: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    max_cloud_over_area: Share | None = None
    layers: Layers = LAYERS
    bands: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    keep: Span | None = None
    fade: Literal["coarse", "nothing"] = "coarse"
    alerts: bool = False

    @model_validator(mode="after")
    def _spans_time(self) -> Self:
        since, until = (
            each and (each if each.tzinfo else each.replace(tzinfo=UTC)) for each in (self.since, self.until)
        )
        if since is not None and until is not None and since >= until:
            raise ValueError("until is not later than since, so that nothing is wanted")
        return self


class Window(Part):
    """When the link may be used, and how fast.

    Attributes:
        days: On which it begins.
        begin: Minutes since midnight; with `end` None, the whole day.
        end: Likewise; what is not behind `begin` is of the next day.
        kbps: Kilobits a second; None: as fast as it goes. 0 closes the link.
        price: Of 10⁹ bytes.
    """

    days: Annotated[frozenset[int], BeforeValidator(_weekdays_of)] = frozenset(range(7))
    begin: Annotated[Minutes | None, Field(alias="from")] = None
    end: Annotated[Minutes | None, Field(alias="to")] = None
    kbps: Annotated[float, Field(ge=0, le=10**9, allow_inf_nan=False)] | None = None
    price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.begin is None) != (self.end is None):
            raise ValueError("give both from and to, or neither for the whole day")
        if self.begin is not None and self.begin == self.end:
            raise ValueError("from and to are the same time; leave both out for the whole day")
        return self


class Link(Part):
    """What may be fetched when, and how much of it.

    Attributes:
        timezone: Of windows, days and months.
        windows: The first that is open counts; where none is, nothing is fetched. By default always.
        daily: Bytes on the wire a day.
        monthly: Likewise a calendar month.
        reserve_for_alerts: Share of both that only subscriptions with `alerts` may use.
        on_demand: Whether what somebody looks at on the map, and is not here, comes before all else.
        most_on_demand: Share of both quotas that this may use.
        currency: Of prices.
    """

    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    windows: Annotated[tuple[Window, ...], Field(min_length=1, max_length=50)] = (Window(),)
    daily: Size | None = None
    monthly: Size | None = None
    reserve_for_alerts: Share = 0.0
    on_demand: bool = False
    most_on_demand: Share = 0.2
    currency: Annotated[str, Field(max_length=10, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.on_demand and self.daily is None:
            raise ValueError(
                'on_demand needs daily, of which it may use a share: anybody may look; write daily = "300 MB"'
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        """Of local times."""
        return ZoneInfo(self.timezone)


class Disk(Part):
    """How much of the disk archives take.

    Attributes:
        most: Bytes; when there are more, the oldest scenes fade until there are nine tenths of it.
        free: Bytes that are left free in any case.
    """

    most: Size | None = None
    free: Annotated[int, BeforeValidator(size_of), Field(ge=0, le=10**17)] = 10**9


def _kept_for(value: Any) -> timedelta | None:
    match = re.fullmatch(r"mirror|keep|keep-days (\d{1,5})", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{str(value)[:40]!r} is not known; write mirror, keep, or keep-days 30")
    return None if value == "keep" else timedelta(days=int(match[1] or 0))


class Relay(Part):
    """A relay.

    Attributes:
        folder: Where everything of it is; `archives` in it is what is served.
        origins: Where scenes come from; of a scene that several have, the first one's is taken.
        subscriptions: What is wanted.
        link: When, and how much.
        disk: How much may be kept.
        drops: How long a scene stays that its origin no longer has: not at all (`mirror`), so long
            (`keep-days n`), or None, for ever (`keep`). One that was withdrawn as faulty never stays.
    """

    folder: Annotated[str, Field(min_length=1, max_length=4000)]
    origins: Annotated[tuple[Origin, ...], Field(alias="origin", min_length=1, max_length=20)]
    subscriptions: Annotated[
        tuple[Subscription, ...], Field(alias="subscription", min_length=1, max_length=100)
    ]
    link: Link = Link()
    disk: Disk = Disk()
    drops: Annotated[timedelta | None, BeforeValidator(_kept_for)] = timedelta()

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        names = [each.name for each in self.subscriptions]
        if len(set(names)) < len(names):
            raise ValueError("two subscriptions have one name")
        if len({each.url for each in self.origins}) < len(self.origins):
            raise ValueError("two origins have one url")
        return self

    @property
    def copies(self) -> frozenset[str]:
        """Addresses of folders that are carried here: another origin of the list has the same key."""
        places = Counter(each.key for each in self.origins)
        return frozenset(
            each.url for each in self.origins if each.url.startswith("file:") and places[each.key] > 1
        )


def parse_definition(text: str, name: str = "RELAY.toml") -> Relay:
    """Read a relay's definition.

    Args:
        text: TOML.
        name: Of the file, for messages.

    Raises:
        ComeoError: If it is not valid, naming the key.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ComeoError(f"{name} is not TOML: {error}") from error
    except RecursionError as error:
        raise ComeoError(f"{name} is nested too deeply") from error
    if isinstance(found.get("origin"), dict):
        found["origin"] = [found["origin"]]
    try:
        return Relay.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = _place(first["loc"]) or "the file"
        words = {"missing": "is missing", "extra_forbidden": "is not known here"}.get(first["type"])
        message = first["msg"].removeprefix("Value error, ")
        raise ComeoError(f"{name}: {where}{f' {words}' if words else f': {message}'}") from error


def _place(steps: tuple[int | str, ...]) -> str:
    """A key's path; tables of a list are counted from 1."""
    words = [
        f"[{step + 1}]" if isinstance(step, int) else f".{step}"
        for step in steps
        if not (isinstance(step, str) and re.search(r"[\[(]", step))  # branches of a union
    ]
    return "".join(words).removeprefix(".")


def read_definition(path: Path) -> Relay:
    """Read a relay's definition from a file.

    Raises:
        ComeoError: If it cannot be read, or is not valid.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ComeoError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise ComeoError(f"{path} is larger than {MOST_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ComeoError(f"{path} is not UTF-8") from error
    return parse_definition(text, path.name)
