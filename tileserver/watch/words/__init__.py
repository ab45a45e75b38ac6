"""Sentences of messages and bulletins in five languages; dates and numbers as each writes them."""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal

LANGUAGES: Final = ("en", "fr", "pt", "es", "ar")
_RIGHT_TO_LEFT: Final = frozenset({"ar"})


def language_of(locale: str) -> str:
    """The language that a locale is answered in."""
    language = locale.partition("-")[0]
    return language if language in LANGUAGES else "en"


def direction_of(locale: str) -> str:
    """`rtl` or `ltr`."""
    return "rtl" if language_of(locale) in _RIGHT_TO_LEFT else "ltr"


def word(locale: str, key: str, **values: Any) -> str:
    """A sentence in a locale's language, with its values."""
    return _catalogue(language_of(locale))[key].format(**values)


def day_words(moment: datetime, locale: str, zone: str = "UTC") -> str:
    """A day, as a locale writes it."""
    return format_date(moment.astimezone(ZoneInfo(zone)), "long", locale=language_of(locale))


def month_words(day: date, locale: str) -> str:
    """The month of a day, as a locale writes it."""
    return format_date(day, "MMMM y", locale=language_of(locale))


def digits_of(u: float | None) -> int:
    """Decimals that a margin bears."""
    return 2 if u is None or u >= 0.05 else 3


def value_words(value: float, u: float | None, unit: str, locale: str, digits: int | None = None) -> str:
    """A value with the margin that 95 of 100 true ones lie in, rounded to what the margin bears."""
    digits = digits_of(u) if digits is None else digits
    shape = f"0.{'0' * digits}"
    own = language_of(locale)
    text = format_decimal(value, shape, locale=own)
    if u is not None:
        text += f" ± {format_decimal(2 * u, shape, locale=own)}"
    return f"{text} {unit}".rstrip()


def limit_words(low: float | None, high: float | None, unit: str, locale: str) -> str:
    """Nominal values: not below, not above, between; empty where they are not known."""
    first, last = (None if each is None else value_words(each, None, unit, locale) for each in (low, high))
    if first is not None and last is not None:
        return word(locale, "between", low=first, high=last)
    if first is not None:
        return word(locale, "not-below", limit=first)
    return "" if last is None else word(locale, "not-above", limit=last)


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((files(__package__) / f"{language}.json").read_text(encoding="utf-8"))
    return found
