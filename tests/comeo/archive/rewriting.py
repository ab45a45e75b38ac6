"""Changing what an archive says about itself."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def rewritten(data: bytes, key: str, change: Callable[[Any], Any]) -> bytes:
    """The archive with one metadata document changed, its ZIP sound."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == key:
                changed = change(json.loads(content))
                content = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
            target.writestr(info.filename, content)
    return buffer.getvalue()


def change_document(path: Path, key: str, change: Callable[[Any], Any]) -> None:
    """Change a metadata document of an archive in its file."""
    path.write_bytes(rewritten(path.read_bytes(), key, change))


def put(*path: str | int, value: Any) -> Callable[[Any], Any]:
    """A change that sets a member."""

    def change(document: Any) -> Any:
        node = document
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = value
        return document

    return change
