"""Statistics of an area in periods, over HTTP."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from pyarrow import parquet

from comeo.compression import compress
from tests.tileserver.api.scenes.test_series import ndvi, polygon, scene
from tests.tileserver.conftest import SIZE, radar_scene, serving
from tests.tileserver.places import position

FIELD = polygon(40 / SIZE, 60 / SIZE, 80 / SIZE, 100 / SIZE)
LOW = [{"name": "low", "from": -1, "to": 0.5, "color": "#c0392b", "title": {"en": "Low"}}]
LOW_SHARE = {"statistic": "fraction(low)"}
PIXELS = (slice(60, 100), slice(40, 80))
NDVI = {
    "pof": 1, "id": "mine", "version": "1.0.0", "title": {"en": "Mine"},
    "inputs": {"a": {"bands": {"red": "B04", "nir": "B08"}}},
    "value": {"formula": "(nir - red) / (nir + red)", "floor_uncertainty": 0.02},
    "tests": [
        {"given": {"red": 0.1, "nir": 0.3}, "expect": 0.5},
        {"given": {"red": 0.0, "nir": 0.0}, "expect": "invalid"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clear days, one under cloud, and radar."""
    folder = tmp_path_factory.mktemp("archives")
    for number, cloudy in enumerate((0.0, 0.0, 1.0)):
        one = scene(f"day-{number}", (1, 3, 12)[number], number, cloudy)
        compress(one, folder / f"{one.id}.zarr.zip", codec="dct", step=20.0)
    compress(radar_scene("radar"), folder / "radar.zarr.zip", codec="dct", step=20.0)
    return folder


@pytest.fixture(scope="module")
def client(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return serving(archives, tmp_path_factory.mktemp("server"))


def body(**changed: Any) -> dict[str, Any]:
    base = {
        "collection": "optical", "geometry": FIELD, "indicator": NDVI, "interval": "P10D",
        "datetime": "2020-05-01/2020-05-20",
    }  # fmt: skip
    return {**base, **changed}


def ask(client: FlaskClient, **changed: Any) -> Any:
    answer = client.post("/statistics", json=body(**changed))
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def stats(found: Any, name: str = "mine") -> list[dict[str, Any]]:
    return [each["outputs"][name]["bands"]["B0"]["stats"] for each in found["data"]]


def refusal(client: FlaskClient, status: int, **changed: Any) -> str:
    answer = client.post("/statistics", json=body(**changed))
    assert answer.status_code == status, answer.text
    return str(answer.get_json()["detail"])


def test_a_period_has_the_statistics_of_all_its_pixels(client: FlaskClient, archives: Path) -> None:
    found = ask(client)
    first, second = stats(found)
    both = np.array([ndvi(archives, item, *PIXELS) for item in ("day-0", "day-1")])
    assert first["mean"] == pytest.approx(both.mean(), abs=1e-4)
    assert first["stDev"] == pytest.approx(both.std(), rel=1e-2)
    assert first["min"] == pytest.approx(both.min(), abs=1e-3)
    assert first["max"] == pytest.approx(both.max(), abs=1e-3)
    for name, value in first["percentiles"].items():
        assert value == pytest.approx(np.percentile(both, float(name)), abs=5e-3)
    assert (first["dates"], first["cloudy_dates"]) == (2, 0)
    assert (first["sampleCount"], first["noDataCount"]) == (3200, pytest.approx(0, abs=1))
    assert first["clear_fraction"] == 1
    assert first["archive_ratio"] > 1
    assert found["indicator"] == {
        "id": "mine", "version": "1.0.0", "sha256": found["indicator"]["sha256"], "unit": None
    }  # fmt: skip
    assert second["mean"] is None
    assert (second["dates"], second["cloudy_dates"], second["clear_fraction"]) == (0, 1, 0)
    assert second["noDataCount"] == second["sampleCount"] == 1600


def test_intervals_lie_end_to_end(client: FlaskClient) -> None:
    data = ask(client, interval="P1W")["data"]
    assert len(data) == 3
    assert [each["interval"]["to"] for each in data[:-1]] == [each["interval"]["from"] for each in data[1:]]


def test_an_interval_ends_with_time(client: FlaskClient) -> None:
    """The last microsecond that there is has none after it."""
    (whole,) = ask(client, datetime="2000-01-01/9999-12-31", interval="P9999Y")["data"]
    assert whole["interval"]["to"].startswith("9999-12-31")


def test_each_percentile_has_its_own_name(client: FlaskClient) -> None:
    """99.99 was called 100.0, and 5.04 came instead of 5."""
    wanted = [5, 5.04, 99.99, 100]
    found = stats(ask(client, percentiles=wanted))[0]["percentiles"]
    assert list(found) == ["5.0", "5.04", "99.99", "100.0"]
    assert found["99.99"] < found["100.0"]
    text = client.post("/statistics?f=csv", json=body(percentiles=wanted)).text
    assert text.splitlines()[0].endswith(",p5,p5.04,p99.99,p100")


def test_an_open_time_goes_from_the_first_scene_to_the_last(client: FlaskClient) -> None:
    days = ask(client, datetime=None, interval="P1D")["data"]
    assert len(days) == 12
    (month,) = ask(client, datetime=None, interval="P1M")["data"]
    assert month["interval"]["from"].endswith("-01T00:00:00Z")


def test_what_all_dates_share_is_not_averaged_away(client: FlaskClient) -> None:
    pixel = {"type": "Point", "coordinates": list(position(0.2, 0.2))}
    one, _, other, *_ = stats(ask(client, geometry=pixel, interval="P1D"))
    both = stats(ask(client, geometry=pixel))[0]
    own = (one["uncertainty"] ** 2 + other["uncertainty"] ** 2 - 2 * 0.02**2) / 4
    assert own > 0
    assert both["uncertainty"] == pytest.approx((own + 0.02**2) ** 0.5, rel=1e-2)


def test_statistics_of_dates(client: FlaskClient, archives: Path) -> None:
    means = [ndvi(archives, item, *PIXELS).mean() for item in ("day-0", "day-1")]
    largest = stats(ask(client, statistic="max"))[0]
    assert largest["value"] == pytest.approx(max(means), abs=1e-4)
    count = stats(ask(client, statistic="count"))[0]
    assert count["value"] == 2


def test_a_mean_of_decibels_is_one_of_power(client: FlaskClient) -> None:
    found = ask(client, collection="radar", indicator="vv", datetime=None, interval="P1D")
    (one,) = stats(found, "vv")
    series = client.post("/collections/radar/series?style=vv", json=FIELD).get_json()
    (seen,) = series["features"][0]["observations"]
    assert one["mean"] == pytest.approx(seen["value"], abs=1e-4)
    assert one["value"] == pytest.approx(seen["value"], abs=1e-4)
    assert one["uncertainty"] == pytest.approx(seen["uncertainty"], rel=1e-2)


def test_published_indicators_are_found_by_name(client: FlaskClient) -> None:
    named = stats(ask(client, indicator="ndvi"), "ndvi")[0]
    assert named["mean"] == pytest.approx(stats(ask(client))[0]["mean"], abs=0.05)


def test_csv_and_parquet_have_the_same_rows(client: FlaskClient) -> None:
    text = client.post("/statistics?f=csv", json=body())
    assert text.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(text.text)))
    packed = client.post("/statistics?f=parquet", json=body())
    table = parquet.read_table(io.BytesIO(packed.data)).to_pylist()
    assert len(rows) == len(table) == 2
    assert float(rows[0]["mean"]) == table[0]["mean"] == stats(ask(client))[0]["mean"]
    assert (rows[1]["mean"], table[1]["mean"]) == ("", None)
    assert table[0]["from"].isoformat() == rows[0]["from"].replace("Z", "+00:00")


