"""Evalscripts of Sentinel Hub, version 3, as documents. The script is read, never run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from comeo.indicators.translate.common import NEVER, TranslationError, names_of, own_band, renamed, words_kept
from comeo.indicators.translate.drafts import Draft, Imported, finish
from comeo.indicators.translate.folding import put_known
from comeo.indicators.translate.script import Script
from comeo.indicators.translate.script_values import Combined, Sample, Samples
from comeo.indicators.translate.syntax import parse
from comeo.indicators.tree import Call, Name, Node, Number

LONGEST: Final = 64 * 1024


@dataclass(slots=True)
class Setup:
    """What `setup` says.

    Attributes:
        bands: All that samples have.
        radar: Whether they are of Sentinel-1.
        digital: Bands that come as digital numbers.
        many: Whether there are samples of several dates.
    """

    bands: list[str] = field(default_factory=list)
    radar: bool = False
    digital: set[str] = field(default_factory=set)
    many: bool = False


def read_evalscript(text: str) -> Imported:
    """A document of an evalscript.

    Raises:
        TranslationError: If it says what a document cannot, with line and reason.
    """
    if len(text) > LONGEST:
        raise TranslationError(f"the script has {len(text)} characters, more than {LONGEST}")
    script = Script()
    script.declare(parse(text))
    setup = _setup(script)
    result = script.run("evaluatePixel", [Samples() if setup.many else Sample()])
    return _document(script, setup, result, text)


def _setup(script: Script) -> Setup:
    """What `setup` returns, read as data."""
    value = script.run("setup", [])
    if not isinstance(value, dict):
        raise TranslationError("setup returns no object of input and output")
    found = Setup(many=str(value.get("mosaicking", "SIMPLE")).upper() in ("ORBIT", "TILE"))
    inputs = value.get("input", [])
    for each in inputs if isinstance(inputs, list) else [inputs]:
        bands = each.get("bands", []) if isinstance(each, dict) else [each]
        units = each.get("units", []) if isinstance(each, dict) else []
        units = units if isinstance(units, list) else [units] * len(bands)
        for index, band in enumerate(bands):
            found.bands.append(str(band))
            if index < len(units) and str(units[index]).upper() == "DN" and band not in ("SCL", "dataMask"):
                found.digital.add(str(band))
    found.radar = any(re.fullmatch("[VH]{2}", band) for band in found.bands)
    return found


def _document(script: Script, setup: Setup, result: Any, text: str) -> Imported:
    values, valid = _outputs(result)
    temporal: dict[str, Any] | None = None
    if any(isinstance(each, Combined) for each in values):
        if len(values) > 1:
            raise TranslationError("a picture of several results is not combined in time")
        (combined,) = values
        values, temporal = [combined.value], {"window": "P100Y", "statistic": combined.statistic}
        if combined.dates > 1:
            temporal["min_dates"] = combined.dates
    for each in values:
        if not isinstance(each, (Number, Name, Call)):
            raise TranslationError("evaluatePixel returns something else than numbers")
    results, valid, keep = _without_classes(values, valid)
    fields: dict[str, Any] = {"temporal": temporal} if temporal else {}
    if script.shown:
        fields["display"] = {"rescale": script.shown}
    elif len(results) == 3:
        fields["display"] = {"rescale": [0, 1]}
    meanings = {band: _meaning(band, setup) for band in setup.bands if band not in ("SCL", "dataMask")}
    trees = [_named(each, meanings) for each in results]
    draft = Draft(
        trees, None if valid is None else _named(valid, meanings), keep, setup.radar, fields, script.left_out
    )
    comment = re.search(r"^//\s*([a-z0-9-]+)@\d[\d.]*:\s*(.+)$", text, re.MULTILINE)
    name, title = comment.groups() if comment else ("imported", "imported from an evalscript")
    return finish(draft, name, title.strip()[:1000])


def _outputs(result: Any) -> tuple[list[Any], Node | None]:
    """Values and their validity: of an object of outputs, or of one list, whose fourth number is opacity."""
    valid: Any = None
    if isinstance(result, dict):
        mask = result.get("dataMask")
        valid = mask[0] if isinstance(mask, list) and mask else mask
        rest = [each for name, each in result.items() if name != "dataMask"]
        if len(rest) != 1:
            raise TranslationError(f"evaluatePixel has {len(rest)} outputs beside dataMask; keep one")
        result = rest[0]
    values = result if isinstance(result, list) else [result]
    if len(values) in (2, 4):
        *values, valid = values
    return list(values), valid if isinstance(valid, (Number, Name, Call)) and valid != Number(1.0) else None


def _without_classes(
    values: Sequence[Node], valid: Node | None
) -> tuple[list[Node], Node | None, list[str] | None]:
    """Formulas without `SCL`: the classes for which they have values are the mask."""
    trees = [*values, Number(1.0) if valid is None else valid]
    if "SCL" not in names_of(trees):
        return list(values), valid, None
    versions: dict[tuple[Node, ...], list[int]] = {}
    for code in range(12):
        version = tuple(put_known(each, {"SCL": code}) for each in trees)
        if version[-1] != Number(0.0) and NEVER not in version:
            versions.setdefault(version, []).append(code)
    if len(versions) != 1:
        raise TranslationError(
            "SCL chooses between formulas; a document has one, and classes of clear ground are its mask"
        )
    ((version, kept),) = versions.items()
    return list(version[:-1]), None if version[-1] == Number(1.0) else version[-1], words_kept(kept)


def _meaning(band: str, setup: Setup) -> Node:
    own: Node = Name(own_band(band, setup.radar))
    if setup.radar:
        return Call("lin", (own,))
    return Call("*", (Number(10_000.0), own)) if band in setup.digital else own


def _named(node: Node, meanings: Mapping[str, Node]) -> Node:
    if unknown := [name for name in names_of([node]) if name not in meanings]:
        raise TranslationError(f"the band {unknown[0]} is not in the input of setup")
    return renamed(node, meanings)
