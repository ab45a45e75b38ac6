"""The description of the interface: OpenAPI, and a page to try it, without any other server."""

from __future__ import annotations

from flask import Response, jsonify, redirect
from flask_openapi3.openapi import OpenAPI
from flask_openapi3_swagger.plugins import RegisterPlugin  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from tileserver.http import openapi

PREFIX = "/docs"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:"
)


class Problem(BaseModel):
    """An error: application/problem+json (RFC 9457)."""

    type: str = Field("about:blank")
    title: str = Field(description="Meaning of the status.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="One sentence that helps.")
    instance: str = Field(description="Path of the request.")


def register(app: OpenAPI) -> None:
    """Add `/openapi.json` and `/docs` to an application."""
    blueprint = RegisterPlugin.register("../openapi.json")

    blueprint.after_request(_allow_inline)
    app.register_blueprint(blueprint, url_prefix=PREFIX)
    app.add_url_rule("/openapi.json", "openapi", lambda: _openapi(app))
    app.add_url_rule(PREFIX, "docs", lambda: redirect(f"{PREFIX.lstrip('/')}/swagger"))
    # A page with relative links has one address. So are these redirects: a proxy may have cut a prefix.
    app.add_url_rule(f"{PREFIX}/", "docs_slash", lambda: redirect("swagger"))
    app.add_url_rule(f"{PREFIX}/swagger/", "swagger_slash", lambda: redirect("../swagger"))


def _allow_inline(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _openapi(app: OpenAPI) -> Response:
    answer = jsonify(openapi.finished(app.api_doc))
    answer.content_type = openapi.DOCUMENT_TYPE
    return answer
