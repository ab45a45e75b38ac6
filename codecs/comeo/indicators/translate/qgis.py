"""Formulas as text: of QGIS's raster calculator, of SNAP's band maths, and of `gdal raster calc`.

QGIS calls a band by its layer and number (`"scene@1"`), SNAP by its name, and GDAL by a letter that the
command gives to a file. None of them has steps or validity; a value that is not valid is divided by 0, which
QGIS and SNAP make a pixel without data of, and GDAL a number that is none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Final, Literal

from comeo.indicators.document import Document
from comeo.indicators.formula import FUNCTIONS, names
from comeo.indicators.parsing import FormulaError, check_call
from comeo.indicators.steps import put_in
from comeo.indicators.translate.common import (
    NEVER,
    TranslationError,
    called,
    first_bands,
    own_band,
    refuse_unsaid,
)
from comeo.indicators.translate.dialect import INFIX, Dialect
from comeo.indicators.translate.drafts import Draft, Imported, finish
from comeo.indicators.translate.infix import Grammar, read
from comeo.indicators.tree import Call, Name, Node, Number, Place

Program = Literal["qgis", "snap", "gdal"]
_POWER_OF_10: Final = {"db": "(10 * log10({0}))"}
_C_LOGIC: Final = {
    "==": "({0} == {1})", "!=": "({0} != {1})", "and": "({0} && {1})", "or": "({0} || {1})",
    "if_": "({0} ? {1} : {2})",
}  # fmt: skip
_CALLS: Final = {name: f"{name}({{0}})" for name in ("abs", "sqrt", "exp", "log10", "sin", "cos", "tan")}
DIALECTS: Final[Mapping[Program, Dialect]] = {
    "qgis": Dialect(
        "QGIS",
        {
            **INFIX, **_POWER_OF_10, **{name: text for name, text in _CALLS.items() if name != "exp"},
            "**": "({0} ^ {1})", "==": "({0} = {1})", "!=": "({0} != {1})", "and": "({0} AND {1})",
            "or": "({0} OR {1})", "not": "({0} = 0)", "if_": "if({0}, {1}, {2})", "log": "ln({0})",
            "exp": "(2.718281828459045 ^ {0})", "arctan": "atan({0})", "lin": "(10 ^ ({0} / 10))",
            "tanh": "(1 - 2 / (2.718281828459045 ^ (2 * {0}) + 1))", "min": "min({0}, {1})",
            "max": "max({0}, {1})", "clip": "min(max({0}, {1}), {2})",
        },
    ),
    "snap": Dialect(
        "SNAP",
        {
            **INFIX, **_POWER_OF_10, **_C_LOGIC, **_CALLS, "**": "pow({0}, {1})", "not": "(!{0})",
            "log": "log({0})", "arctan": "atan({0})", "atan2": "atan2({0}, {1})", "tanh": "tanh({0})",
            "floor": "floor({0})", "min": "min({0}, {1})", "max": "max({0}, {1})",
            "clip": "min(max({0}, {1}), {2})", "lin": "pow(10, {0} / 10)", "isvalid": "(!nan({0}))",
        },
    ),
    "gdal": Dialect(
        "gdal raster calc",
        {
            **INFIX, **_POWER_OF_10, **_C_LOGIC, **_CALLS, "**": "({0} ^ {1})", "not": "({0} == 0)",
            "log": "ln({0})", "arctan": "atan({0})", "atan2": "atan2({0}, {1})", "tanh": "tanh({0})",
            "min": "min({0}, {1})", "max": "max({0}, {1})", "clip": "min(max({0}, {1}), {2})",
            "lin": "(10 ^ ({0} / 10))",
        },
    ),
}  # fmt: skip

_SIGNS: Final = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
GRAMMARS: Final = {
    # As in QGIS's grammar, where a sign binds tighter than a power, and AND looser than OR.
    "qgis": Grammar(
        "QGIS",
        {
            "and": (1, "and"), "or": (2, "or"), "!=": (3, "!="), ">=": (4, ">="), "<=": (5, "<="),
            "=": (6, "=="), "<": (6, "<"), ">": (6, ">"), "+": (7, "+"), "-": (7, "-"), "*": (8, "*"),
            "/": (8, "/"), "^": (9, "**"),
        },
        {"-": (10, "-"), "+": (10, "+")}, quoted=True, any_case=True,
    ),
    "snap": Grammar(
        "SNAP",
        {
            "||": (2, "or"), "or": (2, "or"), "&&": (3, "and"), "and": (3, "and"), "==": (4, "=="),
            "!=": (4, "!="), **{sign: (5, name) for sign, name in _SIGNS.items()}, "+": (7, "+"),
            "-": (7, "-"), "*": (8, "*"), "/": (8, "/"), "%": (8, "%"),
        },
        {"-": (10, "-"), "+": (10, "+"), "!": (10, "not"), "not": (10, "not")}, choice=1,
    ),
}  # fmt: skip
_RENAMED: Final = {"ln": "log", "atan": "arctan", "if": "if_"}
_CONSTANTS: Final = {"PI": math.pi, "E": math.e}


def write_text(document: Document, program: Program = "qgis") -> tuple[str, dict[str, str]]:
    """A document's formulas for a program, a line each.

    Returns:
        The text, and what stands in it for each band: `{"B08": '"scene@1"'}`.

    Raises:
        TranslationError: If the program has no words for it.
    """
    dialect = DIALECTS[program]
    refuse_unsaid(document, dialect.title)
    bands = first_bands(document)
    order = list(dict.fromkeys(bands.values()))
    called_so = {band: _reference(program, index, band) for index, band in enumerate(order)}
    meanings: dict[str, Node] = {name: Name(called_so[band]) for name, band in bands.items()}
    lines = [dialect.write(put_in(limited(document, each), meanings)) for each in document.formulas]
    return "\n".join(lines) + "\n", called_so


def limited(document: Document, result: Node) -> Node:
    """A result of a document that is divided by 0 where it is not valid, or beyond the range."""
    conditions = list[Node]()
    if document.validity is not None:
        conditions.append(document.validity)
    if document.value.range is not None:
        low, high = document.value.range
        conditions += [Call(">=", (result, Number(low))), Call("<=", (result, Number(high)))]
    if not conditions:
        return result
    whole = reduce(lambda one, other: Call("and", (one, other)), conditions)
    return Call("/", (result, Call("if_", (whole, Number(1.0), Number(0.0)))))


def read_text(text: str, program: Literal["qgis", "snap"], bands: Sequence[str] = ()) -> Imported:
    """A document of a formula's text.

    Args:
        text: One formula.
        program: Whose.
        bands: What the bands of a layer are, in order, for QGIS's `"scene@1"`.

    Raises:
        TranslationError: If it cannot be read, with its line.
    """
    raw = read(text.strip(), GRAMMARS[program])
    found = names(raw)
    radar = any(re.search(r"(?:^|[^A-Za-z])[VvHh][VvHh](?![A-Za-z])", each) for each in (*found, *bands))
    node = _checked(raw, lambda name: _band(name, program, bands, radar))
    return finish(Draft([node], radar=radar), "imported", f"imported from {GRAMMARS[program].title}")


def _reference(program: Program, index: int, band: str) -> str:
    if program == "qgis":
        return f'"scene@{index + 1}"'
    return band if program == "gdal" else re.sub(r"^B0", "B", band)


def _band(name: str, program: str, bands: Sequence[str], radar: bool) -> Node:
    """What a name of the program stands for."""
    if name.upper() in ("NAN", "PI", "E"):
        return NEVER if name.upper() == "NAN" else Number(_CONSTANTS[name.upper()])
    if program == "qgis":
        layer, _, number = name.partition("@")
        if bands and number.isdecimal():
            if not 1 <= int(number) <= len(bands):
                raise TranslationError(f"{name!r} is band {number}, and {len(bands)} are named by --bands")
            return Name(own_band(bands[int(number) - 1], radar))
        parts = [
            part for part in re.split(r"[_ .]", layer) if re.fullmatch(r"[Bb]\d\d?[Aa]?|[VvHh]{2}", part)
        ]
        if number != "1" or len(parts) != 1:
            raise TranslationError(
                f"{name[:60]!r} does not tell which band it is; name the layer's bands in order, as in "
                "--bands B02,B03,B04"
            )
        return Name(own_band(parts[0], radar))
    band = Name(own_band(name, radar))
    return called("lin", band) if radar and not re.search(r"_d[bB]$", name) else band


def _checked(node: Node, band: Callable[[str], Node]) -> Node:
    """The tree with our names of bands and functions."""
    match node:
        case Name(name=name):
            return band(name)
        case Call(function=function, arguments=raw):
            arguments = tuple(_checked(each, band) for each in raw)
            return _function(function, arguments)
    return node


def _function(function: str, arguments: tuple[Node, ...]) -> Node:
    match _RENAMED.get(function, function), arguments:
        case "pow", (base, power):
            return Call("**", (base, power))
        case "sq", (value,):
            return Call("*", (value, value))
        case "ceil", (value,):
            return Call("-", (Call("floor", (Call("-", (value,)),)),))
        case "nan", (value,):
            return Call("not", (Call("isvalid", (value,)),))
        case name, _:
            if name not in FUNCTIONS or name in ("pow", "lin", "db"):
                raise TranslationError(f"the function {function[:40]} is unknown here")
            try:
                check_call(name, arguments, Place())
            except FormulaError as error:
                raise TranslationError(str(error)) from error
            if name == "*" and Number(10.0) in arguments:
                return _decibels(arguments)
            return Call(name, arguments)
    raise TranslationError(f"the function {function[:40]} is unknown here")


def _decibels(arguments: tuple[Node, ...]) -> Node:
    """10·log10(x), which is the decibels themselves where x is a power of decibels."""
    other = arguments[0] if arguments[1] == Number(10.0) else arguments[1]
    match other:
        case Call(function="log10", arguments=(Call(function="lin") as power,)):
            return called("db", power)
    return Call("*", arguments)
