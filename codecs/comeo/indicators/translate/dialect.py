"""Formulas as text of other languages, by a table for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from comeo.indicators.translate.common import TranslationError
from comeo.indicators.tree import Call, Name, Node, Number

LONGEST = 30_000
"""Characters of a text: languages without steps repeat what a formula names twice."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a language writes formulas.

    Attributes:
        title: Of the language, for messages.
        patterns: Of each function, with its arguments as {0}, {1}…; what lacks one is refused. Of a function
            of any number of arguments the pattern is of two.
        name: A band's name.
        number: A number.
    """

    title: str
    patterns: Mapping[str, str]
    name: Callable[[str], str] = str
    number: Callable[[float], str] = "{:.9g}".format

    def write(self, node: Node) -> str:
        """A formula in the language.

        Raises:
            TranslationError: If it has no word for a function, or the text becomes too long.
        """
        text = self._text(node)
        return text[1:-1] if text.startswith("(") and _closes_last(text) else text

    def _text(self, node: Node) -> str:
        match node:
            case Number(value=value):
                text = self.number(value)
                return f"({text})" if value < 0 else text
            case Name(name=name):
                return self.name(name)
            case Call(function=function, arguments=arguments):
                return self._call(function, [self._text(each) for each in arguments])

    def _call(self, function: str, arguments: list[str]) -> str:
        key = "negate" if function == "-" and len(arguments) == 1 else function
        pattern = self.patterns.get(key)
        if pattern is None:
            raise TranslationError(f"{self.title} has no function {function}")
        text = arguments[0]
        if function in ("min", "max"):
            text, *others = sorted(arguments, key=_is_number)
            for each in others:
                chosen = self.patterns.get(f"{function} of a number", pattern)
                text = (chosen if _is_number(each) else pattern).format(text, each)
        else:
            text = pattern.format(*arguments)
        if len(text) > LONGEST:
            raise TranslationError(
                f"the formula has more than {LONGEST} characters in {self.title}, which has no steps; name "
                "steps less often"
            )
        return text


def _is_number(text: str) -> bool:
    return not text.strip("0123456789.e+-()")


def _closes_last(text: str) -> bool:
    """Whether the first parenthesis is closed by the last character."""
    depth = 0
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return index == len(text) - 1
    return False


INFIX: Mapping[str, str] = {
    **{sign: f"({{0}} {sign} {{1}})" for sign in ("+", "-", "*", "/", "<", "<=", ">", ">=")},
    "negate": "(-{0})",
    "nd": "(({0} - {1}) / ({0} + {1}))",
}
"""What is written alike in most languages."""
