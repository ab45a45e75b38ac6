"""Documents of indicators made of texts in other languages."""

from __future__ import annotations

import json
from typing import Any, Literal

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field

from comeo.errors import ParameterError
from comeo.indicators.document import MOST_BYTES, canonical
from comeo.indicators.translate import import_document
from tileserver.api.pof.routes import TAG
from tileserver.http.context import document_answer
from tileserver.http.openapi import Answers
from tileserver.render.parameters import Names, Parameters

api = APIBlueprint("pof_importing", __name__)
BODY = {"requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}}


class ImportQuery(Parameters):
    """What the text is."""

    from_: Literal["evalscript", "openeo", "pofml", "render", "snap", "qgis"] = Field(
        alias="from", description="Language of the text."
    )
    bands: Names | None = Field(None, description="What the bands of a layer of QGIS are, in order.")


class ImportedDocument(BaseModel):
    """A document, without tests, which nobody but its author can give."""

    document: dict[str, Any]
    left_out: list[str] = Field(description="What the text says and the document does not, a sentence each.")


ANSWERS: Answers = {"200": ImportedDocument}


@api.post("/pof/import", tags=[TAG], responses=ANSWERS, openapi_extensions=BODY)
def import_(query: ImportQuery) -> Response:
    """The text in the body as a document, which is not kept: `POST /pof/drafts` keeps it."""
    data = request.get_data(cache=False)
    if len(data) > MOST_BYTES:
        raise ParameterError(f"the text has {len(data)} bytes, more than {MOST_BYTES}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParameterError("the text is not UTF-8; save it as UTF-8 and send it again") from error
    imported = import_document(text, query.from_, query.bands or ())
    return document_answer(
        {"document": json.loads(canonical(imported.document)), "left_out": list(imported.left_out)}
    )
