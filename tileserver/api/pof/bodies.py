"""Documents in the bodies of requests, and what is said of those that are not valid."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request
from pydantic import BaseModel, Field

from comeo.indicators.compiled import expression_of_document
from comeo.indicators.document import MEDIA_TYPE, MOST_BYTES, Document, read_document
from comeo.indicators.problems import DocumentError, Problem
from comeo.indicators.trials import run_tests
from tileserver.http import problems

TOML_TYPES: Final = ("application/toml", "text/x-toml", "text/plain")
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "By /schemas/pof-1.json; with Content-Type application/toml, as TOML.",
        "content": {kind: {"schema": {}} for kind in ("application/json", MEDIA_TYPE)},
    }
}
"""For OpenAPI. What is wrong with a document its reader says, in its own words."""


class Fault(BaseModel):
    """One thing that is wrong with a document."""

    path: str = Field(description="Of the field, as `value.formula`; empty for the whole.")
    message: str = Field(description="One sentence.")
    line: int = Field(description="In the text, from 1; 0 where it is unknown.")
    offset: int = Field(description="Of what is wrong in a formula, in characters.")
    length: int = Field(description="Of it; 0 where the whole field is meant.")
    hint: str = Field(description="What to write instead, or empty.")


def document_in_body() -> Document:
    """The document in the body of the request: TOML by its Content-Type, else JSON.

    Raises:
        DocumentError: If it is none.
    """
    data = request.get_data(cache=False)
    if len(data) > MOST_BYTES:
        raise DocumentError([Problem("", f"the document has {len(data)} bytes, more than {MOST_BYTES}")])
    return read_document(data, "toml" if request.mimetype in TOML_TYPES else "json")


def faults(error: DocumentError) -> list[dict[str, Any]]:
    """What is wrong, for programs."""
    return [
        {
            "path": each.path, "message": each.message, "line": each.line, "offset": each.offset,
            "length": each.length, "hint": each.hint,
        }
        for each in error.problems
    ]  # fmt: skip


def refused(error: DocumentError) -> Response:
    """The answer to a document that is not valid: its errors are those of `/pof/check`."""
    return problems.problem(422, str(error), errors=faults(error))


def facts(document: Document) -> dict[str, Any]:
    """What a document costs, and how its tests go."""
    expression = expression_of_document(document)
    return {
        "id": document.id,
        "version": document.version,
        "sha256": document.fingerprint,
        "cost": {
            "bands": [band for _, choices in document.bands.values() for band in choices[:1]],
            "halo": expression.halo, "terms": expression.terms,
        },
        "tests": [
            {"number": each.number, "passed": each.passed, "message": each.message}
            for each in run_tests(document)
        ],
    }  # fmt: skip
