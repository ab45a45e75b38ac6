"""Whether a scene is one of those that an indicator is for: bands alone do not tell L1C from L2A."""

from __future__ import annotations

from collections.abc import Iterable

from comeo.errors import ParameterError
from comeo.indicators.document import Document
from tileserver.catalog import Record
from tileserver.render.documents import find_document
from tileserver.render.scenes import Scenes

LEVEL = "processing:level"


def check_fits(scenes: Scenes, record: Record, style: str | None) -> None:
    """Refuse a scene of another collection or level than the style's indicator is for.

    A scene that does not state its level is taken as it is: nothing says that it is another.

    Raises:
        ParameterError: Saying which scenes the indicator is for.
    """
    check_any_fits(scenes, (record,), find_document(style) if style else None)


def check_any_fits(scenes: Scenes, records: Iterable[Record], document: Document | None) -> None:
    """Refuse an indicator that is for none of some scenes.

    Raises:
        ParameterError: Saying which scenes the indicator is for.
    """
    if document is None:
        return
    said = None
    for record in records:
        refused = _refusal(scenes, record, document)
        if refused is None:
            return
        said = said or refused
    if said is not None:
        raise ParameterError(f"{document.id} is for scenes of {said}; choose one of them, or another style")


def fits(scenes: Scenes, record: Record, document: Document | None) -> bool:
    """Whether a scene is one of those that an indicator is for."""
    return document is None or _refusal(scenes, record, document) is None


def _refusal(scenes: Scenes, record: Record, document: Document) -> str | None:
    for source in document.inputs.values():
        if source.collection and source.collection != record.collection:
            return f"the collection {source.collection}, and {record.id} is of {record.collection}"
        if source.level:
            own = scenes.catalog.item(record).get("properties", {}).get(LEVEL)
            if isinstance(own, str) and _plain(own) != _plain(source.level):
                return f"level {source.level}, and {record.id} is {own}"
    return None


def _plain(level: str) -> str:
    """`Level-2A`, `L2A` and `2A` are one level."""
    return level.upper().removeprefix("LEVEL-").removeprefix("L")
