"""A bulletin as it is read: all its words, numbers and curves in a language, and one HTML file made of them.

The file opens without a network, prints, and is the same each time it is made. The PDF has the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from babel.dates import get_month_names
from babel.numbers import format_decimal, format_percent

from comeo.indicators.document import text_in
from tileserver.pages import environment
from tileserver.watch.bulletins import svg
from tileserver.watch.bulletins.content import CURVE_DAYS, Content, digest_of, unusual
from tileserver.watch.document.markdown import Placeholder, blocks
from tileserver.watch.messages.compose import in_a_line
from tileserver.watch.words import (
    day_words,
    digits_of,
    direction_of,
    language_of,
    month_words,
    value_words,
    word,
)

NOTHING: Final = "–"
"""Stands for a figure that there is not."""
MOST_ROWS: Final = 300
"""Sites in all tables of a page, those that differ most from what is usual."""
MOST_LISTED: Final = 100
"""Alerts, and changes of an erratum, that a page lists."""
MOST_CURVES: Final = 100_000
"""Characters of all curves of a page."""
MOST_NAME: Final = 60
"""Characters of a name in a table."""


@dataclass(frozen=True, slots=True)
class Visa:
    """Who has approved a bulletin.

    Attributes:
        name: As it is printed; None if it was the geoservice's rule.
        at: When.
        note: What they wrote, may be empty.
    """

    name: str | None
    at: datetime
    note: str = ""


def bulletin_page(content: Content, locale: str, visa: Visa | None) -> str:
    """The page.

    Args:
        content: What it says.
        locale: Language.
        visa: None of a draft.
    """
    return environment().get_template("geoservices/bulletin.html").render(one=model_of(content, locale, visa))


def model_of(content: Content, locale: str, visa: Visa | None) -> dict[str, Any]:
    """What a page and a PDF are made of: JSON without any word left to find.

    Args:
        content: What it says.
        locale: Language.
        visa: None of a draft.
    """
    told = _Told(content, locale)
    sections = [_SECTIONS[each["kind"]](told, each) for each in content["sections"]]
    return {
        "lang": told.language, "dir": direction_of(locale),
        "number": told.say("bulletin-number", number=content["number"]),
        "title": told.title, "month": told.month, "visa": _visa(visa, told),
        "note": told.say("visa-note", note=visa.note) if visa and visa.note else "",
        "erratum": _erratum(told), "sections": sections,
        "credit": told.say("credit", year=(told.end - timedelta(days=15)).year),
        "digest": told.say("digest", digest=digest_of(content)),
    }  # fmt: skip


def period_words(content: Content, locale: str) -> str:
    """The period of a bulletin, as a locale writes it."""
    middle = datetime.fromisoformat(content["period"]["start"]) + timedelta(days=15)
    return month_words(middle, locale)


class _Told:
    """A content in a language."""

    def __init__(self, content: Content, locale: str) -> None:
        self.content, self.locale, self.language = content, locale, language_of(locale)
        period = content["period"]
        self.zone: str = period["zone"]
        self.end = datetime.fromisoformat(period["end"])
        self.month = period_words(content, locale)
        self.title = text_in(content["geoservice"]["title"], locale)
        named = {each["site"]: each["name"] for each in content["alerts"]["list"] if "name" in each}
        named |= {each["id"]: each["name"] for each in content["sites"]}
        self.names = {site: in_a_line(text_in(name, locale), MOST_NAME) for site, name in named.items()}
        self.areas = {each["id"]: each["hectares"] for each in content["sites"]}

    def say(self, key: str, **values: Any) -> str:
        """A sentence."""
        return word(self.locale, key, **values)

    def name(self, site: int) -> str:
        """Of a site, or a group that has an alert; of one that is no longer followed its number."""
        return self.names.get(site) or f"{self.say('head-site')} {site}"

    def count(self, number: float, shape: str = "#,##0") -> str:
        """A number."""
        return format_decimal(number, shape, locale=self.language)

    def share(self, number: float) -> str:
        """Per cent."""
        return format_percent(number, locale=self.language)

    def figure(self, text: str) -> str:
        """A figure among words that are read from right to left: it stays as it is (UAX 9, isolates)."""
        return f"\u2066{text}\u2069" if direction_of(self.locale) == "rtl" else text

    def quoted(self, text: str) -> str:
        """What somebody wrote, in its own direction, whatever stands after it."""
        return f"\u2068{text}\u2069" if direction_of(self.locale) == "rtl" else text

    def left_out(self, shown: int, number: int) -> str:
        """That some are not shown; empty if all are."""
        return self.say("left-out", shown=self.count(shown), all=self.count(number)) if shown < number else ""

    def table(self, heads: Sequence[str], rows: Sequence[tuple[list[str], bool]]) -> dict[str, Any]:
        """A table; each row says whether it is outside."""
        return {
            "heads": [self.say(f"head-{each}") for each in heads],
            "rows": [{"cells": cells, "out": out} for cells, out in rows],
        }


def _visa(visa: Visa | None, told: _Told) -> str:
    if visa is None:
        return told.say("visa-missing")
    day = day_words(visa.at, told.locale, told.zone)
    return told.say("visa-rule", day=day) if visa.name is None else told.say("visa", name=visa.name, day=day)


def _erratum(told: _Told) -> dict[str, Any] | None:
    erratum = told.content.get("erratum")
    if erratum is None:
        return None
    titles = {each["id"]: text_in(each["title"], told.locale) for each in told.content["indicators"]}
    rows = []
    changes = erratum["changes"]
    for each in changes[:MOST_LISTED]:
        place = NOTHING if each["site"] is None else told.name(each["site"])
        what = f"{titles.get(each['indicator'], each['indicator'])}: {told.say('figure-' + each['field'])}"
        shown = [
            NOTHING if each[side] is None else told.figure(told.count(each[side], "#,##0.###"))
            for side in ("before", "after")
        ]
        rows.append(([place, what, *shown], False))
    return {
        "heading": told.say("erratum", number=erratum["of"]), "none": told.say("erratum-none"),
        "left_out": told.left_out(len(rows), len(changes)),
        "table": told.table(("site", "figure", "before", "after"), rows),
    }  # fmt: skip


def _text(told: _Told, section: Mapping[str, Any]) -> dict[str, Any]:
    text = text_in(section["text"], told.locale)
    found = blocks(text, lambda each: _filled(told, each))
    return {"kind": "text", "blocks": [each.told() for each in found]}


def _filled(told: _Told, wanted: Placeholder) -> str:
    """What stands for a placeholder; a dash for a site or an indicator that is no longer there."""
    content = told.content
    if wanted.name == "alerts":
        number = content["alerts"][wanted.detail]
        return told.count(sum(number.values()) if isinstance(number, dict) else number)
    if wanted.site is not None:
        found = (each for each in content["indicators"] if wanted.detail in (None, each["id"]))
        one = next(found, None)
        if one is None or wanted.site > len(one["sites"]):
            return NOTHING
        row = _figures(told, one["sites"][wanted.site - 1], one["unit"])
        return row[{"clear": "dates", "usual": "nominal"}.get(wanted.name, wanted.name)]
    first = content["indicators"][0]
    plain: dict[str, str] = {
        "title": in_a_line(told.title, MOST_NAME), "month": told.month,
        "number": content["number"],
        "scenes": told.count(first["scenes"]), "clear-scenes": told.count(first["clear_scenes"]),
        "sites": told.count(len(content["sites"])), "outside": told.count(_outside(first)),
    }  # fmt: skip
    return plain[wanted.name]


def _sites(told: _Told, section: Mapping[str, Any]) -> dict[str, Any]:
    found = [_indicator(told, each, section["curves"]) for each in told.content["indicators"]]
    return {"kind": "sites", "indicators": found}


def _indicator(told: _Told, one: Mapping[str, Any], curves: int) -> dict[str, Any]:
    ranked = sorted(one["sites"], key=unusual, reverse=True)
    shown = {each["site"] for each in ranked[: MOST_ROWS // len(told.content["indicators"])]}
    rows = []
    for each in one["sites"]:
        if each["site"] not in shown:
            continue
        own = _figures(told, each, one["unit"])
        area = told.say("hectares", value=told.count(told.areas[each["site"]], "#,##0.0"))
        cells = [told.name(each["site"]), area, *own.values()]
        rows.append((cells, each["outside"] > 0))
    return {
        "title": text_in(one["title"], told.locale),
        "summary": told.say(
            "bulletin-summary", scenes=told.count(one["scenes"]), clear=told.count(one["clear_scenes"]),
            sites=told.count(len(one["sites"])), outside=told.count(_outside(one)),
        ),
        "table": told.table(("site", "area", "clear", "mean", "usual", "difference"), rows),
        "left_out": told.left_out(len(rows), len(one["sites"])),
        "curves": list(_curves(told, ranked, curves)),
    }  # fmt: skip


def _curves(told: _Told, ranked: Sequence[Mapping[str, Any]], most: int) -> Iterator[dict[str, str]]:
    """Curves of the first sites that have one, as long as there is room."""
    months = list(get_month_names("abbreviated", locale=told.language).values())
    start, room = told.end - timedelta(days=CURVE_DAYS), MOST_CURVES // len(told.content["indicators"])
    for each in [one for one in ranked if one["curve"]][:most]:
        drawn = svg.curve(each["curve"], start, told.end, months)
        room -= len(drawn)
        if room < 0:
            return
        yield {"name": told.name(each["site"]), "svg": drawn}


def _figures(told: _Told, row: Mapping[str, Any], unit: str) -> dict[str, str]:
    def shown(key: str, u: float | None = None) -> str:
        if row[key] is None:
            return NOTHING
        return told.figure(value_words(row[key], u, unit, told.locale, digits_of(row["u"])))

    clear, dates = told.count(row["clear_dates"]), told.count(row["dates"])
    return {
        "dates": told.say("of-dates", clear=clear, all=dates),
        "value": shown("value", row["u"]), "nominal": shown("nominal"), "difference": shown("difference"),
    }  # fmt: skip


def _outside(one: Mapping[str, Any]) -> int:
    return sum(each["outside"] > 0 for each in one["sites"])


def _ranks(told: _Told, section: Mapping[str, Any]) -> dict[str, Any]:
    ranks, most = told.content["ranks"], section["most"]

    def rows(of: str, name: Any) -> list[tuple[list[str], bool]]:
        return [
            ([name(each), told.count(each["outside"]), told.count(each["alerts"])], False)
            for each in ranks[of][:most]
        ]

    def month(each: Mapping[str, Any]) -> str:
        day = datetime.strptime(each["label"], "%Y-%m").date()
        return month_words(day, told.locale)

    tables = [
        {"title": told.say(f"ranks-{of}"), "table": told.table((head, "outside", "alerts"), found)}
        for of, head, found in (
            ("sites", "site", rows("sites", lambda each: told.name(each["site"]))),
            ("periods", "month", rows("periods", month)),
        )
        if found
    ]
    return {"kind": "ranks", "heading": told.say("ranks"), "none": told.say("ranks-none"), "tables": tables}


def _alerts(told: _Told, _section: Mapping[str, Any]) -> dict[str, Any]:
    alerts = told.content["alerts"]
    numbers = {
        **{each: alerts[each] for each in ("opened", "confirmed", "undecided")},
        "dismissed": sum(alerts["dismissed"].values()), "withdrawn": alerts["withdrawn"],
    }  # fmt: skip
    counts = [f"{told.count(each)} {told.say(f'alerts-{name}')}" for name, each in numbers.items() if each]
    sentences = [" · ".join(counts)] if counts else [told.say("bulletin-alerts-none")]
    if alerts["dismissed"]:
        reasons = [
            f"{told.say(f'reason-{each}')} ({told.count(number)})"
            for each, number in alerts["dismissed"].items()
        ]
        sentences.append(told.say("alerts-reasons", reasons=" · ".join(reasons)))
    if alerts["share_withdrawn"]:
        sentences.append(told.say("alerts-share", share=told.share(alerts["share_withdrawn"])))
    listed = sorted(alerts["list"], key=lambda each: -each["severity"])[:MOST_LISTED]
    return {
        "kind": "alerts", "heading": told.say("bulletin-alerts"), "sentences": sentences,
        "entries": [_alert(each, told) for each in listed],
        "left_out": told.left_out(len(listed), len(alerts["list"])),
    }  # fmt: skip


def _alert(alert: Mapping[str, Any], told: _Told) -> dict[str, str]:
    since = day_words(datetime.fromisoformat(alert["first"]), told.locale, told.zone)
    severity, state = (told.say(f"{each}-{alert[each]}") for each in ("severity", "state"))
    verified = told.say(f"verified-{alert['verified']}")
    facts = told.say("alert-facts", since=since, severity=severity, state=state, verified=verified)
    site = told.quoted(told.name(alert["site"]))
    return {"site": site, "facts": facts, "comment": alert["comment"]}


def _method(told: _Told, _section: Mapping[str, Any]) -> dict[str, Any]:
    policy = told.content["policy"]
    sentences = []
    for one in told.content["indicators"]:
        sentence = told.say(
            "method-text", indicator=text_in(one["title"], told.locale), id=one["id"],
            version=one["version"], clear=told.share(policy["min_clear"]), dates=policy["dates"],
            of=policy["of"],
        )  # fmt: skip
        if one["ratios"]:
            least, middle, most = (told.count(each, "#,##0") for each in one["ratios"])
            sentence += " " + told.say("method-ratio", least=least, ratio=middle, most=most)
        sentences.append(sentence)
    return {"kind": "method", "heading": told.say("bulletin-method"), "sentences": sentences}


_SECTIONS: Final = {
    "text": _text, "sites": _sites, "ranks": _ranks, "alerts": _alerts, "method": _method,
}  # fmt: skip
