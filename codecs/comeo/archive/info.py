"""The document that `comeo info --json` prints."""

from __future__ import annotations

import math
from typing import Any

from comeo.archive.certificate import GroupErrors
from comeo.archive.histogram import PERCENTAGES
from comeo.archive.metadata import Metadata
from comeo.archive.model import ArchiveGroup
from comeo.crs import crs_text
from comeo.figures import significant
from comeo.metrics import psnr_of
from comeo.missions import peak


def info(archive: Metadata) -> dict[str, Any]:
    """Describe an archive; what is damaged is null."""
    return {
        "id": archive.id,
        "collection": archive.collection,
        "datetime": archive.item["properties"]["datetime"],
        "format_version": archive.format_version,
        "codec": archive.codec,
        "model": archive.model,
        "preset": archive.preset,
        "despeckle": archive.despeckle,
        "clouds": None if archive.clouds is None else archive.clouds.model_dump(),
        "power": None if archive.power is None else {b: own.model_dump() for b, own in archive.power.items()},
        "ratio": round(archive.ratio, 2),
        "step": archive.step,
        "raw_bytes": archive.raw_bytes,
        "archive_bytes": archive.archive_bytes,
        **_here(archive),
        "source": archive.source,
        "certificate": _certificate(archive),
        "groups": {name: _group(archive, group) for name, group in archive.groups.items()},
    }


def _here(archive: Metadata) -> dict[str, Any]:
    """What is here of an archive of which not all is."""
    if archive.completeness == 1:
        return {}
    return {"completeness": round(archive.completeness, 4), "layers": list(archive.layers)}


def _certificate(archive: Metadata) -> dict[str, Any] | None:
    """Figures of the certificate, without those of single blocks."""
    if archive.certificate is None:
        return None
    return {
        "by_block": archive.certificate.by_block,
        "groups": {
            name: {
                "psnr": _figure(errors.psnr([peak(band) for band in archive.groups[name].bands])),
                "bands": {
                    band.name: _band(errors, row, peak(band))
                    for row, band in enumerate(archive.groups[name].bands)
                },
            }
            for name, errors in archive.certificate.groups.items()
        },
    }


def _band(errors: GroupErrors, row: int, top: float | None) -> dict[str, float | None]:
    """Errors of a band in stored numbers; PSNR in dB, null without any error or without a peak."""
    rmse = float(errors.rmse[row])
    return {
        "rmse": _figure(rmse),
        "maximum": _figure(float(errors.maximum[row])),
        "bias": _figure(float(errors.bias[row])),
        "psnr": None if math.isnan(rmse) or top is None else _figure(psnr_of(rmse**2, top)),
    }


def _figure(value: float) -> float | None:
    """To the digits that a certificate has."""
    return significant(value, 4)


def _percentiles(archive: Metadata, band: str) -> dict[str, float] | None:
    """Numbers that percentages of a band's original pixels do not exceed."""
    found = archive.histogram(band)
    return None if found is None else dict(zip(map(str, PERCENTAGES), found.values.tolist(), strict=True))


def _group(archive: Metadata, group: ArchiveGroup) -> dict[str, Any]:
    native = group.levels[0]
    return {
        "bands": [band.name for band in group.bands],
        "shape": [native.bands, native.height, native.width],
        "dtype": str(group.dtype),
        "nodata": "nan" if group.has_nodata and group.dtype.kind == "f" else group.nodata,
        "crs": crs_text(group.crs),
        "transform": list(native.transform)[:6],
        "levels": [level.number for level in group.levels],
        "block": native.block,
        "predicted_from": None if native.reference is None else native.reference.group,
        "means": {
            band.name: [_figure(factor) for factor in factors]
            for band, factors in zip(group.bands, archive.means[group.name], strict=True)
        },
        "percentiles": {band.name: _percentiles(archive, band.name) for band in group.bands},
    }
