"""What a moderator is shown of an alert: sentences, the last dates with limits, pictures before and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from comeo.grid import Bounds
from comeo.indicators.document import text_in
from tileserver.store.alerts import Alert
from tileserver.watch.compose import About, sentences
from tileserver.watch.words import day_words, limit_words, value_words, word

PICTURE_SIDE: Final = 360
_LOOK: Final = "style=true-color&color_formula=gamma+rgb+2"  # of all dates alike, bright enough for forests
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
        pictures: On one stretch.
        map: Address of the viewer below the server's root.
    """

    heading: str
    sentences: Sequence[str]
    rows: Sequence[tuple[str, str, str, bool]]
    pictures: Sequence[Picture]
    map: str


def evidence_page(alert: Alert, about: About, collection: str, site: Bounds, locale: str) -> Evidence:
    """What a moderator sees.

    Args:
        alert: It.
        about: Names.
        collection: Of the scenes.
        site: Bounds of the site, in degrees.
        locale: Language.
    """
    dates = alert.evidence["dates"]
    before = next((each for each in reversed(dates) if each["side"] is None), None)
    shown = [("before", before)] if before else []
    shown.append(("after", dates[-1]))
    heading = f"{text_in(about.site, locale)} · {text_in(about.indicator, locale)}"
    return Evidence(
        heading, sentences(alert, about, locale), [_row(each, about, locale) for each in dates],
        [_picture(kind, each, about, collection, site, locale) for kind, each in shown],
        f"#collection={quote(collection, safe='')}&item={quote(alert.last_item, safe='')}",
    )  # fmt: skip


def _row(date: Mapping[str, Any], about: About, locale: str) -> tuple[str, str, str, bool]:
    value = value_words(date["value"], date["u"], about.unit, locale)
    nominal = limit_words(date["low"], date["high"], about.unit, locale)
    return _day(date, about, locale), value, nominal, date["side"] is not None


def _picture(
    kind: str, date: Mapping[str, Any], about: About, collection: str, site: Bounds, locale: str
) -> Picture:
    box = around(site)
    scene = f"collections/{quote(collection, safe='')}/items/{quote(date['item'], safe='')}"
    area = ",".join(f"{each:.5f}" for each in box)
    caption = word(locale, kind, day=_day(date, about, locale))
    return Picture(f"{scene}/bbox/{area}.webp?{_LOOK}&max_size={PICTURE_SIDE}", caption)


def around(site: Bounds) -> Bounds:
    """What pictures of a site show, in degrees."""
    west, south, east, north = site
    return west - _AROUND, south - _AROUND, east + _AROUND, north + _AROUND


def _day(date: Mapping[str, Any], about: About, locale: str) -> str:
    return day_words(datetime.fromisoformat(date["datetime"]), locale, about.zone)