def test_parquet_that_cannot_be_written(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = client.post("/statistics?f=parquet", json=body())
    assert answer.status_code == 422
    assert "pip install 'comeo[parquet]'" in answer.get_json()["detail"]


@pytest.mark.parametrize(("statistic", "percent"), [("median", 50), ("percentile(90)", 90)])
@pytest.mark.parametrize("weights", ["equal", "inverse-variance"])
def test_an_area_is_the_percentile_that_its_indicator_says(
    client: FlaskClient, archives: Path, statistic: str, percent: float, weights: str
) -> None:
    temporal = {"window": "P10D", "statistic": "mean", "weights": weights}
    indicator = {**NDVI, "spatial": {"statistic": statistic}, "temporal": temporal}
    first = stats(ask(client, indicator=indicator))[0]
    dates = [np.percentile(ndvi(archives, f"day-{day}", *PIXELS), percent) for day in (0, 1)]
    assert first["value"] == pytest.approx(np.mean(dates), abs=5e-3)
    assert first["uncertainty"] is None
    text = client.post("/statistics?f=csv", json=body(indicator=indicator)).text
    row = next(csv.DictReader(io.StringIO(text)))
    assert float(row["value"]) == first["value"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"interval": "P0D"}, "interval"),
        ({"interval": "PT5M"}, "P1D, P10D"),
        ({"indicator": "nonsense"}, "nonsense is unknown"),
        ({"indicator": {**NDVI, "value": {"formula": "nir +"}}}, "value.formula"),
        ({"statistic": "mode"}, "mode"),
        ({"geometry": {"type": "LineString", "coordinates": [[8, 47], [9, 48]]}}, "olygon"),
        (
            {"indicator": {**NDVI, "classes": LOW, "spatial": LOW_SHARE}},
            "spatial.statistic",
        ),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_is_refused(client: FlaskClient, changed: dict[str, Any], said: str) -> None:
    assert said in refusal(client, 422, **changed)


def test_too_many_intervals(client: FlaskClient) -> None:
    assert "narrow datetime" in refusal(client, 413, datetime="1900-01-01/2021-12-31", interval="P1D")


def test_another_collection(client: FlaskClient) -> None:
    assert "no collection none" in refusal(client, 404, collection="none")
