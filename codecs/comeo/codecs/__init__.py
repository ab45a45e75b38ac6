"""Codecs by name."""

from __future__ import annotations

from functools import cache

from comeo.codecs.base import Codec
from comeo.codecs.dct import DctCodec
from comeo.codecs.jpeg2000.codec import Jpeg2000Codec
from comeo.codecs.learned import LearnedCodec
from comeo.errors import CodecError

_CODECS: dict[str, type[Codec]] = {codec.name: codec for codec in (DctCodec, Jpeg2000Codec, LearnedCodec)}

DEFAULT_CODEC = LearnedCodec.name


def codec_names() -> list[str]:
    """Names that `get_codec` takes."""
    return list(_CODECS)


@cache
def get_codec(name: str) -> Codec:
    """Return a codec, one instance a name, safe to share between threads.

    Raises:
        CodecError: If there is none of that name.
    """
    if name not in _CODECS:
        raise CodecError(f"there is no codec {name!r}; choose one of {', '.join(_CODECS)}")
    return _CODECS[name]()


__all__ = ["DEFAULT_CODEC", "Codec", "codec_names", "get_codec"]
