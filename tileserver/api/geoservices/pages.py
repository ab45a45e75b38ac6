"""Pages of links in messages: without scripts, in the reader's language, never kept."""

from __future__ import annotations

from typing import Final

from flask import Response, render_template

from tileserver.watch.words import direction_of, word

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def page(template: str, locale: str, title: str, **values: object) -> Response:
    """A page in a language."""

    def say(key: str) -> str:
        return word(locale, key)

    body = render_template(
        f"geoservices/{template}", locale=locale, direction=direction_of(locale), title=title, say=say,
        **values,
    )  # fmt: skip
    response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # its address is a secret
    response.headers["X-Robots-Tag"] = "noindex"
    return response
