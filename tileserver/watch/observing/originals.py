"""Where the sources of archives are found: in folders, or as STAC Items whose assets are read by ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from comeo.scene import Scene
from comeo.sources import open_source


@dataclass(frozen=True, slots=True)
class Source:
    """What an archive was made of.

    Attributes:
        id: Of the archive's Item.
        collection: Likewise.
        name: File or folder name of the source.
        checksum: SHA-256 over its band files; empty if unknown.
        bands: Names of the bands that are needed.
    """

    id: str
    collection: str
    name: str
    checksum: str
    bands: Sequence[str]


class Originals(Protocol):
    """Where sources are found."""

    def open(self, source: Source) -> Scene | None:
        """A source; None if it is not there.

        Raises:
            ComeoError: If it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class OriginalFolders:
    """Sources in folders, under the names that they had when they were compressed.

    Attributes:
        folders: Looked through in their order.
    """

    folders: Sequence[Path]

    def open(self, source: Source) -> Scene | None:
        """See `Originals`; a file of that name with other pixels is none."""
        for folder in self.folders:
            path = folder / Path(source.name).name
            if source.name and path.exists():
                scene = open_source(path)
                if not source.checksum or scene.source_checksum == source.checksum:
                    return scene
                scene.close()
        return None


@dataclass(frozen=True, slots=True)
class OriginalItems:
    """Sources as Items of a STAC API or a static catalogue.

    Attributes:
        template: URL of an Item, with `{id}`, `{collection}` and `{source}` in it: Item and collection of the
            archive, name of its source without its extension.
    """

    template: str

    def open(self, source: Source) -> Scene | None:
        """See `Originals`; its assets are read by ranges, the bands that are needed alone."""
        names = {"id": source.id, "collection": source.collection, "source": Path(source.name).stem}
        url = self.template.format(**{name: quote(text, safe="") for name, text in names.items()})
        return open_source(url, bands=source.bands)


@dataclass(frozen=True, slots=True)
class FirstOf:
    """Several places, looked through in their order.

    Attributes:
        places: Them.
    """

    places: Sequence[Originals]

    def open(self, source: Source) -> Scene | None:
        """See `Originals`."""
        return next((scene for each in self.places if (scene := each.open(source))), None)
