"""Documents as evalscripts of Sentinel Hub, version 3 (https://docs.sentinel-hub.com/api/latest/evalscript/v3).

A script computes in double precision what documents compute in single. Comparisons and logic of JavaScript
hand no NaN on, so scripts bring functions that do. Where a document is combined in time, its window is the
time range of the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from comeo.indicators.document import Document
from comeo.indicators.translate.common import (
    TranslationError,
    codes_kept,
    first_bands,
    is_radar,
    refuse_unsaid,
    single_input,
)
from comeo.indicators.translate.dialect import INFIX, Dialect
from comeo.indicators.translate.lifting import lift
from comeo.indicators.tree import Call, Node, walk

TITLE: Final = "evalscript"
HELPERS: Final[Mapping[str, str]] = {
    "known": "const known = (result, ...of) => of.some(Number.isNaN) ? NaN : Number(result);",
    "lt": "const lt = (a, b) => known(a < b, a, b);",
    "lte": "const lte = (a, b) => known(a <= b, a, b);",
    "gt": "const gt = (a, b) => known(a > b, a, b);",
    "gte": "const gte = (a, b) => known(a >= b, a, b);",
    "eq": "const eq = (a, b) => known(a === b, a, b);",
    "neq": "const neq = (a, b) => known(a !== b, a, b);",
    "both": "const both = (a, b) => known(a !== 0 && b !== 0, a, b);",
    "either": "const either = (a, b) => known(a !== 0 || b !== 0, a, b);",
    "opposite": "const opposite = a => known(a === 0, a);",
    "pick": "const pick = (condition, yes, no) => known(condition !== 0 ? yes : no, condition);",
    "power": "const power = (a, b) => known(a ** b, a, b);",
    "nd": "const nd = (a, b) => (a - b) / (a + b);",
    "modulo": "const modulo = (a, b) => a - Math.floor(a / b) * b;",
    "clip": "const clip = (x, low, high) => Math.min(Math.max(x, low), high);",
    "even": "const even = x => { const y = Math.floor(x + 0.5); "
    "return y - x === 0.5 && y % 2 ? y - 1 : y; };",
    "db": "const db = x => x > 0 ? 10 * Math.log10(x) : NaN;",
    "lin": "const lin = x => 10 ** (x / 10);",
    "isvalid": "const isvalid = x => Number(Number.isFinite(x));",
    "mean": "const mean = list => list.reduce((sum, x) => sum + x, 0) / list.length;",
    "median": "const median = list => { const s = [...list].sort((a, b) => a - b), m = s.length >> 1; "
    "return s.length % 2 ? s[m] : (s[m - 1] + s[m]) / 2; };",
    "least": "const least = list => Math.min(...list);",
    "greatest": "const greatest = list => Math.max(...list);",
    "count": "const count = list => list.length;",
}
"""The functions that scripts bring, as they are needed. The reader knows them by their whole text."""
STATISTICS: Final = {"mean": "mean", "median": "median", "min": "least", "max": "greatest", "count": "count"}
"""Of statistics in time, the function of a script."""
BROUGHT: Final = {
    "<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "==": "eq", "!=": "neq", "and": "both", "or": "either",
    "not": "opposite", "if_": "pick", "**": "power", "nd": "nd", "%": "modulo", "clip": "clip",
    "round": "even", "db": "db", "lin": "lin", "isvalid": "isvalid",
}  # fmt: skip
"""Of our functions, those of a script that it brings."""
OF_MATH: Final = {
    **{name: name for name in ("abs", "sqrt", "exp", "log", "log10", "sin", "cos", "tan", "tanh", "floor")},
    "arctan": "atan", "atan2": "atan2", "min": "min", "max": "max",
}  # fmt: skip
"""Of our functions, those of JavaScript's Math."""
_TWO: Final = frozenset(
    ["<", "<=", ">", ">=", "==", "!=", "and", "or", "**", "nd", "%", "atan2", "min", "max"]
)
_THREE: Final = frozenset(["if_", "clip"])


def _pattern(function: str, js: str) -> str:
    """A call of a function of JavaScript with as many arguments as ours has."""
    count = 3 if function in _THREE else 2 if function in _TWO else 1
    return f"{js}({', '.join(f'{{{index}}}' for index in range(count))})"


JAVASCRIPT: Final = Dialect(
    TITLE,
    {
        **{name: text for name, text in INFIX.items() if name in ("+", "-", "*", "/", "negate")},
        **{name: _pattern(name, f"Math.{js}") for name, js in OF_MATH.items()},
        **{name: _pattern(name, js) for name, js in BROUGHT.items()},
    },
    number=lambda value: f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value),
)
_KEYWORDS: Final = """
    sample samples valid values valuesOf setup evaluatePixel x list Math Number NaN Infinity undefined
    arguments eval await break case catch class const continue debugger default delete do else enum export
    extends false finally for function if implements import in instanceof interface let new null package
    private protected public return static super switch this throw true try typeof var void while with yield
"""
_RESERVED: Final = frozenset([*HELPERS, *_KEYWORDS.split()])


