"""glymur, with an OpenJPEG library that it finds without root.

glymur looks for a system library, which a bare machine has not. rasterio's, Pillow's and imagecodecs' wheels
each carry one: that is where glymur's configuration file is made to point while it is imported.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from comeo.errors import SourceError

_CARRIERS: Final = ("rasterio", "PIL", "imagecodecs")
_lock = threading.Lock()


def load_glymur() -> ModuleType:
    """Import glymur.

    Raises:
        SourceError: If no OpenJPEG library is to be found.
    """
    with _lock:
        return _load()


@cache
def _load() -> ModuleType:
    library = bundled_library()
    if "glymur" in sys.modules or library is None or _has_configuration():
        import glymur  # noqa: PLC0415
    else:
        glymur = _import_with(library)
    if glymur.version.openjpeg_version < "2.4.0":
        raise SourceError(
            "glymur finds no OpenJPEG library of version 2.4 or later; "
            "install rasterio's wheel, or the package libopenjp2-7"
        )
    return glymur  # type: ignore[no-any-return]


def bundled_library() -> Path | None:
    """An OpenJPEG library that an installed wheel carries, or None."""
    for package in _CARRIERS:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        home = Path(spec.origin).parent
        distribution = "pillow" if package == "PIL" else package
        for folder in (home.parent / f"{distribution}.libs", home / ".dylibs"):
            if found := sorted(folder.glob("*openjp2*")):
                return found[0]
    return None


def _configuration_folders() -> list[Path]:
    """Where glymur looks for its own configuration."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("HOME", "")
    under = Path(home) if "XDG_CONFIG_HOME" in os.environ else Path(home) / ".config"
    return [Path.cwd(), under / "glymur"]


def _has_configuration() -> bool:
    return any((folder / "glymurrc").exists() for folder in _configuration_folders())


def _import_with(library: Path) -> ModuleType:
    """Import glymur under a configuration file that names the library."""
    before = os.environ.get("XDG_CONFIG_HOME")
    with tempfile.TemporaryDirectory(prefix="comeo-") as folder:
        configuration = Path(folder) / "glymur" / "glymurrc"
        configuration.parent.mkdir()
        configuration.write_text(f"[library]\nopenjp2: {library}\n", "utf-8")
        os.environ["XDG_CONFIG_HOME"] = folder
        try:
            import glymur  # noqa: PLC0415
        finally:
            if before is None:
                del os.environ["XDG_CONFIG_HOME"]
            else:
                os.environ["XDG_CONFIG_HOME"] = before
    return glymur  # type: ignore[no-any-return]
