"""Indicators as documents (POF): read, checked as a whole, and written in one form."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal, Self

import rfc8785
from pydantic import PrivateAttr, ValidationError, model_validator

from comeo.decibel import DECIBEL
from comeo.errors import ParameterError
from comeo.indicators.checks import cross_problems
from comeo.indicators.formula import FormulaError, cost, names, parse_formula
from comeo.indicators.levels import check_decibels
from comeo.indicators.lines import json_lines, toml_lines
from comeo.indicators.model import Fields, Input
from comeo.indicators.problems import DocumentError, Problem, of_formula, of_validation, with_lines
from comeo.indicators.steps import expand
from comeo.indicators.tree import Node

MOST_BYTES: Final = 64 * 1024
MOST_MEMBERS: Final = 2000
"""Fields, elements and values of a document, all together."""
MOST_TESTED: Final = 100_000
"""Terms that all tests compute together: one to two seconds."""
MOST_LINES: Final = 2000
"""Lines of a document in TOML."""
MEDIA_TYPE: Final = "application/vnd.comeo.pof+json"
_PARTS: Final = 16
_KEY: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]{0,200}"|'[^'\n]{0,200}')"""
_MANY_PARTS: Final = re.compile(rf"(?:^|[{{,\[])[ \t]*(?:{_KEY}[ \t]*\.[ \t]*){{{_PARTS}}}", re.MULTILINE)
Form = Literal["toml", "json"]


