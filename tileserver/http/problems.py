"""Errors as `application/problem+json` (RFC 9457), never cached."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestedRangeNotSatisfiable

from comeo.errors import BoundError, ComeoError, RequestError
from tileserver import metrics
from tileserver.errors import BusyError, SignInError, status_of
from tileserver.http.sharing import logged_path

MEDIA_TYPE = "application/problem+json"
FAILED = "the server could not answer; its log says why"
"""Instead of the server's own errors, which may name its folders."""
log = logging.getLogger(__name__)


def problem(status: int, detail: str, **members: Any) -> Response:
    """Answer with a problem: one sentence that helps."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.path,
        **members,
    }
    # A sentence may repeat what the client wrote, and JSON can carry halves of characters.
    content = json.dumps(body, ensure_ascii=False).encode(errors="replace")
    response = Response(content, status, mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def invalid_parameters(error: ValidationError) -> Response:
    """Answer a request with invalid parameters."""
    problems = [
        {"name": ".".join(map(str, entry["loc"])), "detail": _message(entry)}
        for entry in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    first = problems[0]
    detail = f"{first['name']}: {first['detail']}" if first["name"] else first["detail"]
    return problem(_status_for_stac(422), detail, errors=problems)


def register(app: Flask) -> None:
    """Make an application answer every error with a problem."""
    app.register_error_handler(RequestError, _refused)
    app.register_error_handler(ComeoError, _failed)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RecursionError, _too_deep)
    app.register_error_handler(Exception, _unexpected)


def _refused(error: RequestError) -> Response:
    response = problem(_status_for_stac(status_of(error)), str(error), **_bound(error))
    if isinstance(error, SignInError):
        response.headers["WWW-Authenticate"] = 'Cookie realm="/account/login"'
    if isinstance(error, BusyError):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, BoundError):
        metrics.count_refused(error.bound)
    return response


def _status_for_stac(status: int) -> int:
    """STAC API has 400 for parameters that make no sense."""
    return 400 if status == 422 and request.path.startswith("/stac") else status


def _bound(error: RequestError) -> dict[str, str]:
    return {"bound": error.bound} if isinstance(error, BoundError) else {}


def _failed(error: ComeoError) -> Response:
    log.error("request failed", extra={"fields": {"path": logged_path(request.path), "error": str(error)}})
    return problem(500, FAILED)


def _http_error(error: HTTPException) -> Response:
    if error.response is not None and error.response.mimetype == MEDIA_TYPE:
        return error.response  # type: ignore[return-value]
    if error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    detail = error.description or HTTPStatus(error.code).phrase
    if error.code == 404:
        detail = f"there is nothing at {request.path}; see /docs for all addresses"
    if error.code == 413:
        detail = f"the body has more than {request.max_content_length} bytes"
    response = problem(error.code, detail)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        response.headers["Content-Range"] = f"bytes */{error.length}"
    return response


def _too_deep(_: RecursionError) -> Response:
    return problem(_status_for_stac(422), "the body is nested too deeply")


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error, extra={"fields": {"path": logged_path(request.path)}})
    return problem(500, "the server failed because of a mistake in the program; its log has the details")


def _message(entry: Any) -> str:
    message = str(entry["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
