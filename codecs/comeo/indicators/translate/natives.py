"""Functions of scripts that are known by name."""

from __future__ import annotations

from typing import Any

from comeo.indicators.formula import FUNCTIONS
from comeo.indicators.translate.common import NEVER, TranslationError
from comeo.indicators.translate.folding import fold
from comeo.indicators.translate.script_values import Combined, Dates, is_number
from comeo.indicators.tree import Number


def over_dates(statistic: str, arguments: list[Any], line: int) -> Any:
    """A statistic of the values of all dates."""
    match arguments:
        case [Dates(value=value)]:
            return Combined(value, statistic)
    raise TranslationError(f"{statistic} is of values of all dates", line)


def not_called(_: list[Any], line: int) -> Any:
    """Of functions that only our own scripts call."""
    raise TranslationError("this function is not called by itself", line)


def call(function: str, arguments: list[Any], line: int) -> Any:
    """A function of formulas."""
    if function in ("min", "max") and len(arguments) == 1 and isinstance(arguments[0], Dates):
        return Combined(arguments[0].value, function)
    if not all(map(is_number, arguments)):
        raise TranslationError(f"{function} takes numbers", line)
    least, most = FUNCTIONS[function].counts
    if not least <= len(arguments) <= most:
        raise TranslationError(f"{function} takes {least} to {most} numbers, not {len(arguments)}", line)
    return fold(function, *arguments)


def known_number(name: str, arguments: list[Any]) -> Any:
    """`Number.isNaN` and `Number.isFinite`; dates that are combined count as known."""
    if len(arguments) == 1 and isinstance(arguments[0], Combined):
        return Number(float(name == "isFinite"))
    (value,) = arguments if len(arguments) == 1 and is_number(arguments[0]) else (NEVER,)
    valid = fold("isvalid", value)
    return valid if name == "isFinite" else fold("not", valid)


def any_of(truths: list[Any]) -> Any:
    """Whether any of some conditions is true."""
    found: Any = Number(0.0)
    for each in truths:
        found = each if found == Number(0.0) else fold("or", found, each)
    return found
