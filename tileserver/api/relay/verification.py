"""What an original shows around a place, for relays that have only the compressed copy."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from comeo.archive.model import ID_PATTERN
from comeo.archive.stores import ZIP_SUFFIX
from comeo.errors import NotFoundError, ParameterError
from tileserver.api.relay.routes import TAG
from tileserver.http.context import scenes, state
from tileserver.http.openapi import Answers
from tileserver.watch.observing.asked import PATH
from tileserver.watch.observing.originals import source_of
from tileserver.watch.observing.places import originals_of

api = APIBlueprint("verification", __name__)
_Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
_Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
_ZIP = "application/zip"
ANSWERS: Answers = {
    "200": {
        "description": "An archive of the window.",
        "content": {_ZIP: {"schema": {"type": "string", "format": "binary"}}},
    }
}


class PlaceBody(BaseModel):
    """A place in a scene."""

    model_config = ConfigDict(extra="forbid")

    collection: str = Field(pattern=ID_PATTERN)
    id: str = Field(pattern=ID_PATTERN)
    bbox: tuple[_Longitude, _Latitude, _Longitude, _Latitude]


@api.post(f"/{PATH}", tags=[TAG], responses=ANSWERS)
def verify(body: PlaceBody) -> Response:
    """The original of a scene around a place, as an archive that is coded almost without loss."""
    west, south, east, north = body.bbox
    if west >= east or south >= north:
        raise ParameterError("bbox is west, south, east, north: west is less than east, south than north")
    record = scenes().find(body.collection, body.id)
    originals = originals_of(scenes().settings)
    with state().gate.enter(), tempfile.TemporaryDirectory(prefix="comeo-verify-") as folder:
        path = Path(folder) / f"window{ZIP_SUFFIX}"
        if originals is None or not originals.window(source_of(scenes(), record), body.bbox, path):
            raise NotFoundError(f"the original of {body.id} is not at hand here")
        data = path.read_bytes()
    response = Response(data, content_type=_ZIP)
    response.headers["Cache-Control"] = "no-store"
    return response
