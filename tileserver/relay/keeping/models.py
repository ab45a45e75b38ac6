"""Learned models that scenes of a relay need and this version lacks: fetched where its operator allows it.

What names them are signed lines, by SHA-256. A model has networks, which onnxruntime runs, so an origin has
to be trusted with it: nothing is fetched unless the relay's definition says so of the origin. It is bounded
in size, compared with its SHA-256, and tried on a block before it is put where decoders find it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from comeo.archive.stores.file import sync_folder
from comeo.codecs.learned.folder import MOST_BYTES, check_model, file_name
from comeo.codecs.learned.model import TAG_BYTES, models
from comeo.codecs.learned.sessions import check_provider
from comeo.errors import CodecError
from comeo.settings import current
from tileserver.relay.errors import UnreachableError, UpstreamError
from tileserver.relay.keeping.bringing import Bringer
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Journal

AGAIN: Final = timedelta(days=1)
"""Until a model that was refused is asked for again."""
_PART: Final = ".part"
_FAULT: Final = "model "
_ALLOW: Final = (
    "install a newer version of comeo, or have it fetched: models = true of the origin in RELAY.toml"
)
_COMES: Final = "it is fetched as soon as the link allows"
_REFUSED: Final = "what the origin gives is not used; a newer version of comeo may have it"


class Models:
    """The models of a relay.

    Args:
        journal: Of the relay.
        folder: Its files.
        note: Called with what people should know.
        clock: Time in UTC.
    """

    def __init__(
        self, journal: Journal, folder: Folder, note: Callable[[str], None], clock: Callable[[], datetime]
    ) -> None:
        self._journal, self._folder, self._note, self._clock = journal, folder.models, note, clock
        self._refused: dict[str, datetime] = {}

    def lacking(self, origin: str) -> list[str]:
        """SHA-256 of models that scenes of an origin need, and that are to be fetched now."""
        now = self._clock()
        return [
            digest
            for uuid, digest in self._journal.models()
            if uuid == origin and not is_here(self._folder, digest) and self._refused.get(digest, now) <= now
        ]

    def bring(self, bringer: Bringer, digest: str) -> None:
        """Bring a model; one that is not as it should be is refused for a day, which `fault_of` tells.

        Raises:
            PausedError: If the link may not be used now; what came is kept, as when it is cut.
            UnreachableError: If the link is cut.
            OSError: If the disk refuses.
        """
        self._folder.mkdir(exist_ok=True)
        part = self._folder / f"{digest}{_PART}"
        try:
            check_provider(current())  # else it would be fetched in vain
            self._check_tag(digest)
            if not _is(part, digest):  # a kill may have come after its last byte
                bringer.bring_model(digest, part, MOST_BYTES)
            self._take(part, digest)
        except UnreachableError:
            raise
        except (UpstreamError, CodecError) as error:
            part.unlink(missing_ok=True)
            self._refused[digest] = self._clock() + AGAIN
            self._journal.set_fact(_FAULT + digest, str(error))
            self._note(f"the model {digest[:12]}… is not used: {error}")
        else:
            self._journal.forget_fact(_FAULT + digest)
            self._note(f"the model {digest[:12]}… is here")

    def _check_tag(self, digest: str) -> None:
        """Refuse a model that payloads could not name: they do so by its first bytes."""
        tag = digest[: 2 * TAG_BYTES]
        others = [path.name for path in self._folder.glob(f"{tag}*.zip")]
        if others or any(model.digest.startswith(tag) for model in models().values()):
            raise CodecError(
                "another model that is here goes by the same tag; install a newer version of comeo"
            )

    def _take(self, part: Path, digest: str) -> None:
        """Put a model that has come to where decoders find it.

        Raises:
            CodecError: If it is another one, or cannot be run.
        """
        if not _is(part, digest):
            raise CodecError("its bytes are others than its SHA-256 says; ask who runs the origin")
        check_model(part.read_bytes())
        with part.open("ab") as file:
            os.fsync(file.fileno())
        part.replace(self._folder / file_name(digest))
        sync_folder(self._folder)


def _is(part: Path, digest: str) -> bool:
    """Whether all of a model is in a file."""
    return part.exists() and hashlib.sha256(part.read_bytes()).hexdigest() == digest


def is_here(folder: Path, digest: str) -> bool:
    """Whether the package or a folder has a model."""
    return any(model.digest == digest for model in models().values()) or (folder / file_name(digest)).exists()


def missing(journal: Journal, folder: Folder, fetched: Collection[str]) -> list[dict[str, str | int | None]]:
    """Models without which scenes cannot be drawn, what to do, and what was wrong with them, for people.

    Args:
        journal: Of the relay.
        folder: Its files.
        fetched: UUIDs of the origins that models are fetched of.
    """
    found: list[dict[str, str | int | None]] = []
    for (origin, digest), count in journal.models().items():
        if not is_here(folder.models, digest):
            fault = journal.fact(_FAULT + digest) if origin in fetched else None
            detail = _COMES if origin in fetched else _ALLOW
            told: dict[str, str | int | None] = {"sha256": digest, "scenes": count}
            found.append({**told, "detail": detail if fault is None else _REFUSED, "problem": fault})
    return found
