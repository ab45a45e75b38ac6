"""The text of a formula as a tree: words, then operators by how tightly they bind.

Operators bind as in Python: `or`, `and`, `not`, comparisons, `|`, `&`, `+ -`, `* / %`, signs and `~`, `**`.
`docs/pof.md` has the grammar.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from comeo.errors import ParameterError
from comeo.indicators.functions import ALIASES, FUNCTIONS, RADIUS
from comeo.indicators.tree import GREATEST, MOST_NODES, Call, Name, Node, Number, Place
from comeo.indicators.typos import nearest

LONGEST: Final = 4000
"""Characters of a formula."""
_DEEPEST: Final = 60
_WORD: Final = re.compile(
    r"(?P<number>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+)(?![\w.])|(?P<name>[^\W\d]\w*+)"
    r"|(?P<sign>\*\*|<=|>=|==|!=|[-+*/%<>()&|~,])"
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")
# How tightly an operator binds, and the function that it is.
_BINARY: Final = {
    "or": (1, "or"), "and": (2, "and"), **{sign: (4, sign) for sign in _COMPARISONS}, "|": (5, "or"),
    "&": (6, "and"), "+": (7, "+"), "-": (7, "-"), "*": (8, "*"), "/": (8, "/"), "%": (8, "%"),
    "**": (10, "**"),
}  # fmt: skip
_NOT, _SIGN = 3, 9
# What other languages write, by what begins it.
_FOREIGN: Final = {
    "^": "a power is x ** y",
    "?": "a choice is if_(condition, yes, no)",
    "=": "a comparison is ==",
    "!": "the opposite is written not",
    "&&": "write and",
    "||": "write or",
    "//": "a whole quotient is floor(a / b)",
    ";": "one formula has one result",
    "[": "a band is written by its name alone",
    ".": "a name has no parts; a number begins with a digit or a point and ends with a digit or a point",
    '"': "a band is written by its name, without quotes",
    "'": "a band is written by its name, without quotes",
}


class FormulaError(ParameterError):
    """A formula cannot be read.

    Args:
        message: One sentence.
        place: Of what is wrong, in characters.
        hint: What to write, or empty.

    Attributes:
        offset: Where it begins in the text.
        length: How long it is.
        hint: What to write, or empty.
    """

    def __init__(self, message: str, place: Place | None = None, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.offset, self.length = place or Place()
        self.hint = hint


class TooManyTermsError(FormulaError):
    """A formula has more terms than any may have."""


class _Token(NamedTuple):
    kind: str  # number, name, sign, end
    text: str
    place: Place


def parse_formula(text: str) -> Node:
    """Read a formula.

    Args:
        text: At most `LONGEST` characters, and `MOST_NODES` terms.

    Raises:
        FormulaError: If it is none, saying where and what to write.
    """
    if len(text) > LONGEST:
        raise FormulaError(
            f"the formula has {len(text)} characters, more than {LONGEST}", Place(0, len(text))
        )
    if not text.strip():
        raise FormulaError("the formula is empty", Place(0, len(text)))
    return _Parser(text).read()


def short(text: str) -> str:
    """Text for a message."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def check_call(function: str, arguments: tuple[Node, ...], place: Place) -> None:
    """Refuse a call of a function that there is not, or with arguments that it does not take.

    Raises:
        FormulaError: Saying which there are.
    """
    known = FUNCTIONS.get(function)
    if known is None:
        near = nearest(function, [*FUNCTIONS, *ALIASES])
        names = ", ".join(name for name in FUNCTIONS if name.isidentifier())
        raise FormulaError(
            f"{short(function)} calls an unknown function",
            place, f"did you mean {near}?" if near else f"functions are {names}",
        )  # fmt: skip
    least, most = known.counts
    if not least <= len(arguments) <= most:
        words = f"{least}" if least == most else f"{least} to {most}"
        hint = "it is the power of decibels, and x to the y is x ** y" if function == "lin" else ""
        plural = "" if words == "1" else "s"
        raise FormulaError(f"{function} takes {words} argument{plural}, not {len(arguments)}", place, hint)
    if known.spatial:
        radius = arguments[1]
        if not isinstance(radius, Number) or radius.value not in range(1, RADIUS + 1):
            raise FormulaError(
                f"the radius of {function} is not a whole number from 1 to {RADIUS}",
                radius.place, f"write it as in {function}(x, 2)",
            )  # fmt: skip


