"""Short links: the state of the viewer under eight letters, for messages and print."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import parse_qs, quote

from flask import Response, render_template
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from comeo.errors import NotFoundError
from tileserver.api.pof.routes import given
from tileserver.http.context import base_url
from tileserver.http.openapi import Answers
from tileserver.render.parameters import Parameters

api = APIBlueprint("hyperlooks", __name__)
TAG = Tag(name="Short links", description="The state of the viewer under a short address.")
MOST_BYTES = 8192
_MOST_FIELDS = 100
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; frame-ancestors 'self'"
)


def _short(value: str) -> str:
    size = len(value.encode())
    if size > MOST_BYTES:
        raise ValueError(f"it has {size} bytes, more than {MOST_BYTES}")
    return value


class LookBody(BaseModel):
    """What a link shows."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, AfterValidator(_short)] = Field(
        pattern=r"^[^\x00-\x20\x7f#<>\"]*$", description="The viewer's address behind its `#`."
    )
    title: str = Field("", max_length=200)
    description: str = Field("", max_length=500)


class LookDocument(BaseModel):
    """A short link."""

    id: str
    href: str


class LookPath(Parameters):
    """A short link."""

    id: str = Field(pattern="^[a-z2-7]{8}$", description="Eight letters and digits.")


MADE: Answers = {"201": LookDocument}


@api.post("/h", tags=[TAG], responses=MADE)
def make(body: LookBody) -> Response:
    """Keep a state of the viewer: the same state always gets the same link."""
    text = given().kept.give("link", json.dumps(body.model_dump(), sort_keys=True).encode())
    href = f"{base_url()}/h/{text.name}"
    response = Response(to_json({"id": text.name, "href": href}), 201, content_type="application/json")
    response.headers["Location"] = href
    response.headers["Cache-Control"] = "no-store"
    return response


@api.get("/h/<id>", tags=[TAG])
def show(path: LookPath) -> Response:
    """A page with title and picture for messengers, which sends browsers on to the viewer."""
    text = given().kept.find("link", path.id)
    if text is None:
        raise NotFoundError(f"there is no link {path.id}")
    look = json.loads(text.body)
    response = Response(
        render_template(
            "hyperlook.html", title=look["title"] or "COMEO", description=look["description"],
            state=look["state"], picture=_picture(look["state"]), address=f"{base_url()}/h/{path.id}",
        ),
        content_type="text/html; charset=utf-8",
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _picture(state: str) -> str:
    """Address of a preview of the scene that the state shows; empty where it names none."""
    try:
        fields: dict[str, Any] = parse_qs(state, max_num_fields=_MOST_FIELDS)
    except ValueError:  # no link of the viewer's has so many
        return ""
    collection, item = (fields.get(key, [""])[0] for key in ("collection", "item"))
    if not collection or not item:
        return ""
    style = fields.get("style", [""])[0]
    query = f"&style={quote(style, safe='')}" if style else ""
    scene = f"collections/{quote(collection, safe='')}/items/{quote(item, safe='')}"
    return f"{base_url()}/{scene}/preview.jpg?max_size=600{query}"
