"""Blocks of an archive that lost more than others: what they alone say of a site is not told to anybody."""

from __future__ import annotations

from typing import Final

import numpy as np

from comeo.archive import Archive
from comeo.errors import NotFoundError
from comeo.grid import WGS84
from comeo.view.propagation import certificate_of, error_layers
from tileserver.catalog import Record
from tileserver.render.plan import RenderPlan
from tileserver.render.scenes import Scenes
from tileserver.watch.observe import MAX_SIZE, Place

TIMES: Final = 2.0
"""So many times the RMSE of the scene makes that of blocks suspicious."""


def is_suspicious(scenes: Scenes, record: Record, plan: RenderPlan, place: Place) -> bool:
    """Whether coding lost more at a site than in the scene as a whole, in any band that counts.

    Where the certificate does not tell of blocks, nothing is suspicious.

    Raises:
        ComeoError: If the archive cannot be read.
    """
    with scenes.reader(record, scenes.budget()) as reader:
        if reader.archive.certificate is None or not reader.archive.certificate.by_block:
            return False
        try:
            whole = reader.native_grid(plan.bands)
            native = reader.part_grid(place.area.bounds_near(whole), WGS84, bands=plan.bands)
            grid = native.fitted(MAX_SIZE)
            inside = place.area.shares(grid) > 0
        except NotFoundError:
            return False
        if not inside.any():
            return False
        layers = error_layers(reader, grid, plan.bands)[:, inside]
        known = ~np.isnan(layers).all(axis=1)
        own = np.nanmedian(layers[known], axis=1)  # a pixel of cloud, which errs more, makes none suspicious
        return bool((own > TIMES * _of_scene(reader.archive, plan.bands)[known]).any())


def _of_scene(archive: Archive, bands: list[str] | tuple[str, ...]) -> np.ndarray:
    groups = certificate_of(archive).groups
    known = {
        band.name: float(rmse)
        for name, group in archive.groups.items()
        for band, rmse in zip(group.bands, groups[name].rmse, strict=True)
    }
    return np.array([known[each] for each in bands])
