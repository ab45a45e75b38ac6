"""Documents of indicators that users have given: drafts and published ones."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from comeo.indicators.document import Document, canonical, read_document
from comeo.indicators.model import VERSION
from tileserver.store.kept import Kept, Text

_PUBLISHED: Final = re.compile(rf"([a-z0-9][a-z0-9-]{{0,63}})(?:@({VERSION[1:-1]}))?")


class GivenDocuments:
    """Drafts and published documents of a store.

    Args:
        kept: The store.
    """

    def __init__(self, kept: Kept) -> None:
        self.kept = kept

    def find(self, name: str) -> Document | None:
        """The document of a draft's name, of `id@version`, or of an `id`: then the newest version."""
        if name.startswith("draft-"):
            text = self.kept.find("draft", name)
            return None if text is None else _read(text.body)
        text = self.published(name)
        return None if text is None else _read(text.body)

    def published(self, name: str) -> Text | None:
        """The published text of `id@version`, or of an `id`: the newest, deprecated ones last."""
        match = _PUBLISHED.fullmatch(name)
        if match is None:
            return None
        if match.group(2):
            return self.kept.find("published", name)
        versions = self.kept.versions(match.group(1))
        return max(versions, key=lambda each: (each.state == "published", _numbers(each.name)), default=None)

    def listed(self) -> list[tuple[Text, Document]]:
        """The newest public version of each published document."""
        newest: dict[str, Text] = {}
        for each in sorted(
            self.kept.listed(), key=lambda each: (each.state == "published", _numbers(each.name))
        ):
            newest[each.name.partition("@")[0]] = each
        return [(each, _read(each.body)) for _, each in sorted(newest.items())]

    def give_draft(self, document: Document) -> Text:
        """Keep a draft for a day."""
        return self.kept.give("draft", canonical(document))

    def publish(self, document: Document, *, listed: bool) -> bool:
        """Publish a document; False if it is published already.

        Raises:
            ConflictError: If another document has its id and version.
        """
        return self.kept.publish(f"{document.id}@{document.version}", canonical(document), listed=listed)


@lru_cache(maxsize=256)
def _read(body: bytes) -> Document:
    """The document of its canonical form; each tile of a style asks for it."""
    return read_document(body, "json")


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.partition("@")[2].split(".")))
