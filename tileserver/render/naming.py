"""Names for people."""

from __future__ import annotations

import re
from datetime import datetime

from tileserver.render.plan import RenderRequest

_LONGEST = 200


def collection_title(name: str) -> str:
    """`sentinel-2-l2a` → `Sentinel-2 L2A`."""
    words = name.replace("_", "-").split("-")
    if words[0] == "sentinel" and len(words) > 1:
        return " ".join([f"Sentinel-{words[1].upper()}", *(word.upper() for word in words[2:])])
    return name


def file_name(scene: str, moment: datetime | None, request: RenderRequest) -> str:
    """What a file of a scene is called, without its extension: scene, day if its id has none, content.

    Args:
        scene: Its id.
        moment: When it was acquired.
        request: What the file holds.
    """
    day = "" if moment is None else f"{moment:%Y-%m-%d}"
    told = day in scene or day.replace("-", "") in scene
    what = request.style or ("expression" if request.expression else "-".join(request.bands or ()))
    versus = f"against-{request.against}" if request.against else ""
    stem = "_".join(part for part in (scene, "" if told else day, what, versus) if part)
    return re.sub(r"[^\w.@-]+", "-", stem)[:_LONGEST]
