"""What all translations share: their refusals, names of bands, and masks by Sen2Cor's classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from comeo.errors import ParameterError
from comeo.indicators.document import Document, unit_of
from comeo.indicators.formula import FUNCTIONS, evaluate
from comeo.indicators.model import Input, Mask
from comeo.indicators.tree import Call, Name, Node, Number, walk
from comeo.missions import clear, sentinel2

NEVER: Node = Call("sqrt", (Number(-1.0),))
"""A formula that has no value."""


class TranslationError(ParameterError):
    """Something cannot be said in the other language.

    Args:
        message: One sentence without its beginning.
        line: In the text that is translated, from 1; 0 where there is none.

    Attributes:
        line: Likewise.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


def names_of(trees: Sequence[Node]) -> list[str]:
    """Names in formulas, in order of appearance; what formulas share is looked at once."""
    found: dict[str, None] = {}
    seen = set[int]()
    waiting = list(reversed(trees))
    while waiting:
        each = waiting.pop()
        if isinstance(each, Name):
            found[each.name] = None
        elif isinstance(each, Call) and id(each) not in seen:
            seen.add(id(each))
            waiting.extend(reversed(each.arguments))
    return list(found)


def single_input(document: Document, language: str) -> Input:
    """The document's only input.

    Raises:
        TranslationError: If it has several.
    """
    if len(document.inputs) > 1:
        raise TranslationError(f"{language} takes one scene here, and {document.id} needs several")
    return next(iter(document.inputs.values()))


def is_radar(document: Document) -> bool:
    """Whether the document's bands are decibels."""
    return unit_of(next(iter(document.inputs.values()))) == "dB"


def first_bands(document: Document) -> dict[str, str]:
    """The first band that each name may stand for.

    Raises:
        TranslationError: If it is a common name of several bands, or of none.
    """
    return {name: own_band(choices[0], is_radar(document)) for name, (_, choices) in document.bands.items()}


def own_band(text: str, radar: bool) -> str:
    """The instrument's own name of a band: `B08` of `nir` and `B8`, `VV` of `vv`.

    Raises:
        TranslationError: If there is no such band.
    """
    if radar:
        found = re.search(r"(?:^|[^A-Z])([VH][VH])(?![A-Z])", text.upper())
        name = found.group(1) if found else None
    else:
        name = sentinel2.band_name(text)
    if name is None:
        raise TranslationError(f"{text[:60]!r} is no band of {'Sentinel-1' if radar else 'Sentinel-2'}")
    return name


def refuse_unsaid(document: Document, language: str, *, temporal: bool = False, mask: bool = False) -> None:
    """Refuse to write a document whose parts the other language has no words for.

    Args:
        document: Which.
        language: Name of the other language.
        temporal: Whether it has combination in time.
        mask: Whether it has classes of clear ground.

    Raises:
        TranslationError: Naming the part.
    """
    source = single_input(document, language)
    if document.reference_period is not None:
        raise TranslationError(f"{language} has no reference_period; take it out of {document.id}")
    if document.temporal is not None and not temporal:
        raise TranslationError(f"{language} has no combination in time; take temporal out of {document.id}")
    if source.mask is not None and not mask:
        raise TranslationError(f"{language} knows no classes of clear ground; take mask out of {document.id}")
    if source.mask is not None and (source.mask.buffer_m or source.mask.max_cloud_nearby is not None):
        raise TranslationError(
            f"{language} looks at one pixel at a time; take buffer_m and max_cloud_nearby out of the mask of "
            f"{document.id}"
        )
    for tree in [*document.formulas, *([document.validity] if document.validity is not None else [])]:
        for each in walk(tree):
            if isinstance(each, Call) and FUNCTIONS[each.function].spatial:
                raise TranslationError(f"{language} has no function {each.function}, which looks at windows")


def codes_kept(mask: Mask) -> list[int]:
    """The classes of Sen2Cor's scene classification whose pixels a mask keeps."""
    kept = set(clear.ClearMask.of(mask.keep).numbers)
    table = sentinel2.CLASSES.clear
    return [code for code, number in enumerate(table) if number in kept]


def words_kept(kept: Sequence[int], line: int = 0) -> list[str]:
    """The classes of clear ground that are those of Sen2Cor.

    Raises:
        TranslationError: If some codes of a class are kept, and others are not.
    """
    table = sentinel2.CLASSES.clear
    words = list[str]()
    for each in clear.CLASSES:
        codes = {code for code, number in enumerate(table) if number == each.number}
        if codes <= set(kept):
            words.append(each.name)
        elif codes & set(kept):
            raise TranslationError(
                f"SCL {_listed(codes & set(kept))} is kept and {_listed(codes - set(kept))} is not, and "
                f"archives know both as {each.name} alone; keep all of {_listed(codes)}, or none",
                line,
            )
    if not words:
        raise TranslationError("the mask by SCL keeps no class of clear ground", line)
    return words


def codes_where(condition: Node) -> list[int]:
    """The codes of `SCL`, 0 to 11, for which a condition of it alone is true."""
    codes = np.arange(len(sentinel2.CLASSES.clear), dtype=np.float32)[None]
    truth = evaluate(condition, {"SCL": codes, "dataMask": np.float32(1)}, codes.shape)
    return [int(code) for code in np.flatnonzero(np.nan_to_num(truth[0]))]


def renamed(node: Node, meanings: Mapping[str, Node]) -> Node:
    """A formula with names replaced, and decibels of powers of decibels undone; what is shared stays so."""
    done: dict[int, Node] = {}

    def of(node: Node) -> Node:
        match node:
            case Name(name=name):
                return meanings.get(name, node)
            case Call(function=function, arguments=arguments):
                if id(node) not in done:
                    done[id(node)] = called(function, *map(of, arguments))
                return done[id(node)]
        return node

    return of(node)


def called(function: str, *arguments: Node) -> Node:
    """A call; decibels of a power of decibels, however they are written, are these decibels."""
    match function, arguments:
        case "db", (Call(function="lin", arguments=(decibels,)),):
            return decibels
        case "*", (Number(value=10.0), Call(function="log10", arguments=(Call(function="lin") as power,))):
            return power.arguments[0]
    return Call(function, arguments)


def _listed(codes: set[int]) -> str:
    return ", ".join(map(str, sorted(codes)))
