"""The indicators that a process serves as styles: predefined ones, and what the application adds.

There is one catalogue in a process, as there is one `PATH`: requests name documents by `id`, `id@version` or
the name of a draft, in every protocol, and each of them has to mean the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

from comeo.indicators.catalogue import Catalogue, Finder, predefined, read_folder
from comeo.indicators.document import Document
from comeo.indicators.indices import PREFIX, find_index
from comeo.indicators.problems import DocumentError, Problem
from comeo.missions import MISSIONS
from tileserver.settings import Settings
from tileserver.store.documents import GivenDocuments
from tileserver.store.kept import Kept

STYLES = frozenset({"clear", "error", "change", "own"})
"""Styles that are no documents: of the server, and the one that a link to the viewer carries."""
DRAFT = "draft-"
"""What names of drafts begin with."""
_BANDS = frozenset(name.lower() for each in MISSIONS.values() for name in each.bands)


class _Current:
    catalogue: Catalogue = predefined()


def current() -> Catalogue:
    """The process's catalogue."""
    return _Current.catalogue


def install(catalogue: Catalogue) -> None:
    """Serve the documents of a catalogue from now on."""
    _Current.catalogue = catalogue


def catalogue_of(settings: Settings, *finders: Finder) -> Catalogue:
    """Predefined documents with those of the settings' folder, and the index catalogue where it is installed.

    Args:
        settings: `pof` is the folder, if any, and `store` holds drafts and published documents.
        finders: Asked in turn for documents that are in neither: drafts, published ones.

    Raises:
        DocumentError: If a document of the folder is not valid, naming its file, or has the name of a style.
    """
    own = [] if settings.pof is None else read_folder(settings.pof)
    for each in own:
        check_id(each)
    if settings.store is not None:
        finders = (*finders, GivenDocuments(Kept(settings.store)).find)
    return Catalogue([*predefined().all(), *own], (*finders, find_index))


def check_id(document: Document, bands: Iterable[str] = ()) -> None:
    """Refuse an id that means something else wherever styles are named: another would be shown under it.

    Args:
        document: From an operator or a user.
        bands: Names of bands, beside those of the known missions.

    Raises:
        DocumentError: Saying what has that name.
    """
    name, what = document.id, ""
    if name in STYLES:
        what = "a style"
    elif name in _BANDS or name in {each.lower() for each in bands}:
        what = "a band"
    elif name.startswith(DRAFT):
        what = "drafts"
    elif name.startswith(PREFIX):
        what = "the index catalogue"
    if what:
        raise DocumentError([Problem("id", f"{name} is the name of {what}; choose another one")])


_LENT: ContextVar[Document | None] = ContextVar("_LENT", default=None)


@contextlib.contextmanager
def lent(document: Document | None) -> Iterator[str | None]:
    """Serve a document that came with a request for as long as this request is answered, and to it alone.

    Args:
        document: Of the request; None lends nothing.

    Yields:
        The name by which it is found; None if there is none.
    """
    before = _LENT.set(document)
    try:
        yield None if document is None else _own_name(document)
    finally:
        _LENT.reset(before)


def _own_name(document: Document) -> str:
    return f"sha256:{document.fingerprint}"


def find_document(name: str) -> Document | None:
    """The document of that name, or None."""
    own = _LENT.get()
    return own if own is not None and name == _own_name(own) else current().find(name)


def may_change(name: str | None) -> bool:
    """Whether a style may mean something else soon: an `id` of which a user may publish a newer version."""
    if not name or "@" in name or name.startswith(DRAFT) or any(each.id == name for each in current().all()):
        return False
    return find_document(name) is not None


def fingerprint_of(name: str | None) -> str:
    """Fingerprint of the document of that name; empty where it is no document's."""
    found = find_document(name) if name else None
    return "" if found is None else found.fingerprint
