"""glymur, which the tests write JPEG 2000 with and read it a second time, and the library that it needs.

glymur looks for OpenJPEG among the system's libraries, which a bare machine does not have. Wheels that are
installed anyway carry it. glymur takes its structures from the library that it finds on import, so another
has to be named before that, in its configuration file: tests may change the environment for so long.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final
from unittest import mock

_CARRIERS: Final = {"rasterio": "rasterio.libs", "PIL": "pillow.libs", "imagecodecs": "imagecodecs.libs"}


@cache
def load_glymur() -> ModuleType:
    """Import glymur with the library of an installed wheel."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, XDG_CONFIG_HOME=folder):
        configuration = Path(folder) / "glymur" / "glymurrc"
        configuration.parent.mkdir()
        configuration.write_text(f"[library]\nopenjp2: {bundled_library()}\n", "utf-8")
        import glymur

    return glymur  # type: ignore[no-any-return]


def bundled_library() -> Path:
    """The OpenJPEG library in an installed wheel."""
    for package, folder in _CARRIERS.items():
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            packages = Path(spec.origin).parent.parent
            if found := sorted((packages / folder).glob("*openjp2*")):
                return found[0]
    raise FileNotFoundError("no installed wheel carries OpenJPEG; install the package libopenjp2-7")
