"""Pixels of an archive as GeoTIFF."""
