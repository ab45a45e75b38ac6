"""An indicator for the bands of one scene: what is read, computed and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Final

from comeo.errors import ParameterError
from comeo.indicators.checks import class_names
from comeo.indicators.document import Document, text_in, unit_of
from comeo.indicators.expression import Expression, expression_of
from comeo.indicators.model import Input, ValueClass
from comeo.indicators.steps import put_in
from comeo.indicators.tree import Call, Name, Node, Number, to_text
from comeo.missions.clear import ClearMask
from comeo.missions.map_class import MapClass
from comeo.scene import Band

Range = tuple[float, float]
NOTHING: Final[Node] = Call("sqrt", (Number(-1.0),))
"""No number."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """A document for the bands of one scene.

    Attributes:
        document: Which.
        sources: Bands to read.
        expression: Over the bands' own names, with validity, range and uncertainty.
        mask: Pixels that count; None for all.
    """

    document: Document
    sources: tuple[Band, ...]
    expression: Expression = field(compare=False)
    mask: ClearMask | None = field(default=None, compare=False)

    @property
    def rescale(self) -> tuple[Range, ...]:
        """(least, greatest) to show, of each result; empty if the document says none."""
        display = self.document.display
        if display is None or display.rescale is None:
            return ()
        ranges = display.rescale if isinstance(display.rescale, list) else [display.rescale]
        return tuple(ranges) * (len(self.expression.parts) if len(ranges) == 1 else 1)

    @property
    def colormap(self) -> str | None:
        """Palette of a single result; None is grey."""
        return self.document.display.colormap if self.document.display else None

    def classed(self) -> Expression:
        """The number of the class, from 0, of each value; nothing where it is in none.

        Where the values are these numbers already, as those of decisions are, it is the value's own
        expression.

        Raises:
            ParameterError: If the document has no classes.
        """
        if not self.document.classes:
            raise ParameterError(f"{self.document.id} has no classes")
        if [each.value for each in self.document.classes] == list(range(len(self.document.classes))):
            return self.expression
        (value,) = self.expression.parts
        limits = self.expression.range
        kept = value if limits is None else _within(value, limits)
        classes = class_tree(kept, self.document.classes)
        return expression_of((classes,), self.document.id, self.expression.valid)


def compile_for(document: Document, bands: Sequence[Band], collection: str = "") -> Indicator:
    """An indicator for a scene with these bands.

    Args:
        document: The indicator.
        bands: All bands of the scene.
        collection: Of the scene, where it is known.

    Raises:
        ParameterError: If the scene is not one of those that the document is for, or lacks bands.
    """
    if len(document.inputs) > 1:
        raise ParameterError(
            f"{document.id} needs {len(document.inputs)} scenes, {', '.join(document.inputs)}, and this is "
            "one; choose an indicator of a single input"
        )
    (source,) = document.inputs.values()
    if source.collection and collection and source.collection != collection:
        raise ParameterError(f"{document.id} is for scenes of {source.collection}, not of {collection}")
    chosen = {name: _choose(document, source, each, bands) for name, (_, each) in document.bands.items()}
    whole = bound(document, {name: Name(band.name) for name, band in chosen.items()})
    by_name = {band.name: band for band in chosen.values()}
    return Indicator(document, tuple(by_name[name] for name in whole.bands), whole, _mask(source))


def expression_of_document(document: Document) -> Expression:
    """The document's expression over the names that it gives to bands."""
    return bound(document, {})


def bound(document: Document, meanings: Mapping[str, Node]) -> Expression:
    """The document's expression, with its names of bands replaced."""
    parts = [put_in(each, meanings) for each in document.formulas]
    valid = None if document.validity is None else put_in(document.validity, meanings)
    text = ";".join(map(to_text, parts))
    return expression_of(parts, text, valid, document.value.range, document.value.floor_uncertainty)


def class_tree(value: Node, classes: Sequence[ValueClass]) -> Node:
    """The number of the class that a value lies in, from 0; not a number where it lies in none."""

    def choose(otherwise: Node, numbered: tuple[int, ValueClass]) -> Node:
        index, each = numbered
        return Call(
            "if_", (_inside(value, each, last=index == len(classes) - 1), Number(float(index)), otherwise)
        )

    return reduce(choose, reversed(list(enumerate(classes))), NOTHING)


def map_classes(document: Document, language: str = "en") -> tuple[MapClass, ...]:
    """The classes of a document by their numbers, with titles in a language."""
    names = class_names(document.classes)
    return tuple(
        MapClass(index, name, text_in(each.title, language), _colour(each.color))
        for index, (name, each) in enumerate(zip(names, document.classes, strict=True))
    )


def _within(value: Node, limits: Range) -> Node:
    """The value, nothing where it is beyond limits."""
    inside = Call("and", (Call(">=", (value, Number(limits[0]))), Call("<=", (value, Number(limits[1])))))
    return Call("if_", (inside, value, NOTHING))


def _inside(value: Node, each: ValueClass, *, last: bool) -> Node:
    if each.value is not None:
        return Call("==", (value, Number(each.value)))
    tests = list[Node]()
    if each.from_ is not None:
        tests.append(Call(">=", (value, Number(each.from_))))
    if each.to is not None:
        tests.append(Call("<=" if last else "<", (value, Number(each.to))))
    return tests[0] if len(tests) == 1 else Call("and", (tests[0], tests[1]))


def _colour(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _choose(document: Document, source: Input, wanted: Sequence[str], bands: Sequence[Band]) -> Band:
    """The first of the wanted bands that the scene has, by its own or common name, in the input's unit."""
    unit = unit_of(source)
    usable = [band for band in bands if band.unit == unit and _of_mission(source, band)]
    for name in wanted:
        for band in usable:
            if name in (band.name, band.common_name):
                return band
    raise ParameterError(
        f"{document.id} needs {_needed(source)} in {unit}, and the bands here are "
        f"{', '.join(band.name for band in bands) or 'none'}"
    )


def _needed(source: Input) -> str:
    """The bands that an input takes: `B08 or B8A, and B04`."""
    each = [bands if isinstance(bands, str) else " or ".join(bands) for bands in source.bands.values()]
    return ", and ".join(each)


def _of_mission(source: Input, band: Band) -> bool:
    return not (source.constellation and band.mission) or source.constellation == band.mission


def _mask(source: Input) -> ClearMask | None:
    if source.mask is None:
        return None
    kept = ClearMask.of(source.mask.keep)
    return replace(kept, buffer=source.mask.buffer_m, cloud_nearby=source.mask.max_cloud_nearby)
