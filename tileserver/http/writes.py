"""Documents that several people change: ETags of their state, and writes that rest on an old one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request
from pydantic_core import to_json

from tileserver.errors import ChangedError, UnconditionalError
from tileserver.http.conditional import is_known

_LENGTH: Final = 24


def state_tag(document: Mapping[str, Any]) -> str:
    """The ETag of a document's state."""
    return hashlib.sha256(to_json(document)).hexdigest()[:_LENGTH]


def state_answer(
    document: Mapping[str, Any], status: int = 200, content_type: str = "application/json", *,
    shown_once: Mapping[str, Any] | None = None,
) -> Response:  # fmt: skip
    """Answer with a document, and with the ETag by which it is changed.

    Args:
        document: It.
        status: Of HTTP.
        content_type: Of the answer.
        shown_once: What only this answer says besides; no part of the state.
    """
    tag = state_tag(document)
    known = status == 200 and is_known(tag)
    body = b"" if known else to_json({**document, **(shown_once or {})})
    response = Response(body, 304 if known else status, content_type=content_type)
    response.set_etag(tag)
    return response


def check_unchanged(document: Mapping[str, Any], *, required: bool = True) -> None:
    """Refuse a write that rests on another state than there is, by its If-Match.

    Compared weakly: compression makes the ETag weak, and the state is the same.

    Args:
        document: As it is.
        required: Whether a write without If-Match is refused, too.

    Raises:
        ChangedError: If somebody has changed it meanwhile.
        UnconditionalError: If it does not say what it rests on.
    """
    if "If-Match" not in request.headers:
        if required:
            raise UnconditionalError("send If-Match with the ETag that GET gives, so that no change is lost")
        return
    if not request.if_match.contains_weak(state_tag(document)):
        raise ChangedError("somebody has changed it meanwhile; read it again, and send the change anew")
