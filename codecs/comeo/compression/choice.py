"""Which codec a scene is coded with, and by which model."""

from __future__ import annotations

from comeo.codecs import Codec, get_codec
from comeo.decibel import uses_power
from comeo.missions import SENTINEL1
from comeo.scene import Scene


def codec_for(scene: Scene, name: str) -> Codec:
    """The codec of that name, for a scene.

    Scenes that are radar backscatter in all their groups take the model that was trained on Sentinel-1,
    whatever mission they are of; all others take the codec's own, which was trained on Sentinel-2.

    Args:
        scene: Its bands in decibels are in groups of their own.
        name: Of the codec.

    Raises:
        CodecError: If the name is unknown.
    """
    codec = get_codec(name)
    if codec.model_digest is None or not all(uses_power(group.bands) for group in scene.groups):
        return codec
    from comeo.codecs.learned import models  # noqa: PLC0415 - a codec without models needs no networks

    return get_codec(name, model=models()[SENTINEL1.default_model])
