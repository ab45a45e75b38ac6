"""Documents from other languages, and in them: evalscript, openEO, POF-ML, STAC render, SNAP, QGIS, GDAL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from comeo.indicators.document import Document
from comeo.indicators.translate.common import TranslationError
from comeo.indicators.translate.drafts import Imported, to_toml
from comeo.indicators.translate.evalscript import write_evalscript
from comeo.indicators.translate.evalscript_reading import read_evalscript
from comeo.indicators.translate.openeo import write_openeo
from comeo.indicators.translate.openeo_reading import read_openeo
from comeo.indicators.translate.pofml import read_pofml
from comeo.indicators.translate.qgis import read_text, write_text
from comeo.indicators.translate.render import read_render, write_render

READERS: Final[Mapping[str, Callable[[str, Sequence[str]], Imported]]] = {
    "evalscript": lambda text, _: read_evalscript(text),
    "openeo": lambda text, _: read_openeo(text),
    "pofml": lambda text, _: read_pofml(text),
    "render": lambda text, _: read_render(text),
    "snap": lambda text, bands: read_text(text, "snap", bands),
    "qgis": lambda text, bands: read_text(text, "qgis", bands),
}
"""Readers by the name of their language: of a text, and of the names of a layer's bands where it has none."""
WRITERS: Final[Mapping[str, Callable[[Document], str]]] = {
    "evalscript": write_evalscript,
    "openeo": lambda document: _json(write_openeo(document)),
    "render": lambda document: _json(write_render(document)),
    "qgis": lambda document: write_text(document, "qgis")[0],
    "snap": lambda document: write_text(document, "snap")[0],
    "gdal": lambda document: write_text(document, "gdal")[0],
}
"""Writers by the name of their language."""


def import_document(text: str, language: str, bands: Sequence[str] = ()) -> Imported:
    """A document from another language.

    Args:
        text: In the other language.
        language: One of `READERS`.
        bands: What the bands of a layer of QGIS are, in order.

    Raises:
        TranslationError: If the text cannot be read, or says what a document cannot: with its line.
        comeo.indicators.problems.DocumentError: If what it says is no valid document.
    """
    return READERS[language](text, bands)


def export_document(document: Document, language: str) -> str:
    """A document in another language, one of `WRITERS`.

    Raises:
        TranslationError: If the language has no words for a part of it, naming the part.
    """
    return WRITERS[language](document)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


__all__ = [
    "READERS", "WRITERS", "Imported", "TranslationError", "export_document", "import_document", "to_toml",
]  # fmt: skip
