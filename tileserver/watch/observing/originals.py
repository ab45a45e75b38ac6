"""Originals of archives around a place: from folders, or as STAC Items whose assets are read by ranges.

A window of an original is handed on as an archive that is coded almost without loss, so that the same reader
observes a site in it as in the compressed copy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from comeo.compression import compress
from comeo.errors import BoundError
from comeo.grid import Bounds
from comeo.scene import Band, Scene
from comeo.sources import open_source
from comeo.sources.window import window_of
from tileserver.catalog import Record
from tileserver.render.scenes import Scenes

FINE_STEP: Final = 1.0
"""Of the numbers as stored: what is coded with it is off by a quarter on average."""
MOST_SAMPLES: Final = 32 << 20
"""Of a window, all bands together: a square of 13 km of twelve bands."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an archive was made of.

    Attributes:
        id: Of the archive's Item.
        collection: Likewise.
        name: File or folder name of the source.
        checksum: SHA-256 over its band files; empty if unknown.
        bands: As the archive has them.
    """

    id: str
    collection: str
    name: str
    checksum: str
    bands: Sequence[Band]


def source_of(scenes: Scenes, record: Record) -> Source:
    """What the archive of a scene says of its source."""
    source = scenes.catalog.info(record)["source"]
    return Source(record.id, record.collection, source["name"], source["sha256"], record.bands)


class Originals(Protocol):
    """Where originals are found."""

    def window(self, source: Source, bounds: Bounds, path: Path) -> bool:
        """Write what lies around a place into an archive; whether the original is there.

        Args:
            source: The original.
            bounds: (west, south, east, north) in degrees.
            path: Of the archive, a `.zarr.zip` that is not there yet.

        Raises:
            ComeoError: If the original cannot be read.
            OSError: Likewise, or the archive cannot be written.
        """


class _Opened(ABC):
    """Originals that can be opened here."""

    @abstractmethod
    def open(self, source: Source) -> Scene | None:
        """An original; None if it is not there."""

    def window(self, source: Source, bounds: Bounds, path: Path) -> bool:
        """See `Originals`; no more of the original is read than the window."""
        scene = self.open(source)
        if scene is None:
            return False
        with scene:
            part = window_of(scene, bounds)
            if sum(each.height * each.width * len(each.bands) for each in part.groups) > MOST_SAMPLES:
                raise BoundError("the place is too large to be looked up in originals", "area")
            compress(_as_archived(part, source.bands), path, codec="dct", step=FINE_STEP)
        return True


@dataclass(frozen=True, slots=True)
class OriginalFolders(_Opened):
    """Originals in folders, under the names that they had when they were compressed.

    Attributes:
        folders: Looked through in their order.
    """

    folders: Sequence[Path]

    def open(self, source: Source) -> Scene | None:
        """A file of that name; one with other pixels is none."""
        for folder in self.folders:
            path = folder / Path(source.name).name
            if source.name and path.exists():
                scene = open_source(path)
                if not source.checksum or scene.source_checksum == source.checksum:
                    return scene
                scene.close()
        return None


@dataclass(frozen=True, slots=True)
class OriginalItems(_Opened):
    """Originals as Items of a STAC API or a static catalogue.

    Attributes:
        template: URL of an Item, with `{id}`, `{collection}` and `{source}` in it: Item and collection of the
            archive, name of its source without its extension.
    """

    template: str

    def open(self, source: Source) -> Scene | None:
        """An Item; its assets are read by ranges, the bands that are needed alone."""
        names = {"id": source.id, "collection": source.collection, "source": Path(source.name).stem}
        url = self.template.format(**{name: quote(text, safe="") for name, text in names.items()})
        return open_source(url, bands=[each.name for each in source.bands])


@dataclass(frozen=True, slots=True)
class FirstOf:
    """Several places, looked through in their order.

    Attributes:
        places: Them.
    """

    places: Sequence[Originals]

    def window(self, source: Source, bounds: Bounds, path: Path) -> bool:
        """See `Originals`."""
        return any(each.window(source, bounds, path) for each in self.places)


def _as_archived(scene: Scene, bands: Sequence[Band]) -> Scene:
    """A source with the bands as the archive has them: with the scale that was given to `compress`."""
    known = {each.name: each for each in bands}
    groups = tuple(
        replace(group, bands=tuple(known.get(each.name, each) for each in group.bands))
        for group in scene.groups
    )
    return replace(scene, groups=groups)
