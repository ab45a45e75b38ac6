"""Scenes and where they are: folders are scanned, an index is searched."""
