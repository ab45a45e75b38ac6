"""What a document computes, for people and programs: formulas, bands, halo, cost, classes, tests."""

from __future__ import annotations

from typing import Any

from comeo.indicators.checks import class_names
from comeo.indicators.compiled import expression_of_document
from comeo.indicators.document import Document, text_in, unit_of
from comeo.indicators.trials import run_tests


def describe(document: Document, language: str = "en") -> dict[str, Any]:
    """The facts of a document, in JSON's types.

    Args:
        document: Which.
        language: Of titles.
    """
    expression = expression_of_document(document)
    value = document.value
    results = run_tests(document)
    masks = {
        name: each.mask.model_dump(exclude_defaults=True)
        for name, each in document.inputs.items()
        if each.mask is not None
    }
    return {
        "id": document.id,
        "version": document.version,
        "sha256": document.fingerprint,
        "title": document.title_in(language),
        "reference": document.reference,
        "formula": list(document.formula_texts.values())[: len(document.formulas)],
        "let": dict(document.let),
        "valid": value.valid,
        "range": None if value.range is None else list(value.range),
        "unit": value.unit,
        "bands": {
            name: f"{' or '.join(choices)}, {unit_of(source)}"
            for name, (source, choices) in document.bands.items()
        },
        "mask": masks,
        "halo": expression.halo,
        "cost": expression.terms,
        "classes": {
            name: f"{_limits(each)} {text_in(each.title, language)}"
            for name, each in zip(class_names(document.classes), document.classes, strict=True)
        },
        "tests": [f"{'passed' if each.passed else 'FAILED'}: {each.message}" for each in results],
    }


def _limits(each: Any) -> str:
    if each.value is not None:
        return f"{each.value:g}"
    low = "" if each.from_ is None else f"{each.from_:g}"
    high = "" if each.to is None else f"{each.to:g}"
    return f"{low}…{high}"
