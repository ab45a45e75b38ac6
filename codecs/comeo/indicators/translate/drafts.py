"""A document made of what a reader of another language has found."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import tomli_w

from comeo.indicators.document import Document
from comeo.indicators.translate.common import NEVER, TranslationError, names_of
from comeo.indicators.translate.folding import fold
from comeo.indicators.translate.lifting import lift
from comeo.indicators.tree import Call, Node, Number, to_text, walk

VERSION: Final = "1.0.0"
LONG: Final = 60
"""Terms from which what stands several times in formulas becomes a step."""


@dataclass(slots=True)
class Draft:
    """What a reader has found, on the way to a document.

    Attributes:
        results: One formula a result, of bands' own names.
        valid: Where there is a value.
        keep: Classes of clear ground whose pixels count; None for all.
        radar: Whether bands are decibels of Sentinel-1.
        fields: More fields of the document, as `display`.
        left_out: What of the other language the document does not say, a sentence each.
    """

    results: list[Node]
    valid: Node | None = None
    keep: list[str] | None = None
    radar: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Imported:
    """A document from another language.

    Attributes:
        document: The document; without tests, which nobody but its author can give.
        left_out: What it does not say, a sentence each.
    """

    document: Document
    left_out: tuple[str, ...]


def finish(draft: Draft, identity: str, title: str) -> Imported:
    """The document of a draft.

    Raises:
        comeo.indicators.problems.DocumentError: If it is not valid.
        TranslationError: If it names no band.
    """
    limits: list[float] | None = None
    if len(draft.results) == 1:
        draft.results[0], draft.valid, limits = split(draft.results[0], draft.valid)
    trees = [*draft.results, *([draft.valid] if draft.valid is not None else [])]
    bands = names_of(trees)
    if not bands:
        raise TranslationError("no band is named; write formulas of bands, as (B08 - B04) / (B08 + B04)")
    source: dict[str, Any] = {
        "constellation": "sentinel-1" if draft.radar else "sentinel-2",
        "bands": {name: name for name in bands},
    }
    if draft.keep is not None:
        source["mask"] = {"keep": draft.keep}
    steps = dict[str, str]()
    if sum(1 for tree in trees for _ in islice(walk(tree), LONG)) >= LONG:
        prefix = next(
            each for each in ("step", "part", "term") if not any(name.startswith(each) for name in bands)
        )
        named, trees = lift(trees, prefix)
        steps = {name: to_text(each) for name, each in named}
    texts = [to_text(each) for each in trees]
    value: dict[str, Any] = {}
    if draft.valid is not None:
        value["valid"] = texts.pop()
    value["formula"] = texts[0] if len(texts) == 1 else texts
    if limits:
        value["range"] = limits
    let = {"let": steps} if steps else {}
    document = Document.model_validate(
        {
            "pof": 1, "id": slug(identity), "version": VERSION, "title": {"en": title or identity},
            "inputs": {"s1" if draft.radar else "s2": source}, **let, "value": value, **draft.fields,
        }
    )  # fmt: skip
    return Imported(document, tuple(draft.left_out))


def split(value: Node, valid: Node | None) -> tuple[Node, Node | None, list[float] | None]:
    """A value without the conditions around it: what is never is not valid, and bounds are the range."""
    conditions = [] if valid is None else [valid]
    limits: list[float] | None = None
    if valid == Call("isvalid", (value,)):
        conditions = []
    while (found := _condition(value)) is not None:
        inner, shown = found
        match shown:
            case Call(function="isvalid", arguments=(same,)) if same == inner:
                pass
            case Call(
                function="and",
                arguments=(
                    Call(function=">=", arguments=(same, Number(value=low))),
                    Call(function="<=", arguments=(also, Number(value=high))),
                ),
            ) if same == also == inner and limits is None and low < high:
                limits = [low, high]
            case _:
                conditions.append(shown)
        value = inner
    whole: Node | None = None
    for each in conditions:
        whole = each if whole is None else Call("and", (whole, each))
    return value, whole, limits


def _condition(value: Node) -> tuple[Node, Node] | None:
    """What is within a condition, and the condition: of a choice of nothing, or of a division by 0 or 1."""
    match value:
        case Call(function="if_", arguments=(condition, yes, no)) if no == NEVER:
            return yes, condition
        case Call(function="if_", arguments=(condition, yes, no)) if yes == NEVER:
            return no, fold("not", condition)
        case Call(
            function="/",
            arguments=(
                inner,
                Call(function="if_", arguments=(condition, Number(value=1.0), Number(value=0.0))),
            ),
        ):
            return inner, condition
    return None


def slug(text: str) -> str:
    """An id for a document, of a name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-") or "imported"


def to_toml(document: Document) -> str:
    """A document as TOML."""
    fields = document.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return tomli_w.dumps(fields)
