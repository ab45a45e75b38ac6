"""Maps of months hold what their scenes say, as NumPy makes it of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.indicators.compiled import compile_for
from comeo.indicators.document import read_document
from comeo.missions.clear import CLEAR_CLASSES
from comeo.scene import Scene
from comeo.view.clear import classes_on
from comeo.view.plan import PixelPlan
from comeo.view.propagation import result_errors
from tests.scenes import array_group, landscape
from tests.tileserver.watch.followed import ndvi
from tests.tileserver.watch.mapped import (
    LOW,
    RADAR,
    SIDE,
    House,
    decoded,
    house_with,
    reader_of,
    scene,
)
from tileserver.render.documents import lent


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