class _Parser:
    """Reads one text; see `parse_formula`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._next = 0
        self._nodes = 0
        self._depth = 0
        self._bare_logic: set[int] = set()  # of & and |, without parentheses around

    def read(self) -> Node:
        node = self._expression(0)
        token = self._tokens[self._next]
        if token.kind != "end":
            hint = "" if token.text != "," else "commas stand between the arguments of a function"
            raise FormulaError(f"{short(token.text)} is not expected here", token.place, hint)
        return node

    def _split(self) -> list[_Token]:
        tokens, at = list[_Token](), 0
        while True:
            match = _SPACE.match(self._text, at)
            at = match.end() if match else at
            if at == len(self._text):
                tokens.append(_Token("end", "", Place(at, 0)))
                return tokens
            found = _WORD.match(self._text, at)
            if not found or self._text[at : at + 2] in _FOREIGN:
                raise self._unreadable(at)
            tokens.append(_Token(str(found.lastgroup), found.group(), Place(at, found.end() - at)))
            at = found.end()

    def _unreadable(self, at: int) -> FormulaError:
        pair = self._text[at : at + 2]
        sign = pair if pair in _FOREIGN else pair[0]
        if sign[0].isdigit():
            sign = (re.compile(r"[\w.]+").match(self._text, at) or [sign])[0]
            hint = "a number is written as 12, 0.5 or 1e-4, and a name does not begin with a digit"
        else:
            hint = _FOREIGN.get(sign, "use names of bands, numbers, + - * / % **, comparisons, and, or, not")
        return FormulaError(f"{short(sign)} has no place in a formula", Place(at, len(sign)), hint)

    def _expression(self, binding: int) -> Node:
        self._depth += 1
        token = self._tokens[self._next]
        if self._depth > _DEEPEST:
            raise FormulaError(
                f"the formula is nested deeper than {_DEEPEST}", token.place, "split it into steps"
            )
        left = self._operand()
        while True:
            token = self._tokens[self._next]
            tightness, function = _BINARY.get(token.text, (0, ""))
            if not function or tightness <= binding:
                break
            if token.text in _COMPARISONS:
                left = self._comparisons(left)
                continue
            self._next += 1
            right = self._expression(_SIGN - 1 if token.text == "**" else tightness)
            left = self._call(function, (left, right), left.place.offset)
            if token.text in "&|":
                self._bare_logic.add(id(left))
        self._depth -= 1
        return left

    def _comparisons(self, left: Node) -> Node:
        """One comparison, or several in a chain: `a < b < c` is `a < b and b < c`."""
        start, found = left.place.offset, list[Node]()
        while (token := self._tokens[self._next]).text in _COMPARISONS:
            self._next += 1
            right = self._expression(4)
            for side in (left, right):
                if id(side) in self._bare_logic:
                    raise FormulaError(
                        f"{short(self._source(side.place))} is compared as a whole, since & and | bind "
                        "tighter than comparisons", side.place,
                        "put each comparison in parentheses, or write and, or",
                    )  # fmt: skip
            found.append(self._call(token.text, (left, right), left.place.offset))
            left = right
        chain = found[0]
        for each in found[1:]:
            chain = self._call("and", (chain, each), start)
        return chain

    def _operand(self) -> Node:  # noqa: PLR0911 - one for each kind
        token = self._take()
        match token:
            case (_, "not", _):
                return self._call("not", (self._expression(_NOT - 1),), token.place.offset)
            case (_, "~", _):
                return self._call("not", (self._expression(_SIGN - 1),), token.place.offset)
            case (_, "+", _):
                return self._expression(_SIGN - 1)
            case (_, "-", _):
                return self._negation(token)
            case (_, "(", _):
                node = self._expression(0)
                self._close(token)
                self._bare_logic.discard(id(node))
                return node
            case ("number", _, _):
                return self._number(token)
            case ("name", text, _) if text not in ("and", "or"):
                return self._name(token)
        what = (
            "the formula ends too early"
            if token.kind == "end"
            else f"{short(token.text)} is not expected here"
        )
        raise FormulaError(what, token.place, "a name, a number or a parenthesis is expected")

    def _negation(self, sign: _Token) -> Node:
        after = self._tokens[self._next]
        node = self._expression(_SIGN - 1)
        if isinstance(node, Number) and node.place == after.place and after.kind == "number":
            return Number(-node.value, self._span(sign.place.offset))
        return self._call("-", (node,), sign.place.offset)

    def _number(self, token: _Token) -> Number:
        value = float(token.text)
        if value >= GREATEST:
            raise FormulaError(
                f"{short(token.text)} is too large", token.place, f"numbers are below {GREATEST:g}"
            )
        self._count(token.place)
        return Number(value, token.place)

    def _name(self, token: _Token) -> Node:
        opening = self._tokens[self._next]
        if opening.text != "(":
            self._count(token.place)
            return Name(token.text, token.place)
        self._next += 1
        arguments = list[Node]()
        while self._tokens[self._next].text != ")":
            arguments.append(self._expression(0))
            if self._tokens[self._next].text != ",":
                break
            self._next += 1
        self._close(opening)
        function = ALIASES.get(token.text, token.text)
        check_call(function, tuple(arguments), self._span(token.place.offset))
        return self._call(function, tuple(arguments), token.place.offset)

    def _close(self, opening: _Token) -> None:
        token = self._take()
        if token.text != ")":
            what = "the formula ends" if token.kind == "end" else f"{short(token.text)} stands"
            raise FormulaError(f"{what} where a parenthesis is still open", opening.place, "close it with )")

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _call(self, function: str, arguments: tuple[Node, ...], start: int) -> Call:
        place = self._span(start)
        self._count(place)
        return Call(function, arguments, place)

    def _count(self, place: Place) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise TooManyTermsError(
                f"the formula has more than {MOST_NODES} terms", place, "split it into steps"
            )

    def _span(self, start: int) -> Place:
        """From a place to the end of what has been read."""
        last = self._tokens[self._next - 1].place
        return Place(start, last.offset + last.length - start)

    def _source(self, place: Place) -> str:
        return self._text[place.offset : place.offset + place.length]
