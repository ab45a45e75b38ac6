"""Conditional requests (RFC 9110, 13.1): the one place where ETags of clients are compared with ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import Response, request
from werkzeug.http import quote_etag


def is_known(etag: str) -> bool:
    """Whether the client has the answer with this ETag already, by its If-None-Match.

    ETags are compared weakly, as RFC 9110 13.1.2 demands: compression, here or in a proxy, makes a strong
    ETag weak, and the content stays the same. Only GET and HEAD are answered with 304.
    """
    return request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(etag)


def may_continue(etag: str) -> bool:
    """Whether a range still means the file that the client has part of, by its If-Range, if there is one.

    Compared strongly (RFC 9110, 13.1.5): a weak ETag, and a date, say too little about single bytes.
    """
    wanted = request.headers.get("If-Range", "").strip()
    return not wanted or wanted == quote_etag(etag)


def answer_unless_known(etag: str, make: Callable[[], Response]) -> Response:
    """Answer with 304 if the client has the answer already; else make it.

    Args:
        etag: ETag of the answer, known before any work.
        make: Makes the answer.

    Returns:
        The answer, with its ETag.
    """
    response = Response(status=304) if is_known(etag) else make()
    response.set_etag(etag)
    return response


def answer_by_content(response: Response) -> Response:
    """Give an answer the digest of its body as ETag; make it a 304 if the client has it already."""
    response.add_etag()
    return cast("Response", response.make_conditional(request))
