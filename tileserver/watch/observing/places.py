"""Where originals are found by the settings."""

from __future__ import annotations

from tileserver.settings import Settings
from tileserver.watch.observing.asked import AskedServer
from tileserver.watch.observing.originals import FirstOf, OriginalFolders, OriginalItems, Originals


def originals_of(settings: Settings) -> Originals | None:
    """Folders, then Items, then another server; None if there are originals nowhere."""
    places: list[Originals] = []
    if settings.originals:
        places.append(OriginalFolders(settings.originals))
    if settings.original_items:
        places.append(OriginalItems(settings.original_items))
    if settings.original_server:
        places.append(AskedServer(settings.original_server))
    return FirstOf(places) if places else None
