"""Comparisons in CQL2's words, made of the few that a catalogue knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tileserver.api.stac.cql2.operands import Literal, Operand, Span, Subject, refuse, span_of
from tileserver.catalog.filters import (
    And,
    Comparison,
    Condition,
    In,
    Like,
    Not,
    Operator,
    Or,
    Property,
    Some,
)

OPERATORS: Mapping[str, Operator] = {"=": "=", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MIRRORED: Mapping[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KINDS = {"text": "text", "number": "a number", "instant": "a time", "list": "a list of text"}


def compare(left: Operand, operator: Operator, right: Operand) -> Condition:
    """Compare two operands, of which one at least is a property.

    A day or an interval is `=` to the times in it, `<` than those behind it. Of a list
    one entry has to be equal.

    Raises:
        ParameterError: If they cannot be compared.
    """
    if not isinstance(left, Subject):
        left, operator, right = right, _MIRRORED[operator], left
    if not isinstance(left, Subject):
        refuse("a comparison needs a property on one side")
    if isinstance(right, Subject):
        return _two_properties(left, operator, right)
    right = _of_its_kind(left, right)
    if left.of.kind == "list":
        return _compare_entries(left, operator, right)
    if isinstance(right, Span):
        return _compare_time(left.of, operator, right)
    return Comparison(left.operand, operator, right)


def between(subject: Operand, low: Operand, high: Operand) -> Condition:
    """Whether a property lies between two values, both included."""
    return And((compare(subject, ">=", low), compare(subject, "<=", high)))


def one_of(subject: Operand, values: Sequence[Literal]) -> Condition:
    """Whether a property, or an entry of its list, has one of several values.

    Raises:
        ParameterError: If it is no property, or there are no values.
    """
    if not isinstance(subject, Subject) or not values:
        refuse("IN takes a property and one value at least")
    if subject.of.kind == "instant":
        return Or(tuple(compare(subject, "=", value) for value in values))
    fitting = [_of_its_kind(subject, value) for value in values]
    plain = tuple(value for value in fitting if not isinstance(value, Span))
    if subject.of.kind == "list":
        return Some(subject.of, In(subject.entry, plain))
    return In(subject.operand, plain)


def like(subject: Operand, pattern: Operand) -> Condition:
    """Whether text, or an entry of a list, matches a pattern.

    Raises:
        ParameterError: If one of them is not text.
    """
    if not isinstance(subject, Subject) or not isinstance(pattern, str):
        refuse("LIKE takes a property of text and a pattern")
    if subject.of.kind == "list":
        return Some(subject.of, Like(subject.entry, pattern))
    if subject.of.kind != "text":
        refuse(f"LIKE takes text; {subject.of.name} is {_KINDS[subject.of.kind]}")
    return Like(subject.operand, pattern)


def list_condition(name: str, subject: Operand, values: Sequence[Literal]) -> Condition:
    """Compare a list as a set with values: `a_contains`, `a_containedby`, `a_equals`, `a_overlaps`.

    Raises:
        ParameterError: If the property is no list, or there are no values.
    """
    if not isinstance(subject, Subject) or subject.of.kind != "list":
        refuse(f"{name} takes a property that is a list, first: instruments or sar:polarizations")
    if not values or not all(isinstance(value, str) for value in values):
        refuse(f"{name} takes one text at least: ('msi')")
    texts = tuple(value for value in values if isinstance(value, str))
    one = Some(subject.of, In(subject.entry, texts))
    none_else = Not(Some(subject.of, Not(In(subject.entry, texts))))
    all_of = And(tuple(Some(subject.of, In(subject.entry, (text,))) for text in texts))
    conditions: Mapping[str, Condition] = {
        "a_contains": all_of, "a_overlaps": one, "a_containedby": none_else,
        "a_equals": And((all_of, none_else)),
    }  # fmt: skip
    return conditions[name]


def _of_its_kind(subject: Subject, value: Literal) -> Literal:
    """A value as a property's kind has it: text that is a time becomes one.

    Raises:
        ParameterError: If it is of another kind.
    """
    kind = subject.of.kind
    if kind == "instant" and isinstance(value, str):
        return span_of(value)
    fits = {"text": str, "list": str, "number": float, "instant": Span}[kind]
    if not isinstance(value, fits):
        refuse(f"{subject.of.name} is {_KINDS[kind]}, and is compared with {_KINDS[_kind(value)]}")
    return value


def _kind(value: Literal) -> str:
    return "text" if isinstance(value, str) else "number" if isinstance(value, float) else "instant"


def _two_properties(left: Subject, operator: Operator, right: Subject) -> Condition:
    if left.of.kind != right.of.kind or left.of.kind == "list":
        refuse(
            f"{left.of.name} ({_KINDS[left.of.kind]}) is not compared with "
            f"{right.of.name} ({_KINDS[right.of.kind]})"
        )
    return Comparison(left.operand, operator, right.operand)


def _compare_entries(subject: Subject, operator: Operator, value: Literal) -> Condition:
    if operator not in ("=", "<>") or isinstance(value, Span):  # a time has been refused already
        refuse(f"{subject.of.name} is a list: it is compared by =, <>, IN, LIKE and A_CONTAINS")
    found = Some(subject.of, Comparison(subject.entry, "=", value))
    return found if operator == "=" else Not(found)


def _compare_time(moment: Property, operator: Operator, span: Span) -> Condition:
    if operator == "=":
        return And((Comparison(moment, ">=", span.start), Comparison(moment, "<=", span.end)))
    if operator == "<>":
        return Not(_compare_time(moment, "=", span))
    return Comparison(moment, operator, span.start if operator in ("<", ">=") else span.end)
