"""What is said of an archive that is on its way: the map beside a file with holes.

The map is what is published. Readers see the bytes that it lists and no others, so that a layer appears as a
whole; it is written after the bytes that it lists are on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import LARGEST_FILE, LocalFile, sync_folder, writing
from comeo.errors import ArchiveError

PART_SUFFIX: Final = ".zarr.part"
MAP_SUFFIX: Final = ".map"
SMALLEST_FILE: Final = 22
"""Bytes: of the end record of a ZIP."""
MAX_EXTENTS: Final = 1 << 16
MAX_LAYERS: Final = 16
_MAX_MAP_BYTES: Final = 2 << 20
_Offset = Annotated[int, Field(ge=0, le=LARGEST_FILE)]
_Layer = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:-]{0,63}$")]


class PartMap(BaseModel):
    """The map of a file with holes.

    Attributes:
        v: Version of the map.
        size: Bytes of the whole archive.
        etag: Of the whole archive: see `Store.fingerprint`.
        layers: Names of what is here as a whole.
        extents: Ranges that are here: sorted, and apart from each other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: Literal[1] = 1
    size: int = Field(ge=SMALLEST_FILE, le=LARGEST_FILE)
    etag: str = Field(pattern=r"^[0-9a-f]{32}$")
    layers: list[_Layer] = Field(max_length=MAX_LAYERS)
    extents: list[Annotated[list[_Offset], Field(min_length=2, max_length=2)]] = Field(max_length=MAX_EXTENTS)

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Ranges are in order, not empty, apart, and inside the file; layers are named once."""
        behind = -1
        for start, stop in self.extents:
            if not behind < start < stop <= self.size:
                raise ValueError(f"the range {start} to {stop} is out of order or outside the file")
            behind = stop
        if len(set(self.layers)) < len(self.layers):
            raise ValueError("a layer is named twice")
        return self

    @property
    def here(self) -> Extents:
        """The bytes that are here."""
        return Extents((start, stop) for start, stop in self.extents)

    @property
    def revision(self) -> str:
        """Hex digest of the map: it changes with what is here."""
        return hashlib.sha256(self.text()).hexdigest()[:32]

    def text(self) -> bytes:
        """The map as canonical JSON (members in order, no spaces)."""
        return json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":")).encode()


def map_path(part: Path) -> Path:
    """Where the map of a part lies."""
    return part.with_name(part.name + MAP_SUFFIX)


def read_map(part: Path) -> PartMap:
    """Read and check the map of a part.

    Raises:
        FileNotFoundError: If there is none.
        ArchiveError: If it is damaged or too large.
    """
    path = map_path(part)
    try:
        file = LocalFile(path)
        if file.size > _MAX_MAP_BYTES:
            raise ArchiveError(f"{path.name} is larger than {_MAX_MAP_BYTES} bytes; fetch the archive again")
        content = file.read(0, file.size)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, "it has no map, so nothing of it is here yet") from error
    except OSError as error:
        raise ArchiveError(f"{path.name} cannot be read: {error.strerror or error}") from error
    try:
        return PartMap.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its content"
        message = first["msg"].removeprefix("Value error, ")
        raise ArchiveError(f"{path.name} is damaged: {where}: {message}; fetch the archive again") from error


def write_map(part: Path, found: PartMap) -> None:
    """Put a map in the place of the one before, in one step, and on the disk.

    Raises:
        ArchiveError: If it cannot be written, or has more ranges than are read back.
    """
    try:
        content = PartMap.model_validate(found.model_dump()).text()
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise ArchiveError(f"the map of {part.name} cannot be written: {reason}") from error
    path = map_path(part)
    aside = part.with_name(f".{path.name}.partial")  # one name: who holds the part is alone
    with writing(path):
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(path.parent)
