"""What a moderator is shown of an alert: sentences, the last dates with limits, pictures before and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from sqlalchemy import Connection

from comeo.errors import NotFoundError
from comeo.grid import Bounds
from comeo.indicators.document import text_in
from tileserver.store import alerts as stored
from tileserver.store import geoservices
from tileserver.store.alerts import Alert
from tileserver.watch.alerts.habits import habit_of, habit_words
from tileserver.watch.messages.compose import About, day_of, sentences
from tileserver.watch.messages.shown import Look, Scene, around, look_of, scene_of, shown_of, viewer_link
from tileserver.watch.messages.tell import Names
from tileserver.watch.words import limit_words, value_words, word

PICTURE_SIDE: Final = 360
_ERROR: Final[Look] = {"style": "error"}


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
    last = shown_of(connection, one, alert)
    if last.bounds is None:
        raise NotFoundError("the place of this alert is no longer there")
    names = Names(connection, one)
    about, look = names.of(alert), look_of(names.document(alert))
    habit = habit_of(alert, stored.alerts_of(connection, one.id), one.timezone)
    dates = alert.evidence["dates"]
    before = next((each for each in reversed(dates) if each["side"] is None), None)
    shown = [("after", dates[-1], last.scene)]
    if before:
        shown.insert(0, ("before", before, scene_of(connection, one, last.site, before["item"])))
    ratio = last.scene.ratio
    return Evidence(
        heading=f"{text_in(about.site, locale)} · {text_in(about.indicator, locale)}",
        sentences=sentences(alert, about, locale),
        rows=[_row(each, about, locale) for each in dates],
        pictures=[
            Picture(_source(scene, last.bounds, look), word(locale, kind, day=day_of(each, about, locale)))
            for kind, each, scene in shown
        ],
        error=Picture(_source(last.scene, last.bounds, _ERROR), word(locale, "expected-error")),
        ratio=None if ratio is None else word(locale, "archive-ratio", ratio=f"{ratio:.0f}"),
        habit=None if habit is None else habit_words(habit, locale),
        map=viewer_link("", last.scene),
    )


def _row(date: Mapping[str, Any], about: About, locale: str) -> tuple[str, str, str, bool]:
    value = value_words(date["value"], date["u"], about.unit, locale)
    nominal = limit_words(date["low"], date["high"], about.unit, locale)
    return day_of(date, about, locale), value, nominal, date["side"] is not None


def _source(scene: Scene, site: Bounds, look: Look) -> str:
    """Address of a picture of a scene, below the server's root."""
    path = f"collections/{quote(scene.collection, safe='')}/items/{quote(scene.item, safe='')}"
    area = ",".join(f"{each:.5f}" for each in around(site))
    return f"{path}/bbox/{area}.webp?{urlencode({**look, 'max_size': PICTURE_SIDE})}"
