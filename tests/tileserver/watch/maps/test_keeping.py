"""Maps of months: in step with the catalogue, and of public places alone."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rasterio.warp import transform

from comeo.archive import open_archive
from comeo.errors import BoundError, OutputError, ParameterError
from comeo.grid import WGS84
from comeo.settings import SettingsError
from tests.scenes import UTM32
from tests.tileserver.watch.followed import follow
from tests.tileserver.watch.mapped import (
    House,
    decoded,
    house_with,
)
from tileserver.settings import Settings
from tileserver.store import geoservices
from tileserver.store.database import Database
from tileserver.watch.maps import keeping as maps_module
from tileserver.watch.maps.making import make_map
from tileserver.watch.setup.register import check_maps


def test_nothing_is_made_twice(made: House) -> None:
    before = {name: made.path(name).stat().st_mtime_ns for name in made.archives_of_maps()}
    assert made.work() == (0, {})
    assert {name: made.path(name).stat().st_mtime_ns for name in made.archives_of_maps()} == before


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
