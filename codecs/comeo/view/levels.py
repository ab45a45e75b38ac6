"""What may be computed from decibels: sums and quotients of them are those of nothing.

Decibels are logarithms: their sum is a product of powers, their mean lies below that of the powers by up to
some decibels, and their quotient means nothing at all. Whoever writes one of these has taken them for power.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from comeo.errors import ParameterError
from comeo.view.expression import POWER, Expression

_CHOICES = {"min": 0, "max": 0, "where": 1}  # functions that return an argument, from which one on
_SUM = (
    "{source} adds decibels, which multiplies powers; write {left}+{right} for the sum of powers, "
    "and 10*log10(…) around it to have decibels again"
)
_QUOTIENT = (
    "{source} divides decibels by decibels, which is no ratio; write {plain} for the ratio in decibels, "
    "or {left}/{right} for that of powers"
)


def check_decibels(expression: Expression, decibels: Collection[str]) -> None:
    """Refuse what takes decibels for power, or other numbers for decibels.

    A sum of decibels that are multiplied by numbers, as regressions have it, is left alone.

    Args:
        expression: To be checked.
        decibels: Names of its bands that are in decibels.

    Raises:
        ParameterError: Saying what to write.
    """
    for node in (node for part in expression.parts for node in ast.walk(part)):
        match node:
            case ast.BinOp(left=left, op=ast.Add() | ast.Div() as op, right=right):
                if _is_level(left, decibels) and _is_level(right, decibels):
                    raise ParameterError(_advice(node, left, op, right))
            case ast.Call(func=ast.Name(id=name), args=[argument]) if name == POWER:
                _check_power(argument, decibels)


def _advice(node: ast.BinOp, left: ast.expr, op: ast.operator, right: ast.expr) -> str:
    one, other = ast.unparse(left), ast.unparse(right)
    text = _SUM if isinstance(op, ast.Add) else _QUOTIENT
    return text.format(
        source=ast.unparse(node), plain=f"{one}-{other}", left=f"{POWER}({one})", right=f"{POWER}({other})"
    )


def _check_power(argument: ast.expr, decibels: Collection[str]) -> None:
    """Refuse the power of what is in no decibels."""
    names = [node.id for node in ast.walk(argument) if isinstance(node, ast.Name) and node.id not in _CHOICES]
    if other := next((name for name in names if name not in decibels), None):
        raise ParameterError(
            f"{POWER}({ast.unparse(argument)}) is the power of decibels, and {other} is not in dB; "
            f"leave {POWER} out, or write {other}**2 for a square"
        )


def _is_level(node: ast.expr, decibels: Collection[str]) -> bool:
    """Whether an expression is the backscatter of a band in decibels."""
    match node:
        case ast.Name(id=name):
            return name in decibels
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _is_level(operand, decibels)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _CHOICES:
            return any(_is_level(argument, decibels) for argument in arguments[_CHOICES[name] :])
    return False
