"""What a reader knows of an upstream, so that it cannot become another one, or an older state of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comeo.errors import ComeoError
from tileserver.relay.errors import FeedError, RewoundError
from tileserver.relay.feed.files import replace_file
from tileserver.relay.feed.keys import KeyText
from tileserver.relay.feed.lines import Epoch, Index, Line, PassedLine, Source, Uuid
from tileserver.signing import public_key

_MOST_OTHERS: Final = 100
_MAX_BYTES: Final = 1 << 16


class _Known(BaseModel):
    """What is kept between runs: of the origin itself, and keys of origins whose lines it passes on."""

    model_config = ConfigDict(extra="forbid")

    origin: Uuid | None = None
    key: KeyText | None = None
    epoch: Epoch = 1
    last: int = Field(default=0, ge=0)
    others: dict[Uuid, KeyText] = Field(default_factory=dict, max_length=_MOST_OTHERS)


class Trust:
    """Which origin an upstream is, by which key, and how far it was seen.

    Args:
        path: File that this is kept in; None for as long as the object lives.
        key: That the configuration states. Without one the first key that is seen is kept.

    Raises:
        ComeoError: If the key is none, or the file cannot be read.
    """

    def __init__(self, path: Path | None = None, key: str | None = None) -> None:
        if key is not None:
            try:
                public_key(key)
            except ValueError as error:
                raise ComeoError(f"the origin's key cannot be read: {error}") from error
        self._path = path
        self._stated = key
        self._known = _Known()
        if path is not None and path.exists():
            try:
                with path.open("rb") as file:
                    self._known = _Known.model_validate_json(file.read(_MAX_BYTES))
            except ValidationError as error:
                raise ComeoError(
                    f"{path} is damaged; remove it, and state the origin's key in the configuration"
                ) from error

    @property
    def key(self) -> str | None:
        """Key that the origin must have; None before the first one was seen."""
        return self._stated or self._known.key

    def check(self, index: Index) -> None:
        """Compare an index with what is known, and keep what it adds.

        Raises:
            RewoundError: If it is of an older state than was seen.
            FeedError: If it is of another origin, or signed by another key.
        """
        known = self._known
        if self.key is not None and index.key != self.key:
            raise FeedError(
                f"{index.name or index.origin} signs with {index.key}, not with {self.key}; if its operator "
                "has announced that, state the new key in the configuration"
            )
        if known.origin is not None and index.origin != known.origin:
            raise FeedError(
                f"there is another origin ({index.origin}) where {known.origin} was; name it anew "
                "in the configuration"
            )
        if index.epoch < known.epoch or (index.epoch == known.epoch and index.last < known.last):
            raise RewoundError(
                f"the feed has come to line {index.last} of epoch {index.epoch}, and line {known.last} "
                f"of epoch {known.epoch} was seen: it was set back; ask who runs the origin"
            )
        self._keep(
            known.model_copy(
                update={"origin": index.origin, "key": index.key, "epoch": index.epoch, "last": index.last}
            )
        )

    def meet(self, line: Line) -> None:
        """Keep the key of an origin whose line is passed on, or compare it with the one that was kept.

        Raises:
            FeedError: If it is another one, or there are too many origins.
        """
        if not isinstance(line, PassedLine):
            return
        source: Source = line.source
        kept = self._known.others.get(source.origin)
        if kept is None:
            if len(self._known.others) >= _MOST_OTHERS:
                raise FeedError(
                    f"the feed passes on lines of more than {_MOST_OTHERS} origins; no more are taken"
                )
            others = {**self._known.others, source.origin: source.key}
            self._keep(self._known.model_copy(update={"others": others}))
        elif kept != source.key:
            raise FeedError(
                f"line {line.seq} is passed on for {source.origin} with another key than before; if that "
                "origin's operator has announced it, remove the former key from what is kept of this upstream"
            )

    def _keep(self, known: _Known) -> None:
        if known == self._known:
            return
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, known.model_dump_json().encode())
        self._known = known
