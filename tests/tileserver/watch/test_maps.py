"""Maps of months: what NumPy makes of decoded scenes, in step with the catalogue, of public places alone."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.warp import transform
from sqlalchemy import select

from comeo.archive import Archive, open_archive
from comeo.compression import compress
from comeo.errors import BoundError, OutputError, ParameterError
from comeo.grid import WGS84
from comeo.indicators.compiled import compile_for
from comeo.indicators.document import read_document
from comeo.missions.clear import CLEAR_CLASSES
from comeo.scene import Scene
from comeo.settings import SettingsError
from comeo.view.clear import classes_on
from comeo.view.plan import PixelPlan
from comeo.view.propagation import result_errors
from comeo.view.reader import ArchiveReader, block_cache
from tests.scenes import UTM32, array_classes, array_group, array_scene, landscape, patchy
from tests.tileserver.watch.followed import NOW, follow, ndvi, square
from tileserver.catalog import SqliteCatalog
from tileserver.render.documents import lent
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.store import geoservices
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade
from tileserver.store.tables import period_map
from tileserver.watch import maps as maps_module
from tileserver.watch.deliver import Receipts
from tileserver.watch.mapmaking import make_map
from tileserver.watch.maps import MapMaker
from tileserver.watch.register import check_maps
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


@pytest.fixture(scope="module")
def dates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five dates of May and two of June."""
    folder = tmp_path_factory.mktemp("dates")
    for made in (*map(scene, DAYS), scene(5, 6), scene(15, 6), scene(25, 6, cloud=True)):
        compress(made, folder / f"{made.id}.zarr.zip", step=20.0, clear="scl")
    return folder


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


@pytest.fixture(scope="module")
def made(dates: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("maps") / "house", dates)
    assert house.work() == (2, {})
    return house


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


