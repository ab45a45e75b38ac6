"""A newer version of a scene takes the place of the one that is served."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from comeo.archive.stores.file import sync_folder, writing
from comeo.archive.stores.parts import map_path
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Journal, Kept
from tileserver.relay.plan.definition import Layer


def is_as_good(kept: Kept, older: Kept, wanted: Collection[Layer]) -> bool:
    """Whether a version that lies aside may take another one's place.

    Args:
        kept: That lies aside.
        older: That is served.
        wanted: Layers of the newer one that are wanted: all of them are enough in any case.
    """
    needed = {"head", *wanted}.intersection(("head", *older.here))
    return needed.issubset(kept.here)


def swap(journal: Journal, folder: Folder, kept: Kept) -> Kept:
    """Let a version that lies aside be served; the older ones are removed.

    The journal is told first, and `finish_swap` does what a kill prevents. Until the new version has its
    name, there is a moment without either.

    Raises:
        ArchiveError: If a file cannot be renamed.
    """
    after = replace(kept, aside=False)
    with journal.writing():
        for older in journal.versions(kept.key.collection, kept.key.id):
            if older.key != kept.key:
                journal.remove(older.key)
        journal.put(after)
    finish_swap(journal, folder, after)
    return after


def finish_swap(journal: Journal, folder: Folder, kept: Kept) -> None:
    """Move the files of a scene that the journal says are served, and lie aside."""
    if kept.aside or any(each.aside for each in journal.versions(kept.key.collection, kept.key.id)):
        return
    collection, item, _ = kept.key
    whole, part = (name(collection, item) for name in (folder.whole, folder.part))
    new_whole, new_part = (name(collection, item, aside=True) for name in (folder.whole, folder.part))
    with writing(whole):
        if kept.state == "whole" and new_whole.exists():
            whole.parent.mkdir(parents=True, exist_ok=True)
            new_whole.replace(whole)
            map_path(part).unlink(missing_ok=True)
            part.unlink(missing_ok=True)
        elif kept.state == "coming" and map_path(new_part).exists():
            part.parent.mkdir(parents=True, exist_ok=True)
            if new_part.exists():  # else a kill came between the two
                map_path(part).unlink(missing_ok=True)  # a part without a map is not served
                new_part.replace(part)
            map_path(new_part).replace(map_path(part))
            whole.unlink(missing_ok=True)
        else:
            return
        sync_folder(whole.parent)
