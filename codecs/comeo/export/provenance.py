"""Tags of every GeoTIFF that is made from archives, and the description of its bands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from comeo.archive import Archive
from comeo.export.cog import RasterBand
from comeo.grid import Grid
from comeo.missions import credit
from comeo.view.plan import PixelPlan

Tags = dict[str, str]


def scene_tags(archive: Archive, plan: PixelPlan, grid: Grid) -> Tags:
    """Tags of a file of one scene's pixels.

    Args:
        archive: The scene.
        plan: Bands that were read, and the computation.
        grid: Of the file.
    """
    return {**provenance(archive, plan.bands), **plan_tags(plan, resampled=is_resampled(archive, plan, grid))}


def collection_tags(collections: Sequence[str], plan: PixelPlan) -> Tags:
    """Tags of a file that several scenes contribute to."""
    tags = {"TIFFTAG_SOFTWARE": _software(), "COMEO_COLLECTION": ", ".join(collections)}
    return {**tags, **plan_tags(plan, resampled=True)}


def provenance(archive: Archive, bands: Sequence[str]) -> Tags:
    """Where pixels come from and how they were coded.

    Args:
        archive: The scene.
        bands: Names of the bands that the pixels are made of.
    """
    source, moment = archive.source, archive.datetime
    tags = {
        "TIFFTAG_DATETIME": moment.strftime("%Y:%m:%d %H:%M:%S") if moment else "",
        "TIFFTAG_IMAGEDESCRIPTION": f"{archive.id}, decoded from a COMEO archive",
        "TIFFTAG_SOFTWARE": _software(),
        "COMEO_ID": archive.id,
        "COMEO_COLLECTION": archive.collection,
        "COMEO_DATETIME": moment.isoformat() if moment else "",
        "COMEO_ARCHIVE": archive.etag,
        "COMEO_SOURCE": source["name"],
        "COMEO_SOURCE_SHA256": source["sha256"],
        "COMEO_STEP": f"{archive.step:g}",
        "TIFFTAG_COPYRIGHT": attribution(archive.item, moment),
        **coding(archive, bands),
    }
    return {name: value for name, value in tags.items() if value}


def attribution(item: Mapping[str, Any], moment: datetime | None) -> str:
    """Credit line of a scene: its STAC Item's `attribution`, or that of its mission; may be empty.

    Args:
        item: The STAC Item.
        moment: Acquisition time; where it is unknown, the credit has no year.
    """
    properties = item.get("properties")
    facts = properties if isinstance(properties, Mapping) else {}
    if isinstance(facts.get("attribution"), str):
        return str(facts["attribution"])
    names = (facts.get("platform"), facts.get("constellation"), item.get("collection"), item.get("id"))
    return credit(names, None if moment is None else moment.astimezone(UTC).year)


def coding(archive: Archive, bands: Sequence[str]) -> Tags:
    """How bands were coded and how far off they are expected to be; a server says the same in headers."""
    tags = {
        "COMEO_CODEC": archive.codec,
        "COMEO_MODEL": archive.model or "",
        "COMEO_RATIO": f"{archive.ratio:.2f}",
        "COMEO_EXPECTED_RMSE": expected_rmse(archive, bands),
        "COMEO_DAMAGED": ",".join(archive.damaged),
        "COMEO_CLOUDS": clouds_rmse(archive, bands),
    }
    return {name: value for name, value in tags.items() if value}


def expected_rmse(archive: Archive, bands: Sequence[str]) -> str:
    """Certified RMSE over the scene, in stored numbers, as `B02=41.2,B03=38.9`; empty where it is unknown.

    Args:
        archive: The scene.
        bands: Names.
    """
    if archive.certificate is None:
        return ""
    return ",".join(
        f"{band.name}={rmse:.4g}"
        for name, group in archive.groups.items()
        for band, rmse in zip(group.bands, archive.certificate.groups[name].rmse, strict=True)
        if band.name in bands and math.isfinite(rmse)
    )


def clouds_rmse(archive: Archive, bands: Sequence[str]) -> str:
    """RMSE in clouds that were coded more coarsely, as `coarse,B02=80.1,B03=75`; empty if none were."""
    if archive.clouds is None:
        return ""
    known = [
        f"{band}={rmse:.4g}"
        for band, rmse in archive.clouds.rmse.items()
        if band in bands and rmse is not None
    ]
    return ",".join([archive.clouds.coding, *known])


def plan_tags(plan: PixelPlan, *, resampled: bool) -> Tags:
    """Tags of the computation, and of the resampling if there was one."""
    tags = {"COMEO_EXPRESSION": plan.expression.text} if plan.expression else {}
    tags |= {"COMEO_MASK": ",".join(plan.mask.names)} if plan.mask else {}
    return {**tags, "COMEO_RESAMPLING": plan.resampling} if resampled else tags


def is_resampled(archive: Archive, plan: PixelPlan, grid: Grid) -> bool:
    """Whether any band's pixels were interpolated or repeated, a coarser group's on a finer grid included."""
    groups = [group for group in archive.groups.values() if {*plan.bands} & {b.name for b in group.bands}]
    return any(grid.offset_in(group.native_grid) is None for group in groups)


def raster_bands(plan: PixelPlan, colours: int | None = None) -> tuple[RasterBand, ...]:
    """Describe the bands of a file.

    Args:
        plan: Bands that were read, and the computation.
        colours: Number of 8-bit bands if values were shown as colours; None for the values themselves.
    """
    if colours == 3:
        return tuple(RasterBand(name, colour=name) for name in ("red", "green", "blue"))
    if colours or plan.expression or plan.error or plan.classes:
        return tuple(RasterBand(name) for name in plan.names)
    if plan.physical:
        return tuple(RasterBand(band.name, unit=band.unit, colour=band.common_name) for band in plan.sources)
    return tuple(RasterBand.of(band) for band in plan.sources)


def _software() -> str:
    return f"COMEO {version('comeo')}"
