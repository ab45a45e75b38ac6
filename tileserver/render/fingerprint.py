"""ETags: digests of everything that an answer depends on, the program that makes it included.

Pictures depend on a revision that is raised by hand, so that caches keep them while their pixels stay the
same, whatever else changes in the program. Files and documents depend on all of its code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # which brings rasterio: a job that waits for its slot needs none of it
    from comeo.grid import Grid

REVISION = 6
"""Of the rendering. Raise it whenever any picture's pixels change: `tests/tileserver/render/test_golden.py`
fails until that is done, be the reason in this program or in a library that it uses."""
PACKAGES = ("comeo", "tileserver")
# Models are left out, since an archive's own ETag has the digest of its model; so are the built viewer and
# compiled files, which differ between machines of one release.
SUFFIXES = (".py", ".npz", ".toml", ".txt")
SOFTWARE_VERSION = version("comeo")


def digest_of(packages: Iterable[Traversable]) -> str:
    """Digest of the sources of packages: the same wherever these are the same, whatever their dates."""
    digest = hashlib.sha256()
    for package in packages:
        for name, file in sorted(_sources(package, package.name)):
            content = file.read_bytes()
            digest.update(f"{name}\n{len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _sources(folder: Traversable, name: str) -> Iterable[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        inside = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _sources(entry, inside)
        elif entry.name.endswith(SUFFIXES):
            yield inside, entry


def installed_code() -> str:
    """Digest of both packages as they lie on disk now."""
    return digest_of(map(resources.files, PACKAGES))


# On import, and so before the processes of a server part: they agree even if files change while they start.
CODE = installed_code()


def fingerprint(*parts: Any) -> str:
    """Digest of what a picture depends on, the revision of the rendering included: 32 hexadecimal digits.

    GeoTIFFs carry the program's version as a tag.
    """
    return _digest(REVISION, SOFTWARE_VERSION, *parts)


def tile_fingerprint(content: Any, grid: Grid, request: Any, extension: str) -> str:
    """Digest of what a tile depends on.

    Args:
        content: What the scenes that it is made of are known by.
        grid: Of the tile.
        request: Pixels that are requested, and how to show them.
        extension: Of the image.
    """
    place = grid.crs.to_string(), tuple(grid.transform), grid.height, grid.width
    return fingerprint(content, *place, request, extension)


def code_fingerprint(*parts: Any) -> str:
    """Digest of what a file or document depends on, the program's code included."""
    return _digest(CODE, *parts)


def _digest(*parts: Any) -> str:
    text = "\n".join(map(repr, parts))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
