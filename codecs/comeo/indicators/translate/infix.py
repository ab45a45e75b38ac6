"""Formulas of programs' band arithmetic, QGIS's and SNAP's, read by how tightly their operators bind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from comeo.indicators.translate.common import TranslationError
from comeo.indicators.tree import Call, Name, Node, Number

LONGEST: Final = 20_000
DEEPEST: Final = 60


@dataclass(frozen=True, slots=True)
class Grammar:
    """Operators of a language.

    Attributes:
        title: Of the language, for messages.
        binary: Of each sign how tightly it binds, and the function that it is.
        unary: Likewise.
        choice: How tightly `condition ? yes : no` binds; 0 where there is none.
        quoted: Whether a name may stand in double quotes.
        any_case: Whether words are operators in upper and lower case.
        right: Signs of which the last of several binds first.
    """

    title: str
    binary: Mapping[str, tuple[int, str]]
    unary: Mapping[str, tuple[int, str]]
    choice: int = 0
    quoted: bool = False
    any_case: bool = False
    right: frozenset[str] = field(default_factory=frozenset)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


_TOKEN: Final = re.compile(
    r'(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])|(?P<quoted>"[^"\n]{1,200}")'
    r"|(?P<name>[A-Za-z_$][\w.$]*)|(?P<sign>&&|\|\||\*\*|<=|>=|==|!=|<>|[-+*/%^<>=!?:(),~])"
)
_SPACE: Final = re.compile(r"\s*")


def read(text: str, grammar: Grammar) -> Node:
    """Read a formula as a tree whose calls are not checked: names of functions are those of the language.

    Raises:
        TranslationError: If it is none, with its line.
    """
    if len(text) > LONGEST:
        raise TranslationError(f"the formula has {len(text)} characters, more than {LONGEST}")
    return _Reader(text, grammar).read()


class _Reader:
    def __init__(self, text: str, grammar: Grammar) -> None:
        self._grammar = grammar
        self._tokens = self._split(text)
        self._next = 0
        self._depth = 0

    def read(self) -> Node:
        node = self._expression(0)
        token = self._tokens[self._next]
        if token.kind != "end":
            raise TranslationError(f"{token.text!r} is not expected here", token.line)
        return node

    def _split(self, text: str) -> list[_Token]:
        tokens, at = list[_Token](), 0
        while True:
            at = (_SPACE.match(text, at) or re.compile("").match(text)).end()  # type: ignore[union-attr]
            line = text.count("\n", 0, at) + 1
            if at == len(text):
                return [*tokens, _Token("end", "", line)]
            found = _TOKEN.match(text, at)
            if not found or (found.lastgroup == "quoted" and not self._grammar.quoted):
                raise TranslationError(
                    f"{text[at]!r} has no place in a formula of {self._grammar.title}", line
                )
            kind, word = str(found.lastgroup), found.group()
            lowered = word.lower() if self._grammar.any_case else word
            if kind == "name" and (lowered in self._grammar.binary or lowered in self._grammar.unary):
                kind, word = "sign", lowered
            tokens.append(_Token(kind, word, line))
            at = found.end()

    def _expression(self, binding: int) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise TranslationError(f"it is nested deeper than {DEEPEST}", self._tokens[self._next].line)
        left = self._operand()
        while True:
            token = self._tokens[self._next]
            if token.text == "?" and self._grammar.choice > binding:
                left = self._choice(left)
                continue
            tightness, function = self._grammar.binary.get(token.text, (0, ""))
            if token.kind != "sign" or not function or tightness <= binding:
                break
            self._next += 1
            right = self._expression(tightness - (token.text in self._grammar.right))
            left = Call(function, (left, right))
        self._depth -= 1
        return left

    def _choice(self, condition: Node) -> Node:
        self._next += 1
        yes = self._expression(0)
        self._expect(":")
        return Call("if_", (condition, yes, self._expression(self._grammar.choice - 1)))

    def _operand(self) -> Node:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        if token.kind == "number":
            return Number(float(token.text))
        if token.kind == "quoted":
            return Name(token.text[1:-1])
        if token.kind == "name":
            return self._name(token)
        if token.text == "(":
            node = self._expression(0)
            self._expect(")")
            return node
        if token.kind == "sign" and token.text in self._grammar.unary:
            tightness, function = self._grammar.unary[token.text]
            node = self._expression(tightness - 1)
            if function == "+":
                return node
            return (
                Number(-node.value)
                if function == "-" and isinstance(node, Number)
                else Call(function, (node,))
            )
        what = "the formula ends too early" if token.kind == "end" else f"{token.text!r} is not expected here"
        raise TranslationError(what, token.line)

    def _name(self, token: _Token) -> Node:
        if self._tokens[self._next].text != "(":
            return Name(token.text)
        self._next += 1
        arguments = list[Node]()
        while self._tokens[self._next].text != ")":
            arguments.append(self._expression(0))
            if self._tokens[self._next].text != ",":
                break
            self._next += 1
        self._expect(")")
        return Call(token.text, tuple(arguments))

    def _expect(self, text: str) -> None:
        token = self._tokens[self._next]
        if token.text != text:
            raise TranslationError(f"{text!r} is missing before {token.text or 'the end'!r}", token.line)
        self._next += 1
