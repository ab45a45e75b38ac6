"""glymur, which the tests write JPEG 2000 with and read it a second time, and the library that it needs.

glymur looks for OpenJPEG among the system's libraries, which a bare machine does not have. Wheels that are
installed anyway carry it.
"""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

_OLDEST: Final = "2.4.0"
_CARRIERS: Final = {"rasterio": "rasterio.libs", "PIL": "pillow.libs", "imagecodecs": "imagecodecs.libs"}


@cache
def load_glymur() -> ModuleType:
    """Import glymur, handing it a library if it found none."""
    import glymur

    if glymur.version.openjpeg_version < _OLDEST:
        glymur.lib.openjp2.OPENJP2 = ctypes.CDLL(str(bundled_library()))
        glymur.version.openjpeg_version = glymur.lib.openjp2.version()
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
