"""COMEO: Sentinel scenes at a hundredth of their size, decoded block by block.

The names in `__all__` are the public interface; docs/python.md describes them. Each is imported when it is
first used, so that `import comeo` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comeo.archive import open_archive
    from comeo.codecs import codec_names, get_codec
    from comeo.compression import compress
    from comeo.export.extract import extract
    from comeo.quality.archives import qualify
    from comeo.sources import open_source

    __version__: str

__all__ = [
    "__version__",
    "codec_names",
    "compress",
    "extract",
    "get_codec",
    "open_archive",
    "open_source",
    "qualify",
]

# Here `import comeo.compress` finds a module; beside this file it would hide the function from type checkers.
__path__.append(f"{__path__[0]}/legacy")

_MODULES = {
    "codec_names": "comeo.codecs",
    "compress": "comeo.compression",
    "extract": "comeo.export.extract",
    "get_codec": "comeo.codecs",
    "open_archive": "comeo.archive",
    "open_source": "comeo.sources",
    "qualify": "comeo.quality.archives",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use (PEP 562)."""
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("comeo")
    elif name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported already or not."""
    return sorted(globals() | dict.fromkeys(__all__))
