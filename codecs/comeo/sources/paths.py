"""Paths that come from a product: none may lead out of its folder."""

from __future__ import annotations

from pathlib import Path

from comeo.errors import SourceError


def inside(folder: Path, path: Path) -> Path:
    """Return the path of a product's file: links may lead anywhere in the product's folder, not out of it.

    Args:
        folder: Of the product.
        path: In it, as far as names tell.

    Returns:
        The path as it was given: a file's own name says what it holds, not that of what it links to.

    Raises:
        SourceError: If it leads elsewhere, or cannot be a path.
    """
    try:
        within = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL, a name too long
        raise SourceError(f"{path.name[:200]!r} is not the name of a file: {error}") from error
    if not within:
        raise SourceError(f"{path.name} leads out of the folder {folder.name}; copy what it links to there")
    return path
