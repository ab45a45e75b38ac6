"""Orders of compressions: each is a job, whose archive is in the catalogue once it is done."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from comeo.errors import NotFoundError
from tileserver.api.compressions.uploads import TAG
from tileserver.errors import TooManyError
from tileserver.http.context import base_url, scenes, state
from tileserver.http.database import database
from tileserver.http.jobs import answer_with, job_answer, job_document
from tileserver.http.session import signed_in
from tileserver.ingest.compressions import CompressionBody, CompressionOrder
from tileserver.jobs.kinds import COMPRESSION
from tileserver.jobs.queue import Job
from tileserver.render.parameters import Parameters

api = APIBlueprint("compressions", __name__, url_prefix="/compressions")
_WORKING: Final = ("accepted", "running")


class CompressionPath(Parameters):
    """A compression."""

    job: str = Field(min_length=1, max_length=64, description="The id of its job.")


@api.post("", tags=[TAG])
def create(body: CompressionBody) -> Response:
    """Have a product compressed: an upload, or a STAC Item; the answer's Location is that of a job."""
    person = _person()
    order = COMPRESSION.order(
        scenes(), CompressionOrder.model_validate({**body.model_dump(), "person": person}), "compression"
    )
    return job_answer(state().jobs.create(order, lambda: _check_share(person)), 201)


@api.get("", tags=[TAG])
def listed() -> Response:
    """One's own compressions, the newest first."""
    return answer_with({"jobs": [_document(job) for job in _own(_person())]})


@api.get("/<job>", tags=[TAG])
def one(path: CompressionPath) -> Response:
    """How a compression of one's own stands; once it is done, with the addresses of its archive."""
    person = _person()
    found = next((job for job in _own(person) if job.id == path.job), None)
    if found is None:
        raise NotFoundError(f"there is no compression {path.job[:40]}, or it is not yours, or it has expired")
    return answer_with(_document(found))


def _person() -> int:
    with database().reading() as connection:
        return signed_in(connection).id


def _check_share(person: int) -> None:
    working = [job for job in _own(person) if job.status in _WORKING]
    if len(working) >= scenes().settings.person_compressions:
        raise TooManyError(
            f"{len(working)} compressions of yours are under way, which is the most; wait for one"
        )


def _own(person: int) -> list[Job]:
    return [job for job in state().jobs.of_kind(COMPRESSION.name) if job.order.body.get("person") == person]


def _document(job: Job) -> dict[str, Any]:
    document = job_document(job)
    if job.result is None:
        return document
    try:
        made = json.loads(job.result.read_bytes())
    except OSError:  # it is being dismissed at this moment
        return document
    below = f"collections/{quote(made['collection'], safe='')}/items/{quote(made['item'], safe='')}"
    item = f"{base_url()}/{below}"
    document["archive"] = made
    document["links"] += [
        {"rel": "item", "type": "application/geo+json", "href": f"{base_url()}/stac/{below}"},
        {"rel": "enclosure", "type": "application/zip", "href": f"{item}/archive",
         "title": f"{PurePath(made['item']).name}.zarr.zip"},
        {"rel": "describedby", "type": "application/json", "href": f"{item}/certificate"},
    ]  # fmt: skip
    return document
