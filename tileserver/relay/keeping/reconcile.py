"""At the start: what a kill has left between files and journal is brought together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.parts import MAP_SUFFIX, PART_SUFFIX, read_map
from comeo.archive.stores.sparse import SparseWriter
from comeo.errors import ArchiveError
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Journal, Kept
from tileserver.relay.keeping.offering import offer_in
from tileserver.relay.keeping.retention import settle_faded
from tileserver.relay.keeping.swapping import finish_swap


def reconcile(journal: Journal, folder: Folder, note: Callable[[str], None]) -> None:
    """Bring files and journal together.

    Args:
        journal: Of the relay.
        folder: Its files.
        note: Called with what people should know.

    Raises:
        ComeoError: If files cannot be read or removed.
    """
    for kept in [*journal.scenes()]:
        finish_swap(journal, folder, kept)
        found = _as_on_disk(folder, kept, note)
        if found != kept:
            journal.put(found)
        if found.keeps is not None and found.layers:
            settle_faded(folder, found)
    known = {folder.part_of(each) for each in journal.scenes() if each.state != "whole"}
    for part in [*folder.archives.glob(f"*/*{PART_SUFFIX}"), *folder.aside.glob(f"*/*{PART_SUFFIX}")]:
        if part not in known:
            SparseWriter.discard(part)
    maps = f"*/*{PART_SUFFIX}{MAP_SUFFIX}"
    for path in [*folder.archives.glob(maps), *folder.aside.glob(maps)]:
        if not path.with_name(path.name.removesuffix(MAP_SUFFIX)).exists():
            path.unlink(missing_ok=True)


def _as_on_disk(folder: Folder, kept: Kept, note: Callable[[str], None]) -> Kept:
    """A scene as its files are."""
    whole, part = folder.whole_of(kept), folder.part_of(kept)
    size = offer_in(kept.line).size
    if kept.state == "whole":
        if whole.exists() and whole.stat().st_size == size:
            return kept
        note(f"{whole.name} is no longer there; it is fetched again")
        return _nothing(kept)
    renamed = whole.exists() and whole.stat().st_size == size and kept.received.covers(0, size)
    if kept.keeps is None and renamed:
        return replace(kept, state="whole")  # it was renamed, and the journal not told
    if not kept.received.total:
        return kept
    if _is_part_of(part, size, kept.key.etag) or (kept.keeps is not None and whole.exists()):
        return kept
    note(f"{part.name} is no longer there; it is fetched again")
    return _nothing(kept)


def _is_part_of(part: Path, size: int, etag: str) -> bool:
    try:
        found = read_map(part)
        return part.stat().st_size == size and (found.size, found.etag) == (size, etag)
    except (FileNotFoundError, ArchiveError):
        return False


def _nothing(kept: Kept) -> Kept:
    """A scene of which nothing is here."""
    return replace(kept, state="coming", received=Extents(), layers=(), published=0)
