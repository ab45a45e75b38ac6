"""A bulletin as one HTML file: it opens without a network, prints, and is the same each time it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from babel.dates import format_date, get_month_names
from babel.numbers import format_decimal, format_percent

from comeo.indicators.document import text_in
from tileserver.pages import environment
from tileserver.watch import svg
from tileserver.watch.bulletin import CURVE_DAYS, Content, digest_of
from tileserver.watch.words import day_words, direction_of, language_of, value_words, word

MOST_CURVES: Final = 40
"""Sites whose curves are drawn, those that differ most from what is usual first; the table has all."""


@dataclass(frozen=True, slots=True)
class Visa:
    """Who has approved a bulletin.

    Attributes:
        name: As it is printed.
        at: When.
    """

    name: str
    at: datetime


def bulletin_page(content: Content, locale: str, visa: Visa | None) -> str:
    """The page.

    Args:
        content: What it says.
        locale: Language.
        visa: None of a draft.
    """
    period = content["period"]
    start, end = (datetime.fromisoformat(period[each]) for each in ("start", "end"))
    own = language_of(locale)
    month = format_date(start + timedelta(days=15), "MMMM y", locale=own)
    names = {each["id"]: text_in(each["name"], locale) for each in content["sites"]}
    indicators = [_indicator(content, each, names, locale, end) for each in content["indicators"]]

    def say(key: str, **values: Any) -> str:
        return word(locale, key, **values)

    return environment().get_template("geoservices/bulletin.html").render(
        locale=own, direction=direction_of(locale), say=say, content=content, indicators=indicators,
        title=text_in(content["geoservice"]["title"], locale), month=month,
        alerts=[_alert(each, names, locale, period["zone"]) for each in content["alerts"]["list"]],
        counts=_counts(content["alerts"], locale), digest=digest_of(content),
        visa=None if visa is None else {"name": visa.name, "day": day_words(visa.at, locale, period["zone"])},
        year=start.year,
    )  # fmt: skip


def _indicator(
    content: Content, one: Mapping[str, Any], names: Mapping[int, str], locale: str, end: datetime
) -> dict[str, Any]:
    title, unit, own = text_in(one["title"], locale), one["unit"], language_of(locale)
    areas = {each["id"]: each["hectares"] for each in content["sites"]}
    months = list(get_month_names("abbreviated", locale=own).values())
    drawn = sorted((each for each in one["sites"] if each["curve"]), key=_unusual, reverse=True)[:MOST_CURVES]
    policy = content["policy"]
    return {
        "title": title,
        "summary": word(
            locale, "bulletin-summary", scenes=one["scenes"], sites=len(one["sites"]),
            outside=sum(each["outside"] > 0 for each in one["sites"]),
        ),
        "rows": [_row(each, names[each["site"]], areas[each["site"]], unit, locale) for each in one["sites"]],
        "curves": [
            (names[each["site"]], svg.curve(each["curve"], end - timedelta(days=CURVE_DAYS), end, months))
            for each in drawn
        ],
        "method": word(
            locale, "method-text", indicator=title, id=one["id"], version=one["version"],
            clear=format_percent(policy["min_clear"], locale=own), dates=policy["dates"], of=policy["of"],
            ratio="?" if one["ratio"] is None else format_decimal(one["ratio"], "0", locale=own),
        ),
    }  # fmt: skip


def _unusual(row: Mapping[str, Any]) -> tuple[int, float]:
    return row["outside"], abs(row["difference"] or 0.0)


def _row(row: Mapping[str, Any], name: str, hectares: float, unit: str, locale: str) -> dict[str, Any]:
    def shown(key: str, u: float | None = None) -> str:
        return "–" if row[key] is None else value_words(row[key], u, unit, locale)

    area = format_decimal(hectares, "0.0", locale=language_of(locale))
    return {
        "name": name,
        "area": word(locale, "hectares", value=area),
        "dates": word(locale, "of-dates", clear=row["clear_dates"], all=row["dates"]),
        "value": shown("value", row["u"]),
        "nominal": shown("nominal"),
        "difference": shown("difference"),
        "out": row["outside"] > 0,
    }


def _counts(alerts: Mapping[str, Any], locale: str) -> Sequence[tuple[str, int]]:
    numbers = {
        **{each: alerts[each] for each in ("opened", "confirmed", "undecided")},
        "dismissed": sum(alerts["dismissed"].values()),
        "withdrawn": alerts["withdrawn"],
    }
    return [(word(locale, f"alerts-{name}"), number) for name, number in numbers.items() if number]


def _alert(alert: Mapping[str, Any], names: Mapping[int, str], locale: str, zone: str) -> dict[str, str]:
    return {
        "site": names.get(alert["site"], ""),
        "since": day_words(datetime.fromisoformat(alert["first"]), locale, zone),
        "severity": word(locale, f"severity-{alert['severity']}"),
        "state": word(locale, f"state-{alert['state']}"),
        "verified": word(locale, f"verified-{alert['verified']}"),
        "comment": alert["comment"],
    }
