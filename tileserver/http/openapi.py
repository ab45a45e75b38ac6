"""Corrections of the OpenAPI document: flask-openapi3 leaves some things out and gets some wrong."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from tileserver.http.problems import MEDIA_TYPE
from tileserver.render.encode import MEDIA_TYPES

DOCUMENT_TYPE = "application/vnd.oai.openapi+json;version=3.1"
# Type of flask-openapi3's `responses` of an operation.
Answers = dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None]
PROBLEM = {"$ref": "#/components/schemas/Problem"}
_ERROR = {"description": "The error, in a sentence.", "content": {MEDIA_TYPE: {"schema": PROBLEM}}}


def finished(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document with answers of all operations, without nulls in addresses."""
    out: dict[str, Any] = copy.deepcopy(dict(document))
    out["components"] = {name: part for name, part in out["components"].items() if part is not None}
    for operations in out["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _given(parameter["schema"])
            operation["responses"] = _answers(operation)
    return out


def _answers(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Answers of an operation: those that it declares, its formats, and a problem for all else."""
    answers = {status: answer for status, answer in operation["responses"].items() if status != "422"}
    if not any(status.startswith("2") for status in answers):
        answers["2XX"] = {"description": "Success.", **_content(operation)}
    # for clients that send If-None-Match
    answers.setdefault("304", {"description": "Not Modified"})
    return {"default": _ERROR, **answers}


def _content(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Media types that the parameter `format` chooses from."""
    formats = [
        name
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "format"
        for name in parameter["schema"].get("enum", ())
    ]
    known = {
        MEDIA_TYPES["jpg" if name == "jpeg" else name] for name in formats if name in (*MEDIA_TYPES, "jpeg")
    }
    complete = all(name in (*MEDIA_TYPES, "jpeg") for name in formats)
    return {"content": {name: {} for name in sorted(known)}} if known and complete else {}


def _given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of a parameter that is given: an address cannot carry null."""
    out = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    choices = [choice for choice in out.pop("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **out}
    return {**out, "anyOf": choices} if choices else out
