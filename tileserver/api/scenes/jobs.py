"""Job status, result and cancellation."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from comeo.errors import NotFoundError
from tileserver.errors import ConflictError
from tileserver.files.download import OpenFile
from tileserver.files.kml import KMZ_MEDIA_TYPE
from tileserver.http.conditional import answer_unless_known
from tileserver.http.context import base_url, state
from tileserver.http.files import file_or_range, sending
from tileserver.jobs.queue import Job
from tileserver.render.encode import MEDIA_TYPES
from tileserver.render.parameters import Parameters
from tileserver.render.temporal import rfc3339

api = APIBlueprint("jobs", __name__, url_prefix="/jobs/<job>")
TAG = Tag(name="Jobs", description="Work that takes longer than a request should.")
POLL_SECONDS = "1"


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
    response = jsonify({**_document(job), "status": "dismissed", "links": []})
    response.headers["Cache-Control"] = "no-store"
    return response


@api.get("/result", tags=[TAG])
def result(path: JobPath) -> Response:
    """The file that a job made. Takes Range, so that a broken download can go on."""
    job = state().jobs.get(path.job)
    if job.result is None:
        raise ConflictError(f"the job has no result: it is {job.status}, {job.stage}")
    extension = job.result.suffix[1:]
    media_type = KMZ_MEDIA_TYPE if extension == "kmz" else MEDIA_TYPES[extension]
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


def job_answer(job: Job, code: int) -> Response:
    """Answer with the status of a job."""
    response = jsonify(_document(job))
    response.status_code = code
    response.headers["Cache-Control"] = "no-store"
    if code == 201:
        response.headers["Location"] = _address(job)
    if job.status in ("accepted", "running"):
        response.headers["Retry-After"] = POLL_SECONDS
    return response


def _document(job: Job) -> dict[str, Any]:
    links = [{"rel": "self", "type": "application/json", "href": _address(job)}]
    document: dict[str, Any] = {
        "jobID": job.id, "type": "process", "processID": job.order.kind, "status": job.status,
        "progress": job.progress, "message": job.stage, "created": _time(job.order.created),
        "updated": _time(job.updated), "estimate": job.order.estimate, "links": links,
    }  # fmt: skip
    if job.expires is not None:
        document["expires"] = _time(job.expires)
    if job.result is not None:
        document["bytes"] = job.bytes
        links.append({
            "rel": "http://www.opengis.net/def/rel/ogc/1.0/results", "title": "The file",
            "href": f"{_address(job)}/result",
        })  # fmt: skip
    return document


def _address(job: Job) -> str:
    return f"{base_url()}/jobs/{job.id}"


def _time(seconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))
