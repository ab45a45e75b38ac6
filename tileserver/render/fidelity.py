"""Fidelity of a scene in a word, and its certificate as a document."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from comeo.archive import Archive, ArchiveGroup
from comeo.archive.certificate import GroupErrors
from comeo.figures import as_json, significant
from comeo.missions import DECIBEL, QUANTITIES, peak
from comeo.view.propagation import certificate_of
from tileserver.catalog import Record
from tileserver.render.scenes import Scenes

DIGITS = 4  # as a certificate has


def summary(archive: Archive) -> dict[str, Any] | None:
    """Expected error and its grade, over the bands of the commonest known unit; None if uncertified.

    Of radar the grade is that of means of areas, by what its archive says of power; older ones don't say it.
    """
    if archive.certificate is None:
        return None
    known = [
        (band.unit, float(rmse) * abs(band.scale))
        for name, group in archive.groups.items()
        for band, rmse in zip(group.bands, archive.certificate.groups[name].rmse, strict=True)
        if math.isfinite(rmse)
    ]
    if not known:
        return None
    units = [unit for unit, _ in known]
    unit = max(dict.fromkeys(units), key=units.count)
    error = math.sqrt(sum(value**2 for each, value in known if each == unit) / units.count(unit))
    quantity = QUANTITIES.get(unit)
    field, bias = _power(archive) if unit == DECIBEL else (None, None)
    grade = None
    if quantity and unit != DECIBEL:
        grade = quantity.grade(error)
    elif quantity and field is not None and bias is not None:
        grade = quantity.grade(field, bias)
    return {
        "expected_error": significant(error, 3),
        "field_error": field,
        "bias": bias,
        "unit": unit or None,
        "grade": grade.word if grade else None,
        "meaning": grade.meaning if grade else None,
    }


def _power(archive: Archive) -> tuple[float | None, float | None]:
    """Error of the mean power of 8×8 pixels and bias of the scene's, of the worst band; None if unknown."""
    stated = (archive.power or {}).values()
    fields = [band.rmse_8 for band in stated if band.rmse_8 is not None]
    biases = [band.bias for band in stated if band.bias is not None]
    return (
        None if not fields else significant(max(fields), 3),
        None if not biases else significant(max(biases, key=abs), 3),
    )


def document(scenes: Scenes, record: Record, *, blocks: bool) -> dict[str, Any]:
    """A scene's certificate, for programs.

    Args:
        scenes: Catalogue, open archives and caches.
        record: The scene.
        blocks: Whether to include the figures of every block.

    Raises:
        NotFoundError: If the archive has none.
    """
    with scenes.lease(record) as archive:
        certificate = certificate_of(archive)
        facts = archive.info()
        return {
            "id": record.id, "collection": record.collection, "codec": archive.codec, "model": archive.model,
            "ratio": facts["ratio"], "step": archive.step, "peak": _peak(archive),
            "by_block": certificate.by_block,
            "summary": summary(archive),
            "clouds": facts["clouds"],
            "power": facts["power"],
            "groups": {
                name: _group(group, facts["certificate"]["groups"][name], certificate.groups[name], blocks)
                for name, group in archive.groups.items()
            },
        }  # fmt: skip


def _peak(archive: Archive) -> float | None:
    """Peak of PSNR in stored numbers; None where bands have none, or not the same."""
    peaks = {peak(band) for group in archive.groups.values() for band in group.bands}
    return peaks.pop() if len(peaks) == 1 else None


def _group(group: ArchiveGroup, figures: dict[str, Any], errors: GroupErrors, blocks: bool) -> dict[str, Any]:
    native = group.levels[0]
    units = {band.name: band for band in group.bands}
    bands = [
        {
            "name": name,
            **known,
            "unit": units[name].unit or None,
            "physical_rmse": known["rmse"] and significant(known["rmse"] * abs(units[name].scale), DIGITS),
        }
        for name, known in figures["bands"].items()
    ]  # fmt: skip
    figures_of_blocks = {
        "rmse": errors.block_rmse, "maximum": errors.block_maximum, "bias": errors.block_bias,
    }  # fmt: skip
    return {
        "psnr": figures["psnr"],
        "bands": bands,
        "correlation": None if errors.correlation is None else np.round(errors.correlation, 2).tolist(),
        "block": native.block,
        "grid": list(native.grid),
        "blocks": as_json(figures_of_blocks, DIGITS) if blocks else None,
    }
