"""Scenes and collections in TiTiler's manner: tiles, previews, values, extracts, archives, jobs."""
