"""OGC API - Tiles."""
