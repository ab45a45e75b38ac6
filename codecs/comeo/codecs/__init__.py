"""Codecs by name, each imported on first use: numba, SciPy and imagecodecs take a second to load."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from comeo.errors import CodecError

if TYPE_CHECKING:
    from comeo.codecs.base import Codec
    from comeo.codecs.learned import Model
    from comeo.settings import CodecSettings

_CLASSES: Final = {
    "dct": "comeo.codecs.dct.codec:DctCodec",
    "jpeg2000": "comeo.codecs.jpeg2000.codec:Jpeg2000Codec",
    "learned": "comeo.codecs.learned.codec:LearnedCodec",
}
DEFAULT_CODEC: Final = "learned"


def codec_names() -> list[str]:
    """Names of the codecs."""
    return list(_CLASSES)


def codec_class(name: str) -> type[Codec]:
    """Return the class of a codec, importing it.

    Raises:
        CodecError: If the name is unknown.
    """
    if not isinstance(name, str) or name not in _CLASSES:
        raise CodecError(f"codec {name!r} is unknown; choose one of {', '.join(_CLASSES)}")
    module, _, kind = _CLASSES[name].partition(":")
    found: type[Codec] = getattr(importlib.import_module(module), kind)
    return found


def get_codec(name: str, *, model: Model | None = None, settings: CodecSettings | None = None) -> Codec:
    """Return a codec, safe to share between threads.

    Args:
        name: One of `codec_names()`.
        model: Model to encode with; by default the codec's own. Decoding takes the one that a payload names.
        settings: By default those of `comeo.settings.current()`, at each use.

    Returns:
        The same instance for each call with a name alone, else a new one.

    Raises:
        CodecError: If the name is unknown, or the codec has no models.
    """
    if model is None and settings is None and isinstance(name, str):
        return _shared_codec(name)
    return codec_class(name).customised(model, settings)


@cache
def _shared_codec(name: str) -> Codec:
    return codec_class(name)()


def __getattr__(name: str) -> Any:
    if name == "Codec":
        from comeo.codecs.base import Codec  # noqa: PLC0415 - a program that only names codecs needs no NumPy

        return Codec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["DEFAULT_CODEC", "Codec", "codec_class", "codec_names", "get_codec"]
