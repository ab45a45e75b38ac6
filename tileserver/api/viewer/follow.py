"""The page of geoservices: lists, dashboards, sign-in. It is there where geoservices are on."""

from __future__ import annotations

from flask import Response, redirect, request
from flask_openapi3.blueprint import APIBlueprint

from tileserver.api.viewer.page import page_answer, text_of
from tileserver.api.viewer.routes import TAG, built_page
from tileserver.http.addresses import SLASHED
from tileserver.http.context import base_url

api = APIBlueprint("follow", __name__)
FOLDER = "follow"
"""Of the page, in that of the built viewer."""


@api.get("/follow", tags=[TAG])
def index() -> Response:
    """The page; what it shows is in the fragment of its address."""
    if SLASHED in request.environ:  # its own addresses are relative
        return redirect(f"{base_url()}/follow", 308)  # type: ignore[return-value]
    return built_page(lambda folder: page_answer(text_of(folder / FOLDER)))
