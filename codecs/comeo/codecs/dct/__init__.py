"""The `dct` codec: see `codec` for how it works."""

from comeo.codecs.dct.codec import DctCodec

__all__ = ["DctCodec"]
