"""What people look at and is not here: told to the process that runs the relay, which may fetch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Flask, Response, g, request

from comeo.view.missing import Missing
from tileserver.render.partial import PartialImage

if TYPE_CHECKING:
    from tileserver.relay.keeping.serving import Watching

_MISSING: Final = "missing_blocks"
_SHOWN: Final = "partial_image"


def missing() -> Missing:
    """Where the pictures of this request note what they lack."""
    found: Missing | None = g.get(_MISSING)
    if found is None:
        found = Missing()
        setattr(g, _MISSING, found)
    return found


def shown(image: PartialImage) -> None:
    """Note an image that is sent, which may have been drawn for an earlier request."""
    setattr(g, _SHOWN, image)


def register(app: Flask, watching: Watching) -> None:
    """Have what the pictures of GET requests lack written down."""

    def remember(response: Response) -> Response:
        noted: Missing | None = g.get(_MISSING)
        image: PartialImage | None = g.get(_SHOWN)
        blocks = {**(noted.blocks if noted else {}), **(image.missing if image else {})}
        if blocks and request.method == "GET":
            watching.saw(blocks)
        return response

    app.after_request(remember)
