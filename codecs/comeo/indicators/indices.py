"""The Awesome Spectral Indices (Montero et al. 2023, doi 10.1038/s41597-023-02096-0) as documents.

Formulas, bands and constants are read from the JSON of the package spyndex, and computed by our own parser;
nothing of spyndex is run. Radar indices are of linear power, and archives hold decibels. Documents have
origin = "asi" and no tests, which the catalogue does not give: they may be used, and not published anew.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from comeo.errors import ComeoError
from comeo.indicators.catalogue import Catalogue
from comeo.indicators.document import Document
from comeo.indicators.formula import FormulaError, names, parse_formula
from comeo.indicators.problems import DocumentError
from comeo.indicators.steps import put_in
from comeo.indicators.tree import Call, Name, Node, Number, to_text

PACKAGE: Final = "spyndex"
ORIGIN: Final = "asi"
PREFIX: Final = "asi-"
"""What ids of these documents begin with."""
LETTERS: Final[Mapping[str, str]] = {
    "A": "B01", "B": "B02", "G": "B03", "R": "B04", "RE1": "B05", "RE2": "B06", "RE3": "B07", "N": "B08",
    "N2": "B8A", "WV": "B09", "S1": "B11", "S2": "B12",
}  # fmt: skip
"""Bands of Sentinel-2 by the letters of the catalogue."""
RADAR: Final = ("VV", "VH", "HH", "HV")
_LACKING: Final = {
    "G1": "a second green band", "Y": "a yellow band", "T": "a thermal band", "T1": "a thermal band",
    "T2": "a thermal band",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Index:
    """An index of the catalogue.

    Attributes:
        name: Its short name.
        title: Its long name.
        document: None if it is not offered.
        reason: Why it is not, in a sentence; else empty.
    """

    name: str
    title: str
    document: Document | None
    reason: str = ""


@lru_cache(maxsize=1)
def indices() -> tuple[Index, ...]:
    """All indices of the catalogue, offered or not.

    Raises:
        ComeoError: If the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ComeoError("the index catalogue is not installed; run: pip install 'comeo[indices]'")
    folder = Path(spec.origin).parent / "data"
    rows = json.loads((folder / "spectral-indices-dict.json").read_text("utf-8"))["SpectralIndices"]
    constants = json.loads((folder / "constants.json").read_text("utf-8"))
    taken = set[str]()
    return tuple(_index(row, constants, taken) for row in rows.values())


def offered() -> tuple[Document, ...]:
    """The documents of all indices that are offered."""
    return tuple(each.document for each in indices() if each.document is not None)


@lru_cache(maxsize=1)
def _catalogue() -> Catalogue:
    return Catalogue(offered() if importlib.util.find_spec(PACKAGE) else ())


def find_index(name: str) -> Document | None:
    """The document of an index by `id` or `id@version`; None for others, and without the package."""
    return _catalogue().find(name) if name.startswith(PREFIX) else None


def document_id(name: str) -> str:
    """Id of an index's document: `asi-evi2` of `EVI2`."""
    return f"{PREFIX}{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"


def _index(row: Mapping[str, Any], constants: Mapping[str, Any], taken: set[str]) -> Index:
    name, title = str(row["short_name"]), str(row["long_name"])
    reason = _reason(row, constants)
    if reason:
        return Index(name, title, None, reason)
    try:
        document = _document(row, constants)
    except (DocumentError, FormulaError) as error:
        return Index(name, title, None, str(error))
    if document.id in taken:  # the catalogue tells names apart by capitals
        document = Document.model_validate(
            {**document.model_dump(by_alias=True, exclude_unset=True), "id": f"{document.id}-2"}
        )
    taken.add(document.id)
    return Index(name, title, document)


def _reason(row: Mapping[str, Any], constants: Mapping[str, Any]) -> str:
    """Why an index is not offered, or nothing."""
    symbols = [str(each) for each in row["bands"]]
    if row["application_domain"] == "kernel" or any(
        each.startswith("k") and each[1:2].isupper() for each in symbols
    ):
        return "it is of a kernel function, which has to be fitted"
    for each in symbols:
        if each in _LACKING:
            return f"it needs {_LACKING[each]}"
        if each not in LETTERS and each not in RADAR and _default(constants, each) is None:
            return (
                f"it needs {each}, which is neither a band of Sentinel-1 or -2 nor a constant with a default"
            )
    kinds = {each in RADAR for each in symbols if each in RADAR or each in LETTERS}
    if kinds == {True, False}:
        return "it needs bands of two missions"
    if not kinds:
        return "it names no band"
    return ""


def _default(constants: Mapping[str, Any], name: str) -> float | None:
    value = constants.get(name, {}).get("default")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _document(row: Mapping[str, Any], constants: Mapping[str, Any]) -> Document:
    symbols = [str(each) for each in row["bands"]]
    radar = any(each in RADAR for each in symbols)
    meanings: dict[str, Node] = {}
    for each in symbols:
        if each in RADAR:
            meanings[each] = Call("lin", (Name(each),))
        elif each in LETTERS:
            meanings[each] = Name(LETTERS[each])
        else:
            meanings[each] = Number(_default(constants, each) or 0.0)
    tree = put_in(parse_formula(str(row["formula"])), meanings)
    bands = {name: ["B08", "B8A"] if name == "B08" else name for name in names(tree)}
    reference = str(row.get("reference") or "")
    return Document.model_validate(
        {
            "pof": 1, "id": document_id(str(row["short_name"])), "version": "1.0.0", "origin": ORIGIN,
            "title": {"en": f"{row['long_name']} ({row['short_name']})"[:1000]},
            "abbreviation": str(row["short_name"])[:20],
            **({"reference": reference[:500]} if reference else {}),
            "inputs": {"s1" if radar else "s2": {
                "constellation": "sentinel-1" if radar else "sentinel-2", "bands": bands}},
            "value": {"formula": to_text(tree)},
        }
    )  # fmt: skip
