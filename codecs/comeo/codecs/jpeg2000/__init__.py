"""JPEG 2000: wavelets and EBCOT by OpenJPEG."""

from comeo.codecs.jpeg2000.codec import Jpeg2000Codec

__all__ = ["Jpeg2000Codec"]
