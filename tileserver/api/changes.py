"""The feed of changes: what has come, been replaced or gone, for mirrors and caches."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from tileserver.catalog import Change, Position
from tileserver.http.context import document_answer, scenes
from tileserver.http.openapi import PROBLEM, Answers
from tileserver.http.problems import MEDIA_TYPE
from tileserver.render.parameters import Parameters

api = APIBlueprint("changes", __name__)
TAG = Tag(name="Changes", description="What has come, been replaced or gone.")
_BEGINNINGS = ("", "0")


class ChangesQuery(Parameters):
    """Where to go on, and how far."""

    after: str = Field(
        "", max_length=100, description="`next` of the answer before; left out, the feed begins."
    )
    limit: int = Field(1000, ge=1, description="Changes at most; the server may give fewer.")


class ChangeDocument(BaseModel):
    """The latest change of a scene."""

    seq: int = Field(description="Number of the change; later ones have greater numbers.")
    op: Literal["put", "drop"] = Field(
        description="`put`: the scene is there, new or in place of another. `drop`: it has gone."
    )
    collection: str
    id: str
    etag: str | None = Field(
        None, description="Of the archive, without quotes. `drop` lacks it, and all that follows."
    )
    bytes: int | None = Field(None, description="Of the archive.")
    datetime: str | None = Field(None, description="Acquisition; null where it is unknown.")


class ChangesDocument(BaseModel):
    """A page of the feed."""

    epoch: str = Field(description="Of the journal. In another epoch a client begins anew.")
    changes: list[ChangeDocument]
    next: str = Field(description="`after` of the next request.")
    more: bool = Field(description="Whether the next page has changes already.")


ANSWERS: Answers = {
    "200": ChangesDocument,
    "410": {
        "description": "The feed can't be read from there: begin anew, without `after`.",
        "content": {MEDIA_TYPE: {"schema": PROBLEM}},
    },
}


@api.get("/changes", tags=[TAG], responses=ANSWERS)
def changes(query: ChangesQuery) -> Response:
    """Changes of the catalogue in their order, the latest of each scene: `put` and `drop`."""
    after = None if query.after in _BEGINNINGS else Position.parse(query.after)
    page = scenes().catalog.changes(after, min(query.limit, scenes().settings.max_page_items))
    return document_answer(
        {
            "epoch": page.next.epoch,
            "changes": [_document(change) for change in page.changes],
            "next": str(page.next),
            "more": page.more,
        }
    )


def _document(change: Change) -> dict[str, Any]:
    named = {"collection": change.collection, "id": change.id}
    if change.gone:
        return {"seq": change.seq, "op": "drop", **named}
    moment = change.datetime.isoformat().replace("+00:00", "Z") if change.datetime else None
    return {
        "seq": change.seq, "op": "put", **named,
        "etag": change.etag, "bytes": change.bytes, "datetime": moment,
    }  # fmt: skip
