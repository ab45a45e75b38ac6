"""Documents by their ids and versions: predefined ones, those of a folder, and those of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

from comeo.indicators.document import MOST_BYTES, Document, read_document
from comeo.indicators.model import VERSION
from comeo.indicators.problems import DocumentError, Problem

FORMS: Final = {".toml": "toml", ".json": "json"}
_VERSION: Final = re.compile(VERSION)
Finder = Callable[[str], Document | None]


class Catalogue:
    """Documents, found by `id` (the newest version) or `id@version`.

    Args:
        documents: In the order in which they are offered.
        finders: Asked in turn for what is not among them: drafts, published documents.

    Raises:
        DocumentError: If two documents have one id and version, but differ.
    """

    def __init__(self, documents: Iterable[Document], finders: Iterable[Finder] = ()) -> None:
        self._versions: dict[str, dict[tuple[int, ...], Document]] = {}
        self._finders = tuple(finders)
        for each in documents:
            versions = self._versions.setdefault(each.id, {})
            known = versions.setdefault(_version(each.version), each)
            if known.fingerprint != each.fingerprint:
                raise DocumentError(
                    [Problem("version", f"there are two different documents {each.id}@{each.version}; "
                             "raise the version of the newer one")]
                )  # fmt: skip

    def find(self, name: str) -> Document | None:
        """The document of an `id` or `id@version`, or None."""
        identity, _, version = name.partition("@")
        versions = self._versions.get(identity)
        if versions:
            found = versions.get(_version(version)) if version else versions[max(versions)]
            if found is not None:
                return found
        return next((found for finder in self._finders if (found := finder(name)) is not None), None)

    def all(self) -> tuple[Document, ...]:
        """The newest version of each document, without those that finders alone know."""
        return tuple(versions[max(versions)] for versions in self._versions.values())


def _version(text: str) -> tuple[int, ...]:
    """A version's numbers; empty for what is none."""
    return tuple(map(int, text.split("."))) if _VERSION.fullmatch(text) else ()


@lru_cache(maxsize=1)
def predefined() -> Catalogue:
    """The documents that come with the package, in the order in which they are offered."""
    folder = resources.files("comeo.indicators") / "predefined"
    order = (folder / "order.txt").read_text("utf-8").split()
    return Catalogue(read_document((folder / f"{name}.toml").read_bytes(), "toml") for name in order)


def document(identity: str) -> Document:
    """The predefined document of an id that there is."""
    found = predefined().find(identity)
    if found is None:
        raise KeyError(identity)
    return found


def read_folder(folder: Path) -> list[Document]:
    """The documents of a folder, `*.toml` and `*.json`, by name.

    Raises:
        DocumentError: If one is not valid, naming its file.
    """
    return [read_file(path) for path in sorted(folder.iterdir()) if path.suffix in FORMS]


def read_file(path: Path) -> Document:
    """The document in a file whose name ends with `.toml` or `.json`.

    Raises:
        DocumentError: If it is not valid or cannot be read, naming the file.
    """
    form = FORMS.get(path.suffix)
    try:
        if form is None:
            raise DocumentError([Problem("", "its name ends neither with .toml nor with .json")])
        with path.open("rb") as file:
            return read_document(file.read(MOST_BYTES + 1), "toml" if form == "toml" else "json")
    except OSError as error:
        raise DocumentError([Problem(path.name, f"it cannot be read: {error.strerror}")]) from error
    except DocumentError as error:
        problems = [_in_file(path.name, each) for each in error.problems]
        raise DocumentError(problems) from error


def _in_file(name: str, problem: Problem) -> Problem:
    return replace(problem, path=f"{name}: {problem.path}".removesuffix(": "))
