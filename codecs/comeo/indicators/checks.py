"""Whether the parts of a document fit together: names, classes, tests, ranges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from comeo.indicators.formula import OPERATORS
from comeo.indicators.model import Fields, ValueClass
from comeo.indicators.problems import Problem
from comeo.indicators.tree import Name, Node, walk
from comeo.indicators.typos import is_band, nearest


def cross_problems(fields: Fields, formulas: Mapping[str, Node]) -> Iterator[Problem]:
    """What is wrong between the fields of a document that are all valid by themselves.

    Args:
        fields: Of the document.
        formulas: Those that can be read, steps included, by path.
    """
    bands = Counter(name for each in fields.inputs.values() for name in each.bands)
    known = [*bands, *fields.let]
    yield from _names(fields, bands)
    for path, node in formulas.items():
        yield from _unknown(path, node, known)
    yield from _inputs(fields)
    yield from _shown(fields)
    yield from _classes(fields.classes)
    yield from _tests(fields, set(bands))


def results_of(fields: Fields) -> int:
    """Number of results of a document."""
    return 1 if isinstance(fields.value.formula, str) else len(fields.value.formula)


def _names(fields: Fields, bands: Counter[str]) -> Iterator[Problem]:
    for key, each in fields.inputs.items():
        for name in each.bands:
            if bands[name] > 1:
                yield Problem(
                    f"inputs.{key}.bands.{name}", "two inputs have a band of this name; name them apart"
                )
            if name in OPERATORS:
                yield Problem(f"inputs.{key}.bands.{name}", f"{name} is an operator; choose another name")
    for name in fields.let:
        if name in bands or name in OPERATORS:
            what = "a band has this name" if name in bands else f"{name} is an operator"
            yield Problem(f"let.{name}", f"{what}; choose another one for the step")


def _unknown(path: str, node: Node, known: list[str]) -> Iterator[Problem]:
    for each in walk(node):
        if isinstance(each, Name) and each.name not in known:
            near = nearest(each.name, known)
            hint = f"did you mean {near}?" if near else f"names are {', '.join(known)}"
            if is_band(each.name):
                hint += f"; to read the band {each.name}, add it to the bands of an input"
            message = f"{each.name[:40]} is no band of inputs and no step of let; {hint}"
            yield Problem(path, message, 0, each.place.offset, each.place.length, hint)


def _inputs(fields: Fields) -> Iterator[Problem]:
    for key, each in fields.inputs.items():
        if each.collection and (each.constellation or each.level):
            yield Problem(f"inputs.{key}", "give a collection, or constellation and level, not both")
        if each.same_orbit:
            yield Problem(
                f"inputs.{key}.same_orbit",
                "nothing here matches orbits by it; leave it out (mosaics of radar keep to one orbit anyway)",
            )
        if len(fields.inputs) == 1 and (each.pair or each.max_gap_days is not None):
            yield Problem(f"inputs.{key}", "pair and max_gap_days are for several inputs; leave them out")


def _shown(fields: Fields) -> Iterator[Problem]:
    results, display = results_of(fields), fields.display
    if results == 2:
        yield Problem("value.formula", "a picture has one result or three, not 2")
    if results > 1 and fields.classes:
        yield Problem("classes", "classes are for one result; give one formula")
    if results > 1 and fields.spatial:
        yield Problem("spatial", "what has several results is a picture; leave out spatial")
    if display is None:
        return
    if display.colormap and results > 1:
        yield Problem("display.colormap", "a palette is for one result; leave it out")
    if display.colormap and fields.classes:
        yield Problem("display.colormap", "classes have colours of their own; leave out the palette")
    if isinstance(display.rescale, list) and len(display.rescale) not in (1, results):
        yield Problem("display.rescale", f"there are {len(display.rescale)} ranges for {results} results")


def _classes(classes: list[ValueClass]) -> Iterator[Problem]:
    for index, each in enumerate(classes):
        whole = each.value is not None
        if whole == (each.from_ is not None or each.to is not None):
            yield Problem(f"classes[{index}]", "give from and to, or one value")
        elif each.from_ is not None and each.to is not None and each.from_ >= each.to:
            yield Problem(
                f"classes[{index}]", f"from is {each.from_:g} and to is {each.to:g}: from has to be less"
            )
    if len({each.value is None for each in classes}) > 1:
        yield Problem("classes", "either all classes have from and to, or all have one value")
        return
    repeated = [name for name, count in Counter(class_names(classes)).items() if count > 1]
    if repeated:
        yield Problem("classes", f"two classes are called {repeated[0]}; name them apart")
    for index, (one, other) in enumerate(pairwise(classes), 1):
        if one.value is not None and other.value is not None:
            if one.value >= other.value:
                yield Problem(f"classes[{index}]", "values of classes have to rise from one to the next")
        elif one.to is None or other.from_ is None or one.to > other.from_:
            yield Problem(
                f"classes[{index}]",
                "it begins before the class above it ends; write classes from low to high",
            )


def class_names(classes: list[ValueClass]) -> list[str]:
    """Names of classes: their own, or their numbers from 0."""
    return [each.name or str(index) for index, each in enumerate(classes)]


def _tests(fields: Fields, bands: set[str]) -> Iterator[Problem]:
    results = results_of(fields)
    for index, each in enumerate(fields.tests):
        if missing := sorted(bands - each.given.keys()):
            yield Problem(f"tests[{index}].given", f"the value of {missing[0]} is missing")
        for name, given in each.given.items():
            if name not in bands:
                yield Problem(f"tests[{index}].given.{name}", "there is no band of this name in inputs")
            elif isinstance(given, list) and (
                len(given) % 2 == 0
                or {len(row) for row in given} != {len(given[0])}
                or len(given[0]) % 2 == 0
            ):
                yield Problem(
                    f"tests[{index}].given.{name}", "rows and columns are odd numbers, all rows as long"
                )
        shapes = {(len(given), len(given[0])) for given in each.given.values() if isinstance(given, list)}
        if len(shapes) > 1:
            yield Problem(f"tests[{index}].given", "its images differ in size")
        if each.expect != "invalid" and results != (len(each.expect) if isinstance(each.expect, list) else 1):
            yield Problem(f"tests[{index}].expect", f"a number for each of {results} results is expected")
    of_class = re.match(r"(?:fraction|area)\((.+)\)", fields.spatial.statistic) if fields.spatial else None
    if of_class and of_class.group(1) not in class_names(fields.classes):
        yield Problem("spatial.statistic", f"there is no class {of_class.group(1)}; name one of classes")