def stack(house: House, label: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """NDVI of the clear pixels of a month's decoded scenes on the map's pixels, and the day of each date."""
    with open_archive(house.path(f"ndvi-{label}")) as archive:
        grid = reader_of(archive).native_grid()
    found, days = [], []
    for path in sorted(house.archives.glob(f"s{label[-2:]}*.zip")):
        with open_archive(path) as archive:
            reader = reader_of(archive)
            bands = reader.read(grid, ["B04", "B08"], "nearest")
            red, nir = np.maximum(np.ma.filled(bands.array.astype(float), np.nan) * 1e-4 - 0.1, 0)
            ndvi = (nir - red) / np.maximum(nir + red, 1e-4)
            ndvi[~np.isin(classes_on(reader, grid), list(CLEAR_CLASSES))] = np.nan
            found.append(ndvi)
            assert archive.datetime
            days.append(float(archive.datetime.day))
    return np.array(found), np.array(days)


def check_against(values: NDArray[Any], expected: NDArray[Any], rmse: float, largest: float) -> None:
    """Equal within the error that the archive itself states, and masked where it is to be."""
    assert (np.isnan(values) == np.isnan(expected)).all()
    error = (values - expected)[~np.isnan(expected)]
    assert math.sqrt(float(np.square(error).mean())) <= 1.02 * rmse + 1e-6
    assert np.abs(error).max() <= 1.02 * largest + 1e-6


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
@pytest.mark.parametrize("label", ["2020-05", "2020-06"])
def test_a_map_is_what_numpy_makes_of_the_decoded_scenes(made: House, label: str) -> None:
    values, names, archive = decoded(made.path(f"ndvi-{label}"))
    assert names == ["ndvi_median", "ndvi_u", "ndvi_dates", "ndvi_day_of_minimum", "ndvi_first_below"]
    dates, days = stack(made, label)
    count = (~np.isnan(dates)).sum(axis=0)
    assert 0 < (count == 0).mean() < 0.5, "some pixels are never clear"
    near = np.sort(dates, axis=0)[:2]  # a map is computed in single precision: what is as good as equal
    either = (np.abs(near[1] - near[0]) < 1e-5) | (np.nanmin(np.abs(dates - LOW), axis=0) < 1e-5)
    assert either.mean() < 0.01
    below = np.where(dates < LOW, days[:, None, None], np.nan)
    lowest = np.where(count > 0, days[np.where(np.isnan(dates), np.inf, dates).argmin(axis=0)], np.nan)
    assert archive.certificate
    (errors,) = archive.certificate.groups.values()
    (group,) = archive.groups.values()
    scales = np.array([band.scale for band in group.bands])
    stated = np.stack([errors.rmse * scales, errors.maximum * scales], axis=1)
    expected = [np.nanmedian(dates, axis=0), None, count.astype(float), lowest, np.nanmin(below, axis=0)]
    for row, (own, want) in enumerate(zip(values, expected, strict=True)):
        if want is not None:
            own[either] = want[either] = np.nan
            check_against(own, want, *stated[row])
    assert stated[0, 0] < 0.45 * np.nanmedian(values[1]), "coding adds less than a tenth to the uncertainty"
    for own, want in zip(values[2:], expected[2:], strict=True):
        known = ~np.isnan(own)
        assert (np.rint(own[known]) == np.asarray(want)[known]).all(), "rounded, dates and days come back"


def test_the_uncertainty_is_that_of_the_median_of_its_dates(made: House) -> None:
    values, _, _ = decoded(made.path("ndvi-2020-05"))
    dates, _ = stack(made, "2020-05")
    with open_archive(made.path("ndvi-2020-05")) as archive:
        grid = reader_of(archive).native_grid()
        assert archive.certificate
        (certified,) = archive.certificate.groups.values()
    stated = float(certified.rmse[1]), float(certified.maximum[1])
    squares, count = np.zeros(dates.shape[1:]), (~np.isnan(dates)).sum(axis=0)
    for path, date in zip(sorted(made.archives.glob("s05*.zip")), dates, strict=True):
        with open_archive(path) as archive:
            reader = reader_of(archive)
            found = compile_for(ndvi(), [band for group in archive.groups.values() for band in group.bands])
            plan = PixelPlan(found.sources, found.expression, physical=True)
            errors = result_errors(reader, grid, plan)[0]
            squares += np.where(np.isnan(date), 0, np.square(errors, dtype=np.float64))
    with np.errstate(all="ignore"):
        expected = np.where(count > 2, 1.25, 1.0) * np.sqrt(squares) / count
    known = count > 0
    check_against(np.where(known, values[1], np.nan), np.where(known, expected, np.nan), *stated)
    assert np.median(expected[known]) > 0.003


def test_what_an_archive_says_of_itself(made: House) -> None:
    with open_archive(made.path("ndvi-2020-06")) as archive:
        assert (archive.collection, archive.id, archive.codec) == ("geoservice-wood", "ndvi-2020-06", "dct")
        assert archive.datetime == datetime(2020, 6, 1, 12, tzinfo=UTC)
        facts = archive.item["properties"]
        (group,) = archive.groups.values()
        value = group.bands[0]
    assert facts["title"] == "Vegetation (NDVI), 2020-06"
    assert (facts["start_datetime"], facts["end_datetime"]) == (
        "2020-06-01T00:00:00Z",
        "2020-06-30T23:59:59Z",
    )
    assert facts["comeo:derived_from"] == ["optical/s0605", "optical/s0615", "optical/s0625"]
    assert facts["comeo:dates"] == 2, "a date of cloud alone is none"
    assert facts["comeo:statistic"] == "median"
    assert facts["comeo:indicator"] == "ndvi@1.0.0"
    assert facts["comeo:ratio_of_sources"] > 1
    assert facts["platform"] == "sentinel-2a"
    assert (value.display, value.colormap, value.unit) == ((-0.2, 0.9), "ylgn", "")
    assert group.has_nodata
    assert (group.crs.to_epsg(), group.levels[0].transform.a) == (32632, 10.0)


def test_months_lie_on_the_same_pixels_as_the_scenes(made: House) -> None:
    grids = []
    for path in (made.path("ndvi-2020-05"), made.path("ndvi-2020-06"), made.archives / "s0501.zarr.zip"):
        with open_archive(path) as archive:
            grids.append(reader_of(archive).native_grid())
    assert grids[0] == grids[1]
    assert grids[0].offset_in(grids[2]) is not None


def test_nothing_is_made_twice(made: House) -> None:
    before = {name: made.path(name).stat().st_mtime_ns for name in made.archives_of_maps()}
    assert made.work() == (0, {})
    assert {name: made.path(name).stat().st_mtime_ns for name in made.archives_of_maps()} == before


def house_with(dates: Path, folder: Path, *names: str, **changes: Any) -> House:
    house = House(folder / "house", None, **changes)
    for name in names:
        shutil.copy(dates / f"{name}.zarr.zip", house.archives)
    return house


def test_late_replaced_and_withdrawn_scenes_end_in_the_same(dates: Path, made: House, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511", "s0605")
    assert house.work()[0] == 2
    shutil.copy(dates / "s0615.zarr.zip", house.archives / "s0521.zarr.zip")  # another scene: June grows
    assert house.work()[0] == 1
    (house.archives / "s0521.zarr.zip").unlink()
    for each in dates.glob("*.zip"):
        shutil.copy(each, house.archives)
    assert house.work()[0] == 2
    assert house.rows() == made.rows()
    for name in made.archives_of_maps():
        assert house.path(name).read_bytes() == made.path(name).read_bytes(), "byte by byte"


def test_a_month_without_scenes_any_more_has_no_map(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511", "s0605")
    house.work()
    assert house.archives_of_maps() == ["ndvi-2020-05", "ndvi-2020-06"]
    (house.archives / "s0605.zarr.zip").unlink()
    house.work()
    assert house.archives_of_maps() == ["ndvi-2020-05"]
    assert list(house.rows()) == ["2020-05"]


def test_one_map_a_round_the_newest_month_first(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511", "s0605")
    with house.worker() as worker:
        first = worker.round()
        assert (first.maps, house.archives_of_maps()) == (1, ["ndvi-2020-06"])
        assert (worker.round().maps, worker.round().maps) == (1, 0)


def test_a_month_that_has_not_begun_has_none(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511", "s0605", start="2020-05-20", end="2020-06-02")
    house.now = datetime(2020, 5, 31, 23, tzinfo=UTC)
    house.work()
    assert house.archives_of_maps() == ["ndvi-2020-05"], "and the month that the start lies in is whole"
    house.now += timedelta(hours=2)
    house.work()
    assert house.archives_of_maps() == ["ndvi-2020-05", "ndvi-2020-06"]


def test_months_are_those_of_the_time_zone(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0501", timezone="Pacific/Kiritimati")  # 14 hours ahead
    house.work()
    with open_archive(house.path("ndvi-2020-05")) as archive:
        facts = archive.item["properties"]
    assert (facts["start_datetime"], facts["datetime"]) == ("2020-04-30T10:00:00Z", "2020-05-01T12:00:00Z")
    assert facts["start_datetime"] <= facts["datetime"] <= facts["end_datetime"]


@pytest.mark.parametrize("visibility", ["private", "link"])
def test_maps_are_of_public_geoservices_alone(dates: Path, tmp_path: Path, visibility: str) -> None:
    house = house_with(dates, tmp_path, "s0511", visibility=visibility)
    assert house.work() == (0, {})
    assert (house.archives_of_maps(), house.rows()) == ([], {})
    house.change(visibility="public")
    house.work()
    assert house.archives_of_maps() == ["ndvi-2020-05"]
    house.change(visibility=visibility)
    house.work()
    assert (house.archives_of_maps(), house.rows()) == ([], {})
    assert not house.path("x").parent.exists(), "later rounds have nothing to look at"


def test_an_ended_geoservice_keeps_its_maps_until_it_is_hidden(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511")
    house.work()
    house.change(state="archived")
    house.work()
    assert house.archives_of_maps() == ["ndvi-2020-05"]
    house.change(visibility="private")
    house.work()
    assert house.archives_of_maps() == []


def test_what_becomes_private_while_its_map_is_made_is_not_published(
    dates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_with(dates, tmp_path, "s0511")
    real = make_map

    def hidden_meanwhile(*given: Any) -> bool:
        house.change(visibility="private")
        return real(*given)

    monkeypatch.setattr(maps_module, "make_map", hidden_meanwhile)
    house.work()
    assert house.archives_of_maps() == []
    assert not list((house.archives / "geoservices").rglob("*.zip")), "nothing is left over"


def test_switched_off_they_are_removed(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511")
    house.work()
    house.change(maps=None)
    house.work()
    assert (house.archives_of_maps(), house.rows()) == ([], {})


def test_another_policy_makes_them_anew(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511", "s0516", maps={"statistic": "max", "margin_m": 0})
    house.work()
    values, names, _ = decoded(house.path("ndvi-2020-05"))
    assert names == ["ndvi_max", "ndvi_u", "ndvi_dates"]
    house.change(maps={"statistic": "percentile(90)", "margin_m": 0, "pixel_m": 30})
    assert house.work()[0] == 1
    coarse, names, archive = decoded(house.path("ndvi-2020-05"))
    assert names == ["ndvi_p90", "ndvi_u", "ndvi_dates"]
    assert next(iter(archive.groups)) == "r30m"
    assert abs(coarse.shape[1] - values.shape[1] / 3) <= 1.5


def test_a_file_that_is_gone_is_made_again(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511")
    house.work()
    before = house.path("ndvi-2020-05").read_bytes()
    house.path("ndvi-2020-05").unlink()
    assert house.work()[0] == 1
    assert house.path("ndvi-2020-05").read_bytes() == before


def test_a_full_disk_is_one_sentence_and_nothing_half(
    dates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_with(dates, tmp_path, "s0511")

    def full(*_: Any, **__: Any) -> bool:
        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise OutputError("ndvi-2020-05.zarr.zip", os.strerror(errno.ENOSPC)) from error

    with monkeypatch.context() as patched:
        patched.setattr(maps_module, "make_map", full)
        _, failed = house.work()
    assert failed == {
        "the map ndvi-2020-05": "ndvi-2020-05.zarr.zip cannot be written: No space left on device"
    }
    assert (house.archives_of_maps(), house.rows()) == ([], {})
    assert house.work()[0] == 1, "the next worker tries at once"


def test_what_failed_waits_and_holds_nothing_else_up(
    dates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_with(dates, tmp_path, "s0511", "s0605")
    real, tried = make_map, list[str]()

    def june_fails(scenes: Any, order: Any, path: Path) -> bool:
        tried.append(order.month.label)
        if order.month.label == "2020-06":
            raise OSError(errno.EIO, "Input/output error", "/somewhere/secret.zarr.zip")
        return real(scenes, order, path)

    monkeypatch.setattr(maps_module, "make_map", june_fails)
    with house.worker() as worker:
        done = worker.round()
        assert done.failed == {"the map ndvi-2020-06": "secret.zarr.zip: Input/output error"}
        assert done.maps == 1, "the one of May"
        worker.round()
        assert tried == ["2020-06", "2020-05"]
        house.now += timedelta(minutes=2)
        worker.round()
    assert tried == ["2020-06", "2020-05", "2020-06"]


def test_a_folder_that_cannot_be_written_is_said(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511")
    (house.archives / "geoservices").write_bytes(b"a file")
    ((name, sentence),) = house.work()[1].items()
    assert name == "the map ndvi-2020-05"
    assert sentence.endswith("wood-ndvi-2020-05.zarr.zip cannot be written: Not a directory")


def test_large_maps_are_refused_with_what_to_set(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511", maps={"margin_m": 20_000})
    with house.worker() as worker, house.database.writing() as connection:
        with pytest.raises(BoundError, match=r"maps would have 40\d\d×40\d\d pixels, more than 4194304; set"):
            check_maps(connection, worker.scenes, house.geoservice)
        coarser = {"margin_m": 20_000, "pixel_m": 20}
        geoservices.change_geoservice(connection, house.geoservice.id, {"maps": coarser})
        again = geoservices.get_geoservice(connection, house.geoservice.id)
        check_maps(connection, worker.scenes, again)


@pytest.mark.parametrize(
    ("maps", "sentence"),
    [
        ({"indicators": ["ndwi"]}, "maps.indicators: ndwi is not followed"),
        ({"statistic": "count"}, "how many dates there are is told by every map"),
        ({"statistic": "mode"}, "maps.statistic: "),
        ({"layers": ["cloud"]}, "maps.layers.0: "),
        ({"margin_m": -1}, "maps.margin_m: "),
        ({"period": "P1Y"}, "maps.period: "),
        ({"colour": "red"}, "maps.colour: "),
    ],
)
def test_what_cannot_be_is_refused(database: Database, maps: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        follow(database, maps=maps)


def test_maps_are_not_made_of_themselves(database: Database) -> None:
    with pytest.raises(ParameterError, match="geoservice-wood is what it makes"):
        follow(database, collections=["scenes", "geoservice-wood"])


def test_the_policy_is_kept(database: Database) -> None:
    made = follow(database, maps={"layers": ["first-below"]})
    assert made.maps == {
        "indicators": [], "period": "P1M", "statistic": None, "layers": ["first-below"], "margin_m": 500.0,
        "pixel_m": None,
    }  # fmt: skip
    assert follow(database, slug="none").maps is None


def test_where_maps_are_written_is_served(tmp_path: Path) -> None:
    def folder(**given: Any) -> Path:
        return Settings.model_validate({"paths": (tmp_path / "a", tmp_path / "b"), **given}).maps_folder

    assert folder() == tmp_path / "a" / "geoservices"
    assert folder(maps=tmp_path / "b" / "x") == tmp_path / "b" / "x"
    with pytest.raises(SettingsError, match="COMEO_MAPS: maps are served like other archives"):
        folder(maps=tmp_path / "c")
    with pytest.raises(SettingsError, match="COMEO_MAPS"):
        folder(paths=(tmp_path / "one.zarr.zip",))


def test_scenes_of_one_pass_are_one_date(dates: Path, tmp_path: Path) -> None:
    """Neighbouring tiles overlap: what both show of a day counts once."""
    house = house_with(dates, tmp_path, "s0511")
    again = scene(11)
    twin = Scene(
        "twin", again.collection, again.datetime + timedelta(seconds=10), again.groups, again.properties,
        again.source_name, classes=again.classes,
    )  # fmt: skip
    compress(twin, house.archives / "twin.zarr.zip", step=20.0, clear="scl")
    house.work()
    values, _, archive = decoded(house.path("ndvi-2020-05"))
    assert archive.item["properties"]["comeo:dates"] == 1
    assert np.nanmax(np.rint(values[2])) == 1
    assert (np.rint(values[2]) == 1).sum() > 1000


def test_what_does_not_tell_clear_pixels_gives_no_date(tmp_path: Path) -> None:
    house = House(tmp_path / "house", None)
    compress(scene(11), house.archives / "s0511.zarr.zip", step=20.0, clear="none")
    house.work()
    values, _, archive = decoded(house.path("ndvi-2020-05"))
    assert np.isnan(values[0]).all()
    assert (np.rint(values[2]) == 0).all(), "it has been seen, and no pixel counts"
    assert archive.item["properties"]["comeo:dates"] == 0


def test_a_month_without_a_pixel_has_no_archive_and_is_not_looked_at_again(
    dates: Path, tmp_path: Path
) -> None:
    """A scene that begins 10 m beside the margin."""
    (west, east), (south, north) = transform(UTM32, WGS84, [472_380, 472_450], [5_256_800, 5_256_900])
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    beside = {"type": "Polygon", "coordinates": [ring]}
    house = house_with(dates, tmp_path, "s0511", maps={"margin_m": 20}, sites=beside)
    assert house.work()[0] == 1
    assert house.archives_of_maps() == []
    assert [item for _, item in house.rows().values()] == [""]
    assert house.work() == (0, {})


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


def radar(day: int, orbit: int, seed: int) -> Scene:
    group = array_group(landscape(1, SIDE, SIDE, seed, np.float32), names=["VV"])
    moment = datetime(2020, 5, day, 17, 30, tzinfo=UTC)
    facts = {"platform": "sentinel-1a", "sat:relative_orbit": orbit, "sat:orbit_state": "ascending"}
    return Scene(f"r{day:02}", "radar", moment, (group,), facts, "made-up")


def test_radar_is_a_mean_of_power_of_one_orbit(tmp_path: Path) -> None:
    with lent(read_document(RADAR.encode(), "toml")) as name:
        house = House(
            tmp_path / "house", None, collections=["radar"], maps={"margin_m": 200},
            indicators=[{"indicator": name, "nominal": {"kind": "change"}}],
        )  # fmt: skip
    for made in (radar(2, 15, 1), radar(8, 44, 2), radar(14, 44, 3), radar(20, 44, 4)):
        compress(made, house.archives / f"{made.id}.zarr.zip", step=0.1)
    house.work()
    values, names, made_of = decoded(house.path("backscatter-2020-05"))
    assert sorted(names) == ["backscatter_dates", "backscatter_mean", "backscatter_u"]
    own = dict(zip(names, values, strict=True))
    assert (np.rint(own["backscatter_dates"]) == 3).all(), "the other orbit sees other sides of things"
    dates = []
    with open_archive(house.path("backscatter-2020-05")) as archive:
        grid = reader_of(archive).native_grid()
    for name in ("r08", "r14", "r20"):
        with open_archive(house.archives / f"{name}.zarr.zip") as archive:
            dates.append(reader_of(archive).read(grid, ["VV"], "nearest").array[0].astype(float))
    expected = 10 * np.log10(np.mean(10 ** (np.array(dates) / 10), axis=0))
    error = own["backscatter_mean"] - expected
    assert np.sqrt(np.square(error).mean()) < 0.45 * made_of.step, "a third of a step, which is a limit here"
    assert abs(error.mean()) < 0.02


def test_archives_that_are_no_maps_stay(dates: Path, tmp_path: Path) -> None:
    house = house_with(dates, tmp_path, "s0511", visibility="private")
    own = house.path("mine")
    own.parent.mkdir(parents=True)
    shutil.copy(dates / "s0511.zarr.zip", own)
    house.work()
    assert own.exists(), "a private geoservice has no maps, and this is none"
    house.change(visibility="public")
    shutil.copy(dates / "s0511.zarr.zip", house.path("ndvi-2020-05"))
    _, failed = house.work()
    assert own.exists()
    assert failed == {
        "the map ndvi-2020-05": "ndvi-2020-05.zarr.zip is there, and is no map of wood; move it away"
    }
