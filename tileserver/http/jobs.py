"""Answers that say how jobs stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify

from tileserver.http.context import base_url
from tileserver.jobs.queue import Job
from tileserver.render.temporal import rfc3339

POLL_SECONDS = "1"


def answer_with(document: Mapping[str, Any]) -> Response:
    """Answer with what is true at this moment."""
    response = jsonify(document)
    response.headers["Cache-Control"] = "no-store"
    return response


def job_answer(job: Job, code: int) -> Response:
    """Answer with the status of a job."""
    response = answer_with(job_document(job))
    response.status_code = code
    if code == 201:
        response.headers["Location"] = _address(job)
    if job.status in ("accepted", "running"):
        response.headers["Retry-After"] = POLL_SECONDS
    return response


def job_document(job: Job) -> dict[str, Any]:
    """Status of a job, in the words of OGC API - Processes."""
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
