"""What of an answer others may see: other sites, caches, the log."""

from __future__ import annotations

from typing import Final

from flask import Response, g, request

ANSWER: Final = "comeo_answer"
"""In `flask.g`: `varies` where it matters whether somebody is signed in, `private` where somebody is."""

BARE: Final = "comeo_bare"
"""In `flask.g`: the answer is empty, for programs that pay for bytes, without what browsers read."""


def shield(response: Response) -> bool:
    """Keep an answer that rests on a cookie from other sites and from caches.

    Returns:
        Whether other sites may read the answer.
    """
    kind = g.get(ANSWER)
    if kind is not None:
        response.vary.add("Cookie")
    if kind != "private":
        return True
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return False


def logged_path(path: str) -> str:
    """A request's path for the log: the secrets of links, and of those who sign in, are left out."""
    if request.path.startswith("/account/"):  # to which a provider of identities adds its code
        path = path.partition("?")[0]
    token = (request.view_args or {}).get("token")
    return path.replace(str(token), "…") if token else path
