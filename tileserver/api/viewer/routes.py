"""The viewer: a page and its assets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from flask import Response, jsonify, render_template
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from comeo.errors import NotFoundError
from tileserver.api.viewer.page import page
from tileserver.http.compression import send_smallest
from tileserver.http.context import scenes
from tileserver.http.parameters import FilePath

api = APIBlueprint("viewer", __name__)
TAG = Tag(name="Viewer", description="The page that shows the scenes.")
SERVICE_WORKER = "sw.js"
FOREVER = "public, max-age=31536000, immutable"


@api.get("/", tags=[TAG])
def index() -> Response:
    """The viewer."""
    return built_page(lambda folder: page(scenes(), folder))


def built_page(make: Callable[[Path], Response]) -> Response:
    """A page of the built viewer with its headers; 503 where there is none.

    Args:
        make: The page of the viewer's folder.
    """
    folder = scenes().settings.static_folder
    if folder is None:
        response = Response(render_template("not_built.html"), 503)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        return response
    response = make(folder)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = _policy()
    return response


@api.get("/assets/<path:name>", doc_ui=False)
def asset(path: FilePath) -> Response:
    """A file of the viewer whose name changes with its content."""
    return _file("assets", path.name, FOREVER)


@api.get("/<name>", doc_ui=False)
def file(path: FilePath) -> Response:
    """Another file of the viewer, whose name stays: its manifest, its service worker."""
    return _file("", path.name, "no-cache" if path.name == SERVICE_WORKER else "public, max-age=3600")


@api.get("/viewer-config.json", tags=[TAG])
def config() -> Response:
    """Settings of the operator for the viewer."""
    settings = scenes().settings
    basemap = None
    if settings.basemap:
        basemap = {"tiles": [settings.basemap], "attribution": settings.basemap_attribution, "maxzoom": 19}
    return jsonify(
        {
            "basemap": basemap,
            "publish": settings.pof_write,
            "geoservices": settings.database is not None,
            "relay": settings.relay_definition is not None,
        }
    )


def _file(place: str, name: str, cache_control: str) -> Response:
    """A file of the viewer's, in a folder of it; 404 without one, or without a viewer."""
    folder = scenes().settings.static_folder
    if folder is None:
        raise NotFoundError("the viewer has not been built")
    response = send_smallest(folder / place, name)
    response.headers["Cache-Control"] = cache_control
    # a worker, the service worker too, obeys the policy that it came with rather than its page's
    response.headers["Content-Security-Policy"] = _policy()
    return response


def _policy() -> str:
    """Content security policy of the page: nothing but this server, and the basemap if there is one."""
    parts = urlsplit(scenes().settings.basemap)
    basemap = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return "; ".join(
        (
            "default-src 'self'",
            f"connect-src 'self'{basemap}",
            f"img-src 'self' data: blob:{basemap}",
            "style-src 'self' 'unsafe-inline'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "frame-ancestors 'self'",
        )
    )
