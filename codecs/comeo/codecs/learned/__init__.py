"""The `learned` codec: a lapped transform whose symbols' probabilities a network has learned."""

from comeo.codecs.learned.codec import LearnedCodec
from comeo.codecs.learned.model import Model, find_model, models

__all__ = ["LearnedCodec", "Model", "find_model", "models"]
