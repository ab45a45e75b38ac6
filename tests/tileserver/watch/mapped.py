"""Geoservices whose maps are made: scenes of two months, and what makes maps of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from comeo.archive import Archive, open_archive
from comeo.scene import Scene
from comeo.view.reader import ArchiveReader, block_cache
from tests.scenes import array_classes, array_group, array_scene, landscape, patchy
from tests.tileserver.watch.followed import NOW, follow, square
from tileserver.catalog import SqliteCatalog
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.store import geoservices
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade
from tileserver.store.tables import period_map
from tileserver.watch.maps.keeping import MapMaker
from tileserver.watch.messages.receipts import Receipts
from tileserver.watch.worker import Worker

SIDE = 160


FIELD = square(8.645, 47.459, 0.004)
"""In the middle of the scenes, about 30×44 pixels."""


POLICY = {"margin_m": 200, "layers": ["day-of-minimum", "first-below"]}


LOW = 0.1


DAYS = (1, 6, 11, 16, 21)
"""Of May 2020."""


def scene(day: int, month: int = 5, *, cloud: bool = False) -> Scene:
    """A date with classes of its own; of four bands red and near infrared are used."""
    values = landscape(4, SIDE, SIDE, 100 * month + day)
    classes = patchy(SIDE // 2, SIDE // 2, 100 * month + day)
    if cloud:
        classes[:] = 6
    group = array_group(values, names=["B02", "B03", "B04", "B08"])
    made = array_scene(
        group, scene_id=f"s{month:02}{day:02}", collection="optical", classes=array_classes(classes)
    )
    return Scene(
        made.id, made.collection, datetime(2020, month, day, 10, 30, tzinfo=UTC), made.groups,
        made.properties, made.source_name, classes=made.classes,
    )  # fmt: skip


class House:
    """Archives, a database, and what makes maps."""

    def __init__(self, folder: Path, dates: Path | None, **changes: Any) -> None:
        self.folder, self.archives = folder, folder / "archives"
        self.archives.mkdir(parents=True)
        for each in sorted(dates.glob("*.zip")) if dates else ():
            shutil.copy(each, self.archives)
        self.database = Database(str(folder / "comeo.sqlite"))
        upgrade(self.database)
        self.now = NOW
        given: dict[str, Any] = {
            "collections": ["optical"], "sites": FIELD, "start": "2020-01-01", "visibility": "public",
            "maps": POLICY, "indicators": [{"indicator": "ndvi", "nominal": {"kind": "fixed", "low": LOW}}],
        }  # fmt: skip
        self.geoservice = follow(self.database, **{**given, **changes})

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        settings = Settings.model_validate({"paths": (self.archives,)})
        catalog = SqliteCatalog(settings.paths, self.folder / "catalog.sqlite", 0.0)
        catalog.refresh(force=True)
        try:
            found = Scenes.open(settings, catalog)
            clock = lambda: self.now  # noqa: E731
            maker = MapMaker(found, self.database, settings.maps_folder)
            receipts = Receipts(self.folder / "sent")
            yield Worker(found, self.database, "http://here", None, None, receipts, clock, maker)
        finally:
            catalog.close()

    def work(self) -> tuple[int, dict[str, str]]:
        """Rounds until no map is made any more; how many were, and what failed in the last one."""
        made = 0
        with self.worker() as worker:
            while (done := worker.round()).maps:
                made += done.maps
        return made, done.failed

    def change(self, **values: Any) -> None:
        with self.database.writing() as connection:
            geoservices.change_geoservice(connection, self.geoservice.id, values)

    def path(self, item: str) -> Path:
        return self.archives / "geoservices" / self.geoservice.slug / f"{item}.zarr.zip"

    def archives_of_maps(self) -> list[str]:
        return sorted(each.name.split(".")[0] for each in self.path("x").parent.glob("*.zip"))

    def rows(self) -> dict[str, tuple[str, str]]:
        columns = select(period_map.c.label, period_map.c.digest, period_map.c.item)
        with self.database.reading() as connection:
            return {row.label: (row.digest, row.item) for row in connection.execute(columns)}


def reader_of(archive: Archive) -> ArchiveReader:
    return ArchiveReader(archive, block_cache(1 << 24))


def decoded(path: Path) -> tuple[NDArray[np.float64], list[str], Archive]:
    """All bands of an archive as physical values (bands, y, x), NaN where masked."""
    with open_archive(path) as archive:
        reader = reader_of(archive)
        image = reader.read(reader.native_grid())
        values = np.ma.filled(image.array.astype(np.float64), np.nan)
        scales, offsets = (np.array(each)[:, None, None] for each in (image.scales, image.offsets))
        return values * scales + offsets, list(image.band_names), archive


def house_with(dates: Path, folder: Path, *names: str, **changes: Any) -> House:
    house = House(folder / "house", None, **changes)
    for name in names:
        shutil.copy(dates / f"{name}.zarr.zip", house.archives)
    return house


RADAR = """
pof = 1
id = "backscatter"
version = "1.0.0"
[title]
en = "Backscatter"
[inputs.scene]
constellation = "sentinel-1"
bands = { vv = "VV" }
[value]
formula = "vv"
unit = "dB"
[temporal]
window = "P1M"
statistic = "mean"
[display]
rescale = [-25, 0]
"""
