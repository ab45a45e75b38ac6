"""What is wrong with a document: where, and what to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from comeo.errors import ParameterError
from comeo.indicators.parsing import FormulaError
from comeo.indicators.typos import nearest

MOST: Final = 20
"""Problems of fields that are told at once."""
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: Of the field, as `inputs.s2.bands` and `classes[0].color`; empty for the document itself.
        message: One sentence.
        line: In the text, from 1; 0 where it is unknown.
        offset: Of what is wrong in a formula, in characters.
        length: Of it; 0 where the whole field is meant.
        hint: What to write, or empty.
    """

    path: str
    message: str
    line: int = 0
    offset: int = 0
    length: int = 0
    hint: str = ""

    def __str__(self) -> str:
        where = f"line {self.line}, {self.path}" if self.line and self.path else self.path
        where = where or (f"line {self.line}" if self.line else "")
        return f"{where}: {self.message}" if where else self.message


class DocumentError(ParameterError):
    """A document is not valid.

    Attributes:
        problems: All that is wrong, as far as it can be told at once; at least one.
        path: Of the first, likewise `line`, `offset`, `length` and `hint`.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = tuple(problems)
        first = problems[0]
        self.path, self.line, self.hint = first.path, first.line, first.hint
        self.offset, self.length = first.offset, first.length


def path_text(path: Iterable[str | int]) -> str:
    """A path as text: `classes[0].color`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def of_formula(path: str, error: FormulaError) -> Problem:
    """What is wrong with a formula of a document."""
    return Problem(path, str(error), 0, error.offset, error.length, error.hint)


def with_lines(problems: Iterable[Problem], lines: Mapping[str, int]) -> list[Problem]:
    """Problems with the line of their field, or of the next one around it."""

    def line_of(path: str) -> int:
        while path and path not in lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return lines.get(path, 0)

    return [replace(each, line=each.line or line_of(each.path)) for each in problems]


def of_validation(error: ValidationError, value: Any, model: type[BaseModel]) -> list[Problem]:
    """What pydantic found wrong, one problem a field."""
    found: dict[str, Problem] = {}
    for each in error.errors(include_url=False, include_context=True, include_input=False):
        path = _path(each["loc"], value, missing=each["type"] == "missing")
        text = path_text(path)
        if text not in found:
            found[text] = _problem(text, path, each["type"], each["msg"], model)
        if len(found) == MOST:
            break
    return list(found.values())


def _problem(text: str, path: Path, kind: str, message: str, model: type[BaseModel]) -> Problem:
    if kind == "missing":
        return Problem(text, "this field is missing")
    if kind == "extra_forbidden":
        near = nearest(str(path[-1]), _field_names(model))
        hint = f"did you mean {near}?" if near else "leave it out"
        return Problem(text, f"there is no such field; {hint}", hint=hint)
    words = message.removeprefix("Value error, ").replace("Input should", "it should")
    return Problem(text, words[0].lower() + words[1:])


@lru_cache(maxsize=4)
def _field_names(model: type[BaseModel]) -> list[str]:
    """Names of the fields of a model and of the models in it."""
    names = list[str]()
    for definition in [(schema := model.model_json_schema()), *schema.get("$defs", {}).values()]:
        names.extend(definition.get("properties", {}))
    return names


def _path(location: Sequence[Any], value: Any, *, missing: bool) -> Path:
    """Pydantic's location without the names of alternatives, which are no parts of the document."""
    path = list[str | int]()
    for part in location:
        member = isinstance(value, Mapping) and isinstance(part, str) and part in value
        if member or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            value = value[part]
            path.append(part)
    if missing and location:
        path.append(location[-1])
    return tuple(path)
