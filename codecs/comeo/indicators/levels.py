"""What may be computed from decibels: sums and quotients of them are those of nothing.

Decibels are logarithms: their sum is a product of powers, their mean lies below that of the powers by up to
some decibels, and their quotient means nothing at all. Whoever writes one of these has taken them for power.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from comeo.errors import ParameterError
from comeo.indicators.formula import names
from comeo.indicators.tree import Call, Name, Node, to_text, walk

POWER = "lin"
"""The function that turns decibels into power."""
_CHOICES = {"min": 0, "max": 0, "if_": 1}  # functions that return an argument, from which one on
_SUM = (
    "{source} adds decibels, which multiplies powers; write {left}+{right} for the sum of powers, "
    "and db(…) around it to have decibels again"
)
_QUOTIENT = (
    "{source} divides decibels by decibels, which is no ratio; write {plain} for the ratio in decibels, "
    "or {left}/{right} for that of powers"
)


def check_decibels(formulas: Iterable[Node], decibels: Collection[str]) -> None:
    """Refuse what takes decibels for power, or other numbers for decibels.

    A sum of decibels that are multiplied by numbers, as regressions have it, is left alone.

    Args:
        formulas: To be checked.
        decibels: Names of bands that are in decibels.

    Raises:
        ParameterError: Saying what to write.
    """
    for node in (node for formula in formulas for node in walk(formula)):
        match node:
            case Call(function="+" | "/" as sign, arguments=(left, right)):
                if _is_level(left, decibels) and _is_level(right, decibels):
                    raise ParameterError(_advice(node, sign, left, right))
            case Call(function="lin", arguments=(argument,)):
                _check_power(argument, decibels)


def _advice(node: Node, sign: str, left: Node, right: Node) -> str:
    one, other = to_text(left), to_text(right)
    text = _SUM if sign == "+" else _QUOTIENT
    return text.format(
        source=to_text(node), plain=f"{one}-{other}", left=f"{POWER}({one})", right=f"{POWER}({other})"
    )


def _check_power(argument: Node, decibels: Collection[str]) -> None:
    """Refuse the power of what is in no decibels."""
    if other := next((name for name in names(argument) if name not in decibels), None):
        raise ParameterError(
            f"{POWER}({to_text(argument)}) is the power of decibels, and {other} is not in dB; "
            f"leave {POWER} out, or write {other}**2 for a square"
        )


def _is_level(node: Node, decibels: Collection[str]) -> bool:
    """Whether a formula is the backscatter of a band in decibels."""
    match node:
        case Name(name=name):
            return name in decibels
        case Call(function=name, arguments=arguments) if name in _CHOICES:
            return any(_is_level(argument, decibels) for argument in arguments[_CHOICES[name] :])
    return False
