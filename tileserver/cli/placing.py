"""Where the archives of `comeo compress` go: onto a disk, or into a bucket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from comeo.archive.stores.buckets import find
from comeo.archive.stores.objects import writing_object
from comeo.errors import ArchiveError
from comeo.places import ObjectAddress

Place = Path | ObjectAddress


def check_free(place: Place, *, force: bool) -> None:
    """Refuse the place of an archive that is there already: said before minutes of work.

    Raises:
        ArchiveError: If one is there, and is not to be replaced.
    """
    if isinstance(place, ObjectAddress):
        if find(place) is not None:
            raise ArchiveError(f"{place} exists already, and objects are not replaced; choose another key")
    elif place.exists() and not force:
        raise ArchiveError(f"{place} exists already; use --force to replace it")


@contextlib.contextmanager
def written_for(place: Place) -> Iterator[Path]:
    """The file that an archive is written to, complete and verified, for a place: then it comes there.

    Raises:
        ArchiveError: If it cannot be put there, or something is there already.
    """
    if isinstance(place, Path):
        yield place
        return
    check_free(place, force=False)
    with writing_object(place) as path:
        yield path
