"""Job status, result and cancellation."""

from __future__ import annotations

import os

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from comeo.errors import NotFoundError
from tileserver.errors import ConflictError
from tileserver.files.download import OpenFile
from tileserver.files.kml import KMZ_MEDIA_TYPE
from tileserver.http.conditional import answer_unless_known
from tileserver.http.context import state
from tileserver.http.files import file_or_range, sending
from tileserver.http.jobs import answer_with, job_answer, job_document
from tileserver.render.encode import MEDIA_TYPES
from tileserver.render.parameters import Parameters

api = APIBlueprint("jobs", __name__, url_prefix="/jobs/<job>")
TAG = Tag(name="Jobs", description="Work that takes longer than a request should.")


class JobPath(Parameters):
    """A job."""

    job: str = Field(min_length=1, max_length=64, description="Its id, as the answer to its creation has it.")


@api.get("", tags=[TAG])
def status(path: JobPath) -> Response:
    """Job status, in the words of OGC API - Processes."""
    return job_answer(state().jobs.get(path.job), 200)


@api.delete("", tags=[TAG])
def dismiss(path: JobPath) -> Response:
    """Stop a job and remove what it made."""
    job = state().jobs.dismiss(path.job)
    return answer_with({**job_document(job), "status": "dismissed", "links": []})


@api.get("/result", tags=[TAG])
def result(path: JobPath) -> Response:
    """The file that a job made. Takes Range, so that a broken download can go on."""
    job = state().jobs.get(path.job)
    if job.result is None:
        raise ConflictError(f"the job has no result: it is {job.status}, {job.stage}")
    extension = job.result.suffix[1:]
    media_type = {"kmz": KMZ_MEDIA_TYPE, "json": "application/json"}.get(extension) or MEDIA_TYPES[extension]
    try:
        stream = job.result.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError("the job has been dismissed or has expired at this moment") from error
    status = os.fstat(stream.fileno())
    file = OpenFile(stream, status.st_size, status.st_mtime, f"{job.order.name}.{extension}")
    response = sending(
        stream, lambda: answer_unless_known(job.id, lambda: file_or_range(file, job.id, media_type))
    )
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, no-cache"
    return response
