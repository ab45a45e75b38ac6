"""Compression: from a scene to an archive."""

from comeo.compression.compress import compress
from comeo.progress import Progress, Silent

__all__ = ["Progress", "Silent", "compress"]
