"""What is told of an alert: to moderators, who decide, and to those who are told of confirmed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten
from typing import Any, Final, Literal

from comeo.indicators.document import text_in
from tileserver.store.alerts import Alert
from tileserver.watch.words import day_words, value_words, word

MOST_NAME: Final = 100
"""Characters of a name in a message."""
TOLD_DATES: Final = 5
"""Last clear dates that a message lists."""
Kind = Literal["moderate", "confirmed", "closed"]


@dataclass(frozen=True, slots=True)
class About:
    """What an alert is about, in the names that people gave, by language.

    Attributes:
        geoservice: Its title.
        site: Name of the site.
        indicator: Title of the indicator.
        unit: Of its values.
        zone: Time zone of its days.
    """

    geoservice: Mapping[str, str]
    site: Mapping[str, str]
    indicator: Mapping[str, str]
    unit: str
    zone: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, for channels to show as each can.

    Attributes:
        subject: One line.
        sentences: Paragraphs.
        rows: Lines of a list, below its heading, which is the first one.
        links: What each does in words, and its address.
    """

    subject: str
    sentences: Sequence[str]
    rows: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()

    @property
    def text(self) -> str:
        """All of it but the subject."""
        rows = ["\n".join(self.rows)] if self.rows else []
        links = [f"{does}: {address}" for does, address in self.links]
        return "\n\n".join([*self.sentences, *rows, *links]) + "\n"


def alert_content(alert: Alert, about: About, locale: str, kind: Kind, links: Mapping[str, str]) -> Content:
    """A message about an alert.

    Args:
        alert: It.
        about: Names.
        locale: Language of the message.
        kind: What the message is for.
        links: Addresses by what they do: `picture`, `decide`, `unsubscribe`.
    """
    facts = _facts(alert, about, locale)
    subject = word(locale, f"subject-{kind}", **facts)
    named = [(word(locale, name), address) for name, address in links.items()]
    if kind == "closed":
        return Content(subject, [alert_line(alert, about, locale, kind)], (), named)
    return Content(subject, sentences(alert, about, locale), _dates(alert, about, locale), named)


def alert_line(alert: Alert, about: About, locale: str, kind: Kind) -> str:
    """What happened, in one sentence."""
    facts = _facts(alert, about, locale)
    if kind != "closed":
        return word(locale, f"{_key(alert)}-sentence", **facts)
    over = alert.evidence["over"]
    at = datetime.fromisoformat(over) if over else alert.closed or alert.last_at
    key = "closed-group-sentence" if _is_of_group(alert) else "closed-sentence"
    return word(locale, key, **{**facts, "day": day_words(at, locale, about.zone)})


def sentences(alert: Alert, about: About, locale: str) -> list[str]:
    """What happened, since when, and how sure that is."""
    facts = _facts(alert, about, locale)
    return [
        word(locale, f"{_key(alert)}-sentence", **facts),
        word(locale, "since", **facts),
        word(locale, f"verified-{alert.verified}"),
    ]


def _is_of_group(alert: Alert) -> bool:
    """Whether an alert is one of many sites."""
    return "group" in alert.evidence


def _key(alert: Alert) -> str:
    """Begin of the name of the sentence that tells an alert."""
    return "group" if _is_of_group(alert) else alert.kind


def _facts(alert: Alert, about: About, locale: str) -> dict[str, str]:
    worst = alert.evidence["worst"]
    return {
        "geoservice": in_a_line(text_in(about.geoservice, locale)),
        "site": in_a_line(text_in(about.site, locale)),
        "indicator": in_a_line(text_in(about.indicator, locale)),
        "value": _value(worst, about, locale),
        "day": day_of(worst, about, locale),
        "limit": value_words(worst[alert.kind], None, about.unit, locale),
        "since": day_words(alert.first_at, locale, about.zone),
        "severity": word(locale, f"severity-{alert.severity}"),
        **_group_facts(alert, locale),
    }


def _group_facts(alert: Alert, locale: str) -> dict[str, str]:
    """Of an alert of a group: how many of its sites, and the worst of them."""
    group = alert.evidence.get("group")
    if group is None:
        return {}
    worst = in_a_line(text_in(group["witnesses"][0]["name"], locale))
    return {"count": str(group["count"]), "all": str(group["of"]), "worst": worst}


def invitation(title: Mapping[str, str], address: str, locale: str, link: str) -> Content:
    """A message that asks whether somebody wants to be told."""
    facts = {"geoservice": in_a_line(text_in(title, locale)), "address": address}
    return Content(
        word(locale, "subject-recipient", **facts), [word(locale, "recipient-sentence", **facts)], (),
        [(word(locale, "confirm-link"), link)],
    )  # fmt: skip


def visa_message(title: Mapping[str, str], number: str, locale: str, link: str) -> Content:
    """A message that a bulletin waits for a visa."""
    facts = {"geoservice": in_a_line(text_in(title, locale)), "number": number}
    return Content(
        word(locale, "subject-visa", **facts), [word(locale, "visa-sentence", **facts)], (),
        [(word(locale, "bulletin-link"), link)],
    )  # fmt: skip


def bulletin_message(
    title: Mapping[str, str], number: str, month: str, locale: str, links: Mapping[str, str], *,
    is_erratum: bool,
) -> Content:  # fmt: skip
    """A message that a bulletin, or an erratum to one, is out."""
    facts = {"geoservice": in_a_line(text_in(title, locale)), "number": number, "month": month}
    kind = "erratum" if is_erratum else "bulletin"
    named = [(word(locale, name), address) for name, address in links.items()]
    subject = word(locale, f"subject-{kind}", **facts)
    return Content(subject, [word(locale, f"{kind}-sentence", **facts)], (), named)


def in_a_line(text: str, most: int = MOST_NAME) -> str:
    """A name in a line of mail: names may have several lines, and say what looks like one of ours."""
    return shorten(text, most, placeholder=" …")


def day_of(date: Mapping[str, Any], about: About, locale: str) -> str:
    """Day of a date of an alert's evidence."""
    return day_words(datetime.fromisoformat(date["datetime"]), locale, about.zone)


def _dates(alert: Alert, about: About, locale: str) -> list[str]:
    rows = [
        word(locale, "date", day=day_of(each, about, locale), value=_value(each, about, locale))
        for each in alert.evidence["dates"][-TOLD_DATES:]
    ]
    return [word(locale, "dates"), *rows]


def _value(date: Mapping[str, Any], about: About, locale: str) -> str:
    return value_words(date["value"], date["u"], about.unit, locale)