def write_evalscript(document: Document) -> str:
    """A document as an evalscript with the outputs `default` and `dataMask`, for the Statistical API too.

    Raises:
        TranslationError: If scripts have no words for it.
    """
    refuse_unsaid(document, TITLE, temporal=True, mask=True)
    statistic = document.temporal.statistic if document.temporal else ""
    if statistic and statistic not in STATISTICS:
        raise TranslationError(f"the statistic {statistic} has no evalscript; take {', '.join(STATISTICS)}")
    if document.temporal is not None and document.temporal.weights != "equal":
        raise TranslationError("evalscripts weigh all dates alike; take weights out of temporal")
    if statistic and len(document.formulas) > 1:
        raise TranslationError("a picture of several results is not combined in time; take temporal out")
    title = " ".join(document.title_in("en").split())
    needed = _needed(document, STATISTICS.get(statistic, ""))
    parts = [
        "//VERSION=3", f"// {document.id}@{document.version}: {title}",
        _setup(document, many=bool(statistic)), *(HELPERS[name] for name in HELPERS if name in needed),
        _values(document), _evaluate(document), "",
    ]  # fmt: skip
    return "\n".join(parts)


def _setup(document: Document, *, many: bool) -> str:
    bands = list(dict.fromkeys(first_bands(document).values()))
    units = ["LINEAR_POWER" if is_radar(document) else "REFLECTANCE"] * len(bands)
    if single_input(document, TITLE).mask is not None:
        bands, units = [*bands, "SCL"], [*units, "DN"]
    listed = ", ".join(f'"{band}"' for band in [*bands, "dataMask"])
    unit = ", ".join(f'"{each}"' for each in [*units, "DN"])
    mosaicking = '\n    mosaicking: "ORBIT",' if many else ""
    return (
        "function setup() {\n  return {\n"
        f"    input: [{{ bands: [{listed}], units: [{unit}] }}],{mosaicking}\n"
        "    output: [\n"
        f'      {{ id: "default", bands: {len(document.formulas)}, sampleType: "FLOAT32" }},\n'
        '      { id: "dataMask", bands: 1, sampleType: "UINT8" },\n'
        "    ],\n  };\n}"
    )


def _needed(document: Document, statistic: str) -> set[str]:
    """Names of the functions that the script brings."""
    calls = (each for tree in _trees(document) for each in walk(tree) if isinstance(each, Call))
    found = {BROUGHT[each.function] for each in calls if each.function in BROUGHT}
    if is_radar(document):
        found.add("db")
    return {"known", statistic, *found} if found - {"nd", "clip", "db", "lin"} else {statistic, *found}


def _trees(document: Document) -> list[Node]:
    trees = list(document.formulas)
    return trees if document.validity is None else [*trees, document.validity]


def _values(document: Document) -> str:
    """The function that gives the results of one sample."""
    mask = single_input(document, TITLE).mask
    there = "sample.dataMask"
    if mask is not None:
        there += f" && [{', '.join(map(str, codes_kept(mask)))}].includes(sample.SCL)"
    steps, trees = lift(_trees(document))
    variables = _variables([*document.bands, *(name for name, _ in steps)])
    dialect = Dialect(TITLE, JAVASCRIPT.patterns, variables.__getitem__, JAVASCRIPT.number)
    lines = list[str]()
    for name, band in first_bands(document).items():
        value = f"db(sample.{band})" if is_radar(document) else f"sample.{band}"
        lines.append(f"  const {variables[name]} = {there} ? {value} : NaN;")
    lines += [f"  const {variables[name]} = {dialect.write(each)};" for name, each in steps]
    results = [dialect.write(each) for each in trees[: len(document.formulas)]]
    if document.validity is not None:
        lines.append(f"  const valid = {dialect.write(trees[-1])};")
        results = [f"valid ? {each} : NaN" for each in results]
    test = "Number.isFinite(x)"
    if document.value.range is not None:
        low, high = map(JAVASCRIPT.number, document.value.range)
        test = f"x >= {low} && x <= {high}"
    lines.append(f"  return [{', '.join(results)}].map(x => {test} ? x : NaN);")
    return "\n".join(["function valuesOf(sample) {", *lines, "}"])


def _variables(names: Iterable[str]) -> dict[str, str]:
    """Names of variables, none of which a script uses for something else."""
    found: dict[str, str] = {}
    for name in names:
        variable = name
        while variable in _RESERVED or variable in found.values():
            variable += "_"
        found[name] = variable
    return found


def _evaluate(document: Document) -> str:
    if document.temporal is None:
        lines = ["function evaluatePixel(sample) {", "  const values = valuesOf(sample);"]
    else:
        statistic, least = STATISTICS[document.temporal.statistic], document.temporal.min_dates
        lines = [
            "function evaluatePixel(samples) {",
            "  const list = samples.map(sample => valuesOf(sample)[0]).filter(x => !Number.isNaN(x));",
            f"  const values = [list.length >= {least} ? {statistic}(list) : NaN];",
        ]
    return "\n".join(
        [*lines, "  return { default: values, dataMask: [values.some(Number.isNaN) ? 0 : 1] };", "}"]
    )
