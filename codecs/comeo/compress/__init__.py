"""Compression: from a scene to an archive."""

from comeo.compress.compress import compress
from comeo.progress import Progress, Silent

__all__ = ["Progress", "Silent", "compress"]
