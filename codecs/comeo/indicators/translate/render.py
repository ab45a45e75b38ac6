"""Documents as objects of STAC's Render extension (https://github.com/stac-extensions/render, 2.0).

Its expressions are those of rio-tiler, evaluated by numexpr on values with scale and offset applied; names in
them are assets.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from comeo.indicators.document import Document
from comeo.indicators.formula import FormulaError, parse_formula
from comeo.indicators.steps import put_in
from comeo.indicators.translate.common import TranslationError, first_bands, own_band, refuse_unsaid, renamed
from comeo.indicators.translate.dialect import INFIX, Dialect
from comeo.indicators.translate.drafts import Draft, Imported, finish
from comeo.indicators.translate.qgis import limited
from comeo.indicators.tree import GREATEST, Name, Node, walk

_SIMPLE: Final = ("abs", "sqrt", "exp", "log", "log10", "sin", "cos", "tan", "arctan", "tanh", "floor")
RIO_TILER: Final = Dialect(
    "rio-tiler's expression",
    {
        **INFIX, **{name: f"{name}({{0}})" for name in _SIMPLE}, "==": "({0} == {1})", "!=": "({0} != {1})",
        "**": "({0} ** {1})", "%": "({0} % {1})", "and": "({0} & {1})", "or": "({0} | {1})",
        "not": "({0} == 0)", "if_": "where({0}, {1}, {2})", "atan2": "arctan2({0}, {1})",
        # Comparisons with what is missing are false: it comes out again.
        "min": "where({0} >= {1}, {1}, where({1} == {1}, {0}, {1}))",
        "max": "where({0} <= {1}, {1}, where({1} == {1}, {0}, {1}))",
        "min of a number": "where({0} > {1}, {1}, {0})", "max of a number": "where({0} < {1}, {1}, {0})",
        "clip": "where({0} < {1}, {1}, where({0} > {2}, {2}, {0}))", "db": "(10 * log10({0}))",
        "lin": "(10 ** ({0} / 10))",
    },
)  # fmt: skip


def write_render(document: Document) -> dict[str, Any]:
    """A document as a render object.

    Raises:
        TranslationError: If an expression cannot say it.
    """
    refuse_unsaid(document, "STAC's Render extension")
    bands = first_bands(document)
    meanings: dict[str, Node] = {name: Name(band) for name, band in bands.items()}
    texts = [RIO_TILER.write(put_in(limited(document, each), meanings)) for each in document.formulas]
    assets = list(dict.fromkeys(bands.values()))
    title = document.title_in("en")
    render: dict[str, Any] = {"title": title, "assets": assets, "expression": ";".join(texts)}
    display = document.display
    if display is not None and display.rescale is not None:
        ranges = display.rescale if isinstance(display.rescale, list) else [display.rescale]
        render["rescale"] = [list(each) for each in ranges] * (len(texts) if len(ranges) == 1 else 1)
    if display is not None and display.colormap:
        render["colormap_name"] = display.colormap
    if document.classes:
        render["colormap"] = _colours(document)
    return render


def read_render(text: str) -> Imported:
    """A document of a render object, as JSON.

    Raises:
        TranslationError: If it is none, or its expression is not understood.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TranslationError(f"this is not JSON: {error}", getattr(error, "lineno", 0)) from error
    if not isinstance(value, dict):
        raise TranslationError("a render is an object with expression, or with assets")
    expression, assets = value.get("expression"), value.get("assets")
    if not isinstance(expression, str):
        if not (
            isinstance(assets, list) and len(assets) in (1, 3) and all(isinstance(a, str) for a in assets)
        ):
            raise TranslationError("it has no expression, nor one or three assets")
        expression = ";".join(assets)
    results = [_formula(each) for each in expression.split(";") if each.strip()]
    found = [each.name for tree in results for each in walk(tree) if isinstance(each, Name)]
    radar = any(re.fullmatch(r"[vhVH]{2}", name) for name in found)
    meanings: dict[str, Node] = {name: Name(own_band(name, radar)) for name in found}
    draft = Draft([renamed(each, meanings) for each in results], radar=radar)
    if radar:
        draft.left_out.append("bands are taken for decibels; write lin(VV) where the render means power")
    display: dict[str, Any] = {}
    if value.get("rescale"):
        display["rescale"] = value["rescale"] if len(results) > 1 else value["rescale"][0]
    if isinstance(value.get("colormap_name"), str) and len(results) == 1:
        display["colormap"] = value["colormap_name"].lower()
    if display:
        draft.fields["display"] = display
    known = {"title", "assets", "expression", "rescale", "colormap_name"}
    draft.left_out += [f"{name} is left out" for name in value if name not in known]
    title = value.get("title") if isinstance(value.get("title"), str) else "imported"
    return finish(draft, str(title), str(title))


def _formula(text: str) -> Node:
    # rio-tiler names the band of an asset too: `B04_b1`, and `B04` for the first.
    plain = re.sub(r"\b([A-Za-z]\w*?)_b1\b", r"\1", text.strip())
    try:
        return parse_formula(plain)
    except FormulaError as error:
        raise TranslationError(f"the expression cannot be read: {error}") from error


def _colours(document: Document) -> list[list[Any]] | dict[str, Any]:
    """Classes as rio-tiler's colours: of whole numbers, or of intervals [[from, to], colour].

    Raises:
        TranslationError: If classes are numbers that are not whole.
    """
    colours = [
        [int(each.color[index : index + 2], 16) for index in (1, 3, 5)] + [255] for each in document.classes
    ]
    values = [each.value for each in document.classes]
    if values[0] is not None:
        if any(value is None or not value.is_integer() for value in values):
            raise TranslationError("a render has colours of whole numbers and of intervals alone")
        return {f"{value:.0f}": colour for value, colour in zip(values, colours, strict=True)}
    return [
        [[-GREATEST if each.from_ is None else each.from_, GREATEST if each.to is None else each.to], colour]
        for each, colour in zip(document.classes, colours, strict=True)
    ]
