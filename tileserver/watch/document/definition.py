"""What a user writes to have a place followed: the model of a geoservice's document."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from comeo.indicators.model import Language, OneLine, Real, Statistic, Texts
from tileserver.watch.document.markdown import placeholders

MOST_INDICATORS: Final = 8
MOST_TEXT: Final = 20_000
"""Characters of a bulletin's texts in a language."""
SLUG: Final = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name[:40]!r} is no time zone; write one as Africa/Abidjan or UTC")
    return name


Email = Annotated[
    str, Field(max_length=254, pattern=r"^[^@\s<>()\[\]\",;:\\\x00-\x1f\x7f-\x9f]{1,64}@[A-Za-z0-9.-]+$")
]
Url = Annotated[str, Field(max_length=2000, pattern=r"^[a-z0-9]+://[!-~]+$")]
Channel = Literal["email", "webhook", "apprise"]
Day = Annotated[date, Field(ge=date(1970, 1, 1), lt=date(2200, 1, 1))]


def maps_collection(slug: str) -> str:
    """Collection of a geoservice's maps."""
    return f"geoservice-{slug}"


def hears_alerts(of: str) -> bool:
    """Whether somebody on a list is told of alerts."""
    return of != "bulletins"


class Part(BaseModel):
    """Base of all parts: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _no_count(statistic: str) -> str:
    if statistic == "count":
        raise ValueError("how many dates there are is told by every map; choose another statistic")
    return statistic


Layer = Literal["day-of-minimum", "first-below"]


class Fixed(Part):
    """Nominal values between fixed limits.

    Attributes:
        low: Values below it are outside; None leaves it open.
        high: Values above it are outside; None leaves it open.
    """

    kind: Literal["fixed"] = "fixed"
    low: Real | None = None
    high: Real | None = None

    @model_validator(mode="after")
    def _limited(self) -> Fixed:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both: nothing would ever be outside")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) is not less than high ({self.high:g})")
        return self


class Seasonal(Part):
    """Nominal values of the same season in years before.

    Attributes:
        side: Which deviations count.
        k: How many times √(MAD² + u²) from the median the limits lie.
        days: Of the season, before and after the day.
        min_dates: Fewer clear dates in the seasons before are too few to tell.
    """

    kind: Literal["seasonal"] = "seasonal"
    side: Literal["low", "high", "both"] = "low"
    k: Annotated[Real, Field(ge=1, le=20)] = 3.0
    days: Annotated[int, Field(ge=5, le=90)] = 25
    min_dates: Annotated[int, Field(ge=3, le=100)] = 5


class Change(Part):
    """Nominal values of the last clear dates.

    Attributes:
        side: Which deviations count.
        k: How many times √(MAD² + u²) from the median the limits lie.
        dates: Clear dates that the median is of; of radar those of one relative orbit.
    """

    kind: Literal["change"] = "change"
    side: Literal["low", "high", "both"] = "low"
    k: Annotated[Real, Field(ge=1, le=20)] = 3.0
    dates: Annotated[int, Field(ge=3, le=50)] = 6


Nominal = Annotated[Fixed | Seasonal | Change, Field(discriminator="kind")]


class Watched(Part):
    """An indicator that is followed.

    Attributes:
        indicator: `id`, `id@version` or the name of a draft; what it is at that time is kept.
        nominal: Its nominal values.
    """

    indicator: Annotated[OneLine, Field(min_length=1, max_length=100)]
    nominal: Nominal


class GroupPolicy(Part):
    """When deviations of sites are one alert of their group.

    Attributes:
        share: Share of the group's sites that have to be outside at once.
        days: For so long a site counts as outside behind its last date outside.
        least: So many sites have to be outside in any case.
    """

    share: Annotated[Real, Field(gt=0, le=1)] = 0.3
    days: Annotated[int, Field(ge=1, le=90)] = 10
    least: Annotated[int, Field(ge=2, le=1000)] = 3


class AlertPolicy(Part):
    """When a deviation becomes an alert, and who decides.

    Attributes:
        min_clear: Share of the site that has to be clear on a date that counts.
        max_cloud_nearby: Share of cloud within 500 m that such a date may have.
        min_pixels: Pixels that have to count.
        dates: So many clear dates …
        of: … of the last so many have to be outside.
        moderation: `required`: a moderator decides. `automatic`: an alert of severity 3 that the original
            bears out is told at once, the others by a moderator. `none`: each is told at once.
        expires_days: Without a decision for so long an alert is closed.
        group: When there is one alert of the group instead of one of each site; None: never.
    """

    min_clear: Annotated[Real, Field(ge=0, le=1)] = 0.9
    max_cloud_nearby: Annotated[Real, Field(ge=0, le=1)] = 0.3
    min_pixels: Annotated[Real, Field(ge=1, le=1e6)] = 4.0
    dates: Annotated[int, Field(ge=1, le=10)] = 2
    of: Annotated[int, Field(ge=1, le=10)] = 3
    moderation: Literal["required", "automatic", "none"] = "required"
    expires_days: Annotated[int, Field(ge=1, le=365)] = 14
    group: GroupPolicy | None = None

    @model_validator(mode="after")
    def _possible(self) -> AlertPolicy:
        if self.dates > self.of:
            raise ValueError(f"{self.dates} of {self.of} dates cannot be outside; let dates be at most of")
        return self


class Maps(Part):
    """Maps of calendar months, which are made of all dates of each: an archive for each month and indicator.

    Attributes:
        indicators: Ids of those that maps are made of; by default all.
        period: A month.
        statistic: Over the dates of a pixel; by default what the document says, else the median.
        layers: Beside the value, its uncertainty and how many dates it is of: the day of the month with the
            least value, and the first one below the lower limit of nominal values that are fixed.
        margin_m: Metres around the box of all sites.
        pixel_m: About the size of a pixel; by default that of the scenes.
    """

    indicators: Annotated[
        list[Annotated[OneLine, Field(min_length=1, max_length=64)]], Field(max_length=MOST_INDICATORS)
    ] = []
    period: Literal["P1M"] = "P1M"
    statistic: Annotated[Statistic, AfterValidator(_no_count)] | None = None
    layers: Annotated[list[Layer], Field(max_length=2)] = []
    margin_m: Annotated[Real, Field(ge=0, le=20_000)] = 500.0
    pixel_m: Annotated[Real, Field(ge=1, le=100_000)] | None = None


def _checked(text: str) -> str:
    for _ in placeholders(text):
        pass
    return text


class TextSection(Part):
    """What an editor writes.

    Attributes:
        text: Markdown by language: headings, lists, emphasis, placeholders (`watch.document.markdown`).
    """

    kind: Literal["text"] = "text"
    text: dict[Language, Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_checked)]] = (
        Field(min_length=1, max_length=10)
    )


class SitesSection(Part):
    """What was observed: a table of the sites, and their curves.

    Attributes:
        curves: Sites whose curves are drawn, those that differ most from what is usual first.
    """

    kind: Literal["sites"] = "sites"
    curves: Annotated[int, Field(ge=0, le=40)] = 40


class RanksSection(Part):
    """The sites, and the months of a year, that had most dates outside.

    Attributes:
        most: Lines of each.
    """

    kind: Literal["ranks"] = "ranks"
    most: Annotated[int, Field(ge=1, le=50)] = 5


class AlertsSection(Part):
    """What happened to alerts.

    Attributes:
        comments: Whether what moderators wrote about confirmed ones is published.
    """

    kind: Literal["alerts"] = "alerts"
    comments: bool = False


class MethodSection(Part):
    """How it was made, and from which archives."""

    kind: Literal["method"] = "method"


Section = Annotated[
    TextSection | SitesSection | RanksSection | AlertsSection | MethodSection, Field(discriminator="kind")
]


class BulletinPolicy(Part):
    """What bulletins say, and who approves them.

    Attributes:
        visa: `required`: a moderator or the owner approves. `automatic`: what nobody has rejected is approved
            after some days. `none`: each is approved at once.
        after_days: Of `automatic`.
        delay_days: After a month's end, so that scenes that come late are in.
        sections: In their order; number, visa, credit and digest are always there.
    """

    visa: Literal["required", "automatic", "none"] = "required"
    after_days: Annotated[int, Field(ge=1, le=90)] = 7
    delay_days: Annotated[int, Field(ge=0, le=90)] = 5
    sections: Annotated[list[Section], Field(min_length=1, max_length=20)] = [
        SitesSection(), RanksSection(), AlertsSection(), MethodSection(),
    ]  # fmt: skip

    @model_validator(mode="after")
    def _readable(self) -> BulletinPolicy:
        texts = [each.text for each in self.sections if isinstance(each, TextSection)]
        for locale in {name for each in texts for name in each}:
            if sum(len(each.get(locale, "")) for each in texts) > MOST_TEXT:
                raise ValueError(f"texts in {locale} have more than {MOST_TEXT} characters; shorten them")
        return self


class Told(Part):
    """Somebody, or a program, that is told.

    Attributes:
        email: Address; this one or one of the next two.
        webhook: Where events are sent to: `https://host/path`.
        apprise: Of a service of messages: `tgram://…`, `twilio://…`; see `watch.channels.services`.
        locale: Language of messages.
        list: What is told.
        rhythm: Alerts one by one, or together each day or week, as the geoservice's time zone counts them.
        min_severity: Alerts below it are not told.
    """

    email: Email | None = None
    webhook: Url | None = None
    apprise: Url | None = None
    locale: Language = "en"
    list: Literal["alerts", "bulletins", "both"] = "both"
    rhythm: Literal["each", "daily", "weekly"] = "each"
    min_severity: Annotated[int, Field(ge=1, le=3)] = 1

    @model_validator(mode="after")
    def _reached_one_way(self) -> Told:
        if sum(each is not None for each in (self.email, self.webhook, self.apprise)) != 1:
            raise ValueError("give one of email, webhook and apprise")
        return self

    @property
    def channel(self) -> Channel:
        """How they are told."""
        if self.email is not None:
            return "email"
        return "apprise" if self.webhook is None else "webhook"

    @property
    def address(self) -> str:
        """Of the channel."""
        return self.email or self.webhook or self.apprise or ""


class Definition(Part):
    """A geoservice.

    Attributes:
        slug: Its short name in addresses.
        title: By language.
        collections: Whose scenes are observed.
        sites: GeoJSON: a polygon or point, a Feature or a FeatureCollection; names by the property `name`.
        site: Id of a site or group that the owner has already, instead of `sites`.
        indicators: What is followed.
        start: First day of alerts; scenes before it are what nominal values are learned from.
        end: Last day of alerts; None leaves it open.
        timezone: Of days and periods.
        locales: Languages of what is published, the first is the main one.
        alerts: When a deviation becomes an alert.
        maps: Of its months; None: none are made.
        bulletins: What bulletins say, and who approves them.
        recipients: Who is told.
        visibility: Who sees it besides those who have a role.
    """

    slug: Annotated[str, Field(pattern=SLUG)]
    title: Texts
    collections: Annotated[
        list[Annotated[OneLine, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=8)
    ]
    sites: dict[str, Any] | None = None
    site: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    indicators: Annotated[list[Watched], Field(min_length=1, max_length=MOST_INDICATORS)]
    start: Day
    end: Day | None = None
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    locales: Annotated[list[Language], Field(min_length=1, max_length=8)] = ["en"]
    alerts: AlertPolicy = AlertPolicy()
    maps: Maps | None = None
    bulletins: BulletinPolicy = BulletinPolicy()
    recipients: Annotated[list[Told], Field(max_length=1000)] = []
    visibility: Literal["private", "link", "public"] = "private"

    @model_validator(mode="after")
    def _in_order(self) -> Definition:
        if self.end is not None and self.end < self.start:
            raise ValueError(f"it ends ({self.end}) before it starts ({self.start})")
        return self

    @model_validator(mode="after")
    def _not_of_itself(self) -> Definition:
        if maps_collection(self.slug) in self.collections:
            raise ValueError(
                f"{maps_collection(self.slug)} is what it makes; name the scenes that it follows"
            )
        return self

    @model_validator(mode="after")
    def _placed(self) -> Definition:
        if (self.sites is None) == (self.site is None):
            raise ValueError("give either sites, as GeoJSON, or site, the number of one that is there")
        return self

    @property
    def span(self) -> tuple[datetime, datetime | None]:
        """From when until when alerts are raised, in UTC; the end is not included."""
        zone = ZoneInfo(self.timezone)
        start = datetime.combine(self.start, time(), zone).astimezone(UTC)
        if self.end is None:
            return start, None
        return start, datetime.combine(self.end + timedelta(days=1), time(), zone).astimezone(UTC)