class Document(Fields):
    """An indicator.

    Constructed of the fields of `comeo.indicators.model.Fields`; immutable.

    Raises:
        DocumentError: If its parts do not fit together.
        pydantic.ValidationError: If a field is not valid by itself.
    """

    _formulas: tuple[Node, ...] = PrivateAttr(())
    _valid: Node | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _compile(self) -> Self:
        problems = list[Problem]()
        steps = _parsed({f"let.{name}": text for name, text in self.let.items()}, problems)
        texts = self.formula_texts
        formulas = _parsed(texts, problems)
        problems.extend(cross_problems(self, {**steps, **formulas}))
        if problems:
            raise DocumentError(problems)
        try:
            whole = expand({path.removeprefix("let."): node for path, node in steps.items()}, formulas)
        except FormulaError as error:
            raise DocumentError([of_formula("let", error)]) from error
        self._valid = whole.pop("value.valid", None)
        self._formulas = tuple(whole.values())
        self._check_decibels()
        self._check_work()
        if not any(names(each) for each in self._formulas):
            raise DocumentError([Problem("value.formula", "the formula names no band")])
        return self

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.fingerprint == other.fingerprint

    @property
    def formula_texts(self) -> dict[str, str]:
        """The formulas of the value, and its condition last, by their paths."""
        formula = self.value.formula
        if isinstance(formula, str):
            texts = {"value.formula": formula}
        else:
            texts = {f"value.formula[{index}]": text for index, text in enumerate(formula)}
        return texts if self.value.valid is None else {**texts, "value.valid": self.value.valid}

    def _check_decibels(self) -> None:
        decibels = {name for name, (source, _) in self.bands.items() if unit_of(source) == DECIBEL}
        try:
            check_decibels([*self._formulas, *([] if self._valid is None else [self._valid])], decibels)
        except ParameterError as error:
            raise DocumentError([Problem("value.formula", str(error))]) from error

    def _check_work(self) -> None:
        """Refuse tests that take long: they are run whenever somebody asks what is wrong with a document."""
        terms = sum(map(cost, [*self._formulas, *([] if self._valid is None else [self._valid])]))
        if len(self.tests) * terms > MOST_TESTED:
            work = f"{len(self.tests)} tests of {terms} terms are more than {MOST_TESTED} terms in all"
            raise DocumentError([Problem("tests", f"{work}; give fewer tests, or a shorter formula")])

    @property
    def formulas(self) -> tuple[Node, ...]:
        """The formula of each result, of names of bands alone: all steps are put in."""
        return self._formulas

    @property
    def validity(self) -> Node | None:
        """Where there is a value; of names of bands alone."""
        return self._valid

    @property
    def bands(self) -> dict[str, tuple[Input, tuple[str, ...]]]:
        """Of each name of a band its input, and the bands that it may stand for, the first one first."""
        return {
            name: (each, (bands,) if isinstance(bands, str) else tuple(bands))
            for each in self.inputs.values()
            for name, bands in each.bands.items()
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the document in its canonical form, in hexadecimal digits."""
        return hashlib.sha256(canonical(self)).hexdigest()

    def title_in(self, language: str) -> str:
        """The title in a language, else in English, else in the first one that there is."""
        return text_in(self.title, language)


def text_in(texts: Mapping[str, str], language: str) -> str:
    """Text in a language (`pt-BR` falls back on `pt`), else in English, else the first that there is."""
    for each in (language, language.partition("-")[0], "en"):
        if each in texts:
            return texts[each]
    return next(iter(texts.values()))


def unit_of(source: Input) -> str:
    """Unit of an input's bands: as stated, else that of its constellation; reflectance if it states none."""
    if source.unit:
        return source.unit
    radar = source.constellation == "sentinel-1" or (source.collection or "").startswith("sentinel-1")
    return DECIBEL if radar else "reflectance"


def read_document(data: bytes, form: Form) -> Document:
    """Read a document.

    Args:
        data: Its text in UTF-8, at most `MOST_BYTES`.
        form: In which it is written.

    Raises:
        DocumentError: If it is none, with path and line of all that is wrong.
    """
    if len(data) > MOST_BYTES:
        raise DocumentError([Problem("", f"the document has {len(data)} bytes, more than {MOST_BYTES}")])
    text = _decoded(data)
    value = _parsed_toml(text) if form == "toml" else _parsed_json(text)
    try:
        return _validated(value)
    except DocumentError as error:
        if not any(each.path for each in error.problems):
            raise
        lines = toml_lines(text) if form == "toml" else json_lines(text)
        raise DocumentError(with_lines(error.problems, lines)) from error


def canonical(document: Document) -> bytes:
    """The document in one form: JSON of the fields that it states, by RFC 8785."""
    return rfc8785.dumps(document.model_dump(mode="json", by_alias=True, exclude_unset=True))


def fingerprint(document: Document) -> str:
    """SHA-256 of the canonical form, in hexadecimal digits."""
    return document.fingerprint


def _validated(value: Any) -> Document:
    if not isinstance(value, dict):
        raise DocumentError([Problem("", "a document is a table of fields, which begins with pof = 1")])
    if _members(value) > MOST_MEMBERS:
        raise DocumentError([Problem("", f"the document has more than {MOST_MEMBERS} fields and elements")])
    try:
        return Document.model_validate(value)
    except ValidationError as error:
        raise DocumentError(of_validation(error, value, Fields)) from error
    except RecursionError as error:
        raise DocumentError([Problem("", "the document is nested too deep")]) from error


def _members(value: Any) -> int:
    count, waiting = 0, [value]
    while waiting and count <= MOST_MEMBERS:
        each = waiting.pop()
        if isinstance(each, (dict, list)):
            count += len(each)
            waiting.extend(each.values() if isinstance(each, dict) else each)
    return count


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DocumentError([Problem("", f"byte {error.start} is not text in UTF-8", line)]) from error


def _parsed_toml(text: str) -> Any:
    if (lines := text.count("\n")) > MOST_LINES:  # so that no document takes long to be read
        raise DocumentError([Problem("", f"the document has {lines} lines, more than {MOST_LINES}")])
    if match := _MANY_PARTS.search(text):  # which take the square of their number
        line = text.count("\n", 0, match.end()) + 1
        raise DocumentError([Problem("", f"a name has more than {_PARTS} parts", line)])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DocumentError([Problem("", f"this is not TOML: {error}")]) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets in brackets
        raise DocumentError([Problem("", f"this is not TOML that is accepted here: {error}")]) from error


def _parsed_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refused_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise DocumentError([Problem("", f"this is not JSON: {error.msg}", error.lineno)]) from error
    except (ValueError, RecursionError) as error:
        raise DocumentError([Problem("", f"this is not JSON that is accepted here: {error}")]) from error


def _refused_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has two members of one name")
    return found


def _parsed(texts: Mapping[str, str], problems: list[Problem]) -> dict[str, Node]:
    """Formulas by their paths; what is wrong with others goes to the problems."""
    found: dict[str, Node] = {}
    for path, text in texts.items():
        try:
            found[path] = parse_formula(text)
        except FormulaError as error:
            problems.append(of_formula(path, error))
    return found
