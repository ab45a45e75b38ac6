"""What a log keeps beside its feed, never in it: the key, who the origin is, and how far it has followed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comeo.errors import ComeoError
from tileserver.relay.feed.files import replace_file, sweep
from tileserver.relay.feed.keys import SigningKey
from tileserver.relay.feed.lines import Epoch, Uuid

_KEY: Final = "origin.key"
_IDENTITY: Final = "origin.json"
_FOLLOWED: Final = "followed.json"
_LOCK: Final = "log.lock"
_MAX_BYTES: Final = 1 << 20
MOST_AGAIN: Final = 1000


class Identity(BaseModel):
    """Which origin a log is of, and which log of it."""

    model_config = ConfigDict(extra="forbid")

    origin: Uuid
    epoch: Epoch


class Followed(BaseModel):
    """How far a catalogue has been followed.

    Attributes:
        epoch: Of the log that this is about.
        place: In the catalogue's feed of changes; None for its beginning.
        compare: Whether scenes that the log tells of, and the catalogue has no more, have to be looked for.
        again: Scenes that could not be read, to be tried again.
    """

    model_config = ConfigDict(extra="forbid")

    epoch: Epoch
    place: str | None = None
    compare: bool = True
    again: list[tuple[str, str]] = Field(default_factory=list, max_length=MOST_AGAIN)


Model = TypeVar("Model", bound=BaseModel)


class State:
    """The private folder of a log.

    Args:
        folder: That is made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self) -> SigningKey:
        """The origin's key: see `SigningKey.open`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return SigningKey.open(self.folder / _KEY)

    def identity(self) -> Identity | None:
        """The origin and its epoch; None before the first log.

        Raises:
            ComeoError: If the file is damaged.
        """
        return self._read(_IDENTITY, Identity)

    def begin(self) -> Identity:
        """A new epoch, later than any before it, also where a clock was set back: for the one writer."""
        before = self.identity()
        epoch = max(int(time.time()), before.epoch + 1 if before else 1)
        identity = Identity(origin=before.origin if before else str(uuid.uuid4()), epoch=epoch)
        self._write(_IDENTITY, identity)
        return identity

    def adopt(self, identity: Identity) -> None:
        """Go on with a log of this origin that is kept elsewhere, and was not followed from here."""
        self._write(_IDENTITY, identity)
        self.follow(Followed(epoch=identity.epoch))

    def followed(self, epoch: int) -> Followed:
        """How far the log of an epoch has followed."""
        found = None
        with contextlib.suppress(ComeoError):  # beginning anew costs time, and tells nothing twice
            found = self._read(_FOLLOWED, Followed)
        return found if found is not None and found.epoch == epoch else Followed(epoch=epoch)

    def follow(self, followed: Followed) -> None:
        """Keep how far the log has followed."""
        self._write(_FOLLOWED, followed)

    @contextlib.contextmanager
    def lock(self, *, wait: bool) -> Iterator[bool]:
        """Hold the lock of the one writer; it ends with the process. Yields whether it is held."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            sweep(self.folder)
            held = True
        except BlockingIOError:
            held = False
        except BaseException:
            os.close(descriptor)
            raise
        try:
            yield held
        finally:
            os.close(descriptor)

    def _read(self, name: str, model: type[Model]) -> Model | None:
        path = self.folder / name
        try:
            with path.open("rb") as file:
                return model.model_validate_json(file.read(_MAX_BYTES))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise ComeoError(
                f"{path} is damaged; restore it, or remove {self.folder} to be a new origin"
            ) from error

    def _write(self, name: str, document: BaseModel) -> None:
        replace_file(self.folder / name, document.model_dump_json().encode(), mode=0o600)
