"""What a moderator is shown of an alert: sentences, the last dates with limits, pictures before and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection

from comeo.errors import NotFoundError
from comeo.grid import Bounds
from comeo.indicators.document import text_in, unit_of
from comeo.missions import DECIBEL
from comeo.view.area import Area
from tileserver.store import alerts as stored
from tileserver.store import geoservices, observed, sites
from tileserver.store.alerts import Alert
from tileserver.watch.compose import About, sentences
from tileserver.watch.habits import habit_of, habit_words
from tileserver.watch.tell import Names
from tileserver.watch.words import day_words, limit_words, value_words, word

PICTURE_SIDE: Final = 360
_LOOK: Final = "style=true-color&color_formula=gamma+rgb+2&"  # of all dates alike, bright enough for forests
_ERROR: Final = "style=error&"
_AROUND: Final = 0.005  # degrees that a picture shows around a site


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the site.

    Attributes:
        source: Address below the server's root.
        caption: Its day.
    """

    source: str
    caption: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A page.

    Attributes:
        heading: What it is about.
        sentences: What happened.
        rows: Day, value, nominal values, and whether it is outside.
        pictures: On one stretch; before, if a clear date inside is known, and now.
        error: Picture of the expected error of the last date.
        ratio: Compression of the last date's archive, in words; None if it is no longer known.
        habit: How alerts like this one were decided, where they mostly were alike; else None.
        map: Address of the viewer below the server's root.
    """

    heading: str
    sentences: Sequence[str]
    rows: Sequence[tuple[str, str, str, bool]]
    pictures: Sequence[Picture]
    error: Picture
    ratio: str | None
    habit: str | None
    map: str


def evidence_in(connection: Connection, alert: Alert, locale: str) -> Evidence:
    """What a moderator sees of an alert of the database.

    Args:
        connection: In a transaction.
        alert: It.
        locale: Language.

    Raises:
        NotFoundError: If its place is no longer there.
    """
    one = geoservices.get_geoservice(connection, alert.geoservice)
    group = alert.evidence.get("group")
    place = group["witnesses"][0]["site"] if group else alert.site  # of a group its worst site
    version = sites.newest_version(connection, place)  # also of a site that is archived by now
    if version is None:
        raise NotFoundError("the place of this alert is no longer there")
    names = Names(connection, one)
    about, document = names.of(alert), names.document(alert)
    is_radar = any(unit_of(each) == DECIBEL for each in document.inputs.values())
    collection, ratio = observed.scene_seen(connection, place, alert.last_item) or (
        one.collections[0],
        None,
    )
    habit = habit_of(alert, stored.alerts_of(connection, one.id), one.timezone)
    dates = alert.evidence["dates"]
    before = next((each for each in reversed(dates) if each["side"] is None), None)
    shown = [("before", before)] if before else []
    shown.append(("after", dates[-1]))
    box = Area(dict(version.geometry)).bounds
    return Evidence(
        heading=f"{text_in(about.site, locale)} · {text_in(about.indicator, locale)}",
        sentences=sentences(alert, about, locale),
        rows=[_row(each, about, locale) for each in dates],
        pictures=[
            Picture(
                _source(each, collection, box, "" if is_radar else _LOOK),
                word(locale, kind, day=_day(each, about, locale)),
            )
            for kind, each in shown
        ],
        error=Picture(_source(dates[-1], collection, box, _ERROR), word(locale, "expected-error")),
        ratio=None if ratio is None else word(locale, "archive-ratio", ratio=f"{ratio:.0f}"),
        habit=None if habit is None else habit_words(habit, locale),
        map=f"#collection={quote(collection, safe='')}&item={quote(alert.last_item, safe='')}",
    )


def _row(date: Mapping[str, Any], about: About, locale: str) -> tuple[str, str, str, bool]:
    value = value_words(date["value"], date["u"], about.unit, locale)
    nominal = limit_words(date["low"], date["high"], about.unit, locale)
    return _day(date, about, locale), value, nominal, date["side"] is not None


def _source(date: Mapping[str, Any], collection: str, site: Bounds, look: str) -> str:
    """Address of a picture of a date, below the server's root."""
    box = around(site)
    scene = f"collections/{quote(collection, safe='')}/items/{quote(date['item'], safe='')}"
    area = ",".join(f"{each:.5f}" for each in box)
    return f"{scene}/bbox/{area}.webp?{look}max_size={PICTURE_SIDE}"


def around(site: Bounds) -> Bounds:
    """What pictures of a site show, in degrees."""
    west, south, east, north = site
    return west - _AROUND, south - _AROUND, east + _AROUND, north + _AROUND


def _day(date: Mapping[str, Any], about: About, locale: str) -> str:
    return day_words(datetime.fromisoformat(date["datetime"]), locale, about.zone)
