"""Series of areas over HTTP."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.scene import Window
from comeo.settings import SettingsError
from tests.scenes import array_classes, array_group, array_scene, landscape
from tests.tileserver.conftest import FINE, SIZE, Server, serving
from tests.tileserver.places import position
from tileserver.render import series
from tileserver.render.observations import computation_name

SERIES = "/collections/optical/series"
NDVI = "?expression=(B08-B04)/(B08%2BB04)"
PLACE = {"type": "Point", "coordinates": [8, 47]}
WORLD = {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]}


def scene(scene_id: str, day: int, seed: int, cloudy: float | None) -> Any:
    """A scene whose western part is under cloud; None: it does not tell."""
    values = landscape(4, SIZE, SIZE, seed)
    group = array_group(
        values, np.ones(values.shape, bool), names=["B02", "B03", "B04", "B08"], transform=FINE
    )
    classes = np.ones((SIZE // 2, SIZE // 2), np.uint8)
    if cloudy is not None:
        classes[:, : int(cloudy * SIZE / 2)] = 6
    source = None if cloudy is None else array_classes(classes)
    return array_scene(group, scene_id=scene_id, collection="optical", day=day, classes=source)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four dates of one place: clear, half under cloud, all under cloud, and one that does not tell."""
    folder = tmp_path_factory.mktemp("archives")
    for number, cloudy in enumerate((0.0, 0.5, 1.0, None)):
        one = scene(f"day-{number}", 1 + number, number, cloudy)
        compress(one, folder / f"{one.id}.zarr.zip", codec="dct", step=20.0)
    return folder


@pytest.fixture(scope="module")
def client(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return serving(archives, tmp_path_factory.mktemp("server"))


def polygon(left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    """A rectangle of the scenes' pixels, by parts of their sides from 0 to 1."""
    corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
    return {"type": "Polygon", "coordinates": [[list(position(*corner)) for corner in corners]]}


def ask(client: FlaskClient, body: Any, query: str = NDVI) -> Any:
    answer = client.post(f"{SERIES}{query}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def refusal(client: FlaskClient, body: Any, status: int, query: str = NDVI) -> str:
    answer = client.post(f"{SERIES}{query}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    return str(answer.get_json()["detail"])


def ndvi(archives: Path, item: str, rows: slice, cols: slice) -> Any:
    """NDVI of an archive's own pixels."""
    with open_archive(archives / f"{item}.zarr.zip") as archive:
        group = archive.groups["r10m"]
        values = archive.read(group.levels[0], Window(0, 0, SIZE, SIZE))[:, rows, cols].astype(float)
        bands = {
            band.name: values[index] * band.scale + band.offset for index, band in enumerate(group.bands)
        }
    return (bands["B08"] - bands["B04"]) / (bands["B08"] + bands["B04"])


def test_a_mean_is_that_of_the_pixels_inside(client: FlaskClient, archives: Path) -> None:
    field = polygon(40 / SIZE, 60 / SIZE, 80 / SIZE, 100 / SIZE)
    (feature,) = ask(client, field)["features"]
    first = feature["observations"][0]
    expected = ndvi(archives, "day-0", slice(60, 100), slice(40, 80))
    assert first["item"] == "day-0"
    assert first["value"] == pytest.approx(float(expected.mean()), abs=1e-4)
    assert first["spread"] == pytest.approx(float(expected.std()), rel=1e-2)
    assert first["pixels"] == pytest.approx(1600, rel=1e-3)
    assert (first["covered"], first["clear_fraction"], first["cloudy"]) == (1, 1, False)
    assert 0 < first["uncertainty"] < first["spread"]


def test_cloudy_dates_stay_and_are_marked(client: FlaskClient, archives: Path) -> None:
    (feature,) = ask(client, polygon(0.25, 0.25, 0.75, 0.75))["features"]
    clear, half, covered, silent = feature["observations"]
    assert [each["datetime"][:10] for each in feature["observations"]] == sorted(
        each["datetime"][:10] for each in feature["observations"]
    )
    assert half["clear_fraction"] == pytest.approx(0.5, abs=0.05)
    assert half["classes"]["cloud"] == pytest.approx(1 - half["clear_fraction"], abs=1e-3)
    assert half["cloudy"]
    assert half["value"] is not None
    assert half["pixels"] == pytest.approx(clear["pixels"] / 2, rel=0.1)
    assert half["uncertainty"] > clear["uncertainty"]  # half of it is not seen
    assert (covered["value"], covered["uncertainty"], covered["pixels"]) == (None, None, 0)
    assert (covered["clear_fraction"], covered["cloudy"]) == (0, True)
    assert (silent["clear_fraction"], silent["classes"], silent["cloudy"]) == (None, None, False)
    assert silent["value"] is not None


def test_a_mask_says_what_counts(client: FlaskClient) -> None:
    field = polygon(0.25, 0.25, 0.75, 0.75)
    everything = ask(client, field, f"{NDVI}&mask=clear,cloud,thin,shadow")["features"][0]["observations"]
    assert [each["item"] for each in everything] == ["day-0", "day-1", "day-2"]
    assert len({each["pixels"] for each in everything}) == 1
    assert not any(
        each["cloudy"] for each in ask(client, field, f"{NDVI}&min_clear=0")["features"][0]["observations"]
    )


def test_an_area_smaller_than_a_pixel_has_its_value(client: FlaskClient, archives: Path) -> None:
    place = (100.3 / SIZE, 50.3 / SIZE, 100.6 / SIZE, 50.6 / SIZE)
    (feature,) = ask(client, polygon(*place))["features"]
    expected = float(ndvi(archives, "day-0", slice(50, 51), slice(100, 101))[0, 0])
    first = feature["observations"][0]
    assert first["value"] == pytest.approx(expected, abs=1e-4)
    assert first["pixels"] == pytest.approx(0.09, abs=0.01)
    lon, lat = position(100.5 / SIZE, 50.5 / SIZE)
    at_point = client.get(f"{SERIES}{NDVI}&point={lon},{lat}").get_json()["features"][0]["observations"][0]
    assert at_point["value"] == first["value"]
    known = client.get(
        f"/collections/optical/items/day-0/point/{lon},{lat}?expression=(B08-B04)/(B08%2BB04)"
    ).get_json()["results"][0]
    assert at_point["value"] == pytest.approx(known["value"], abs=1e-5)
    assert at_point["uncertainty"] == pytest.approx(known["expected_error"], rel=0.01)


def test_the_whole_world_is_the_whole_scene(client: FlaskClient, archives: Path) -> None:
    (feature,) = ask(client, WORLD, "?bands=B04")["features"]
    with open_archive(archives / "day-0.zarr.zip") as archive:
        expected = archive.read(archive.groups["r10m"].levels[0], Window(0, 0, SIZE, SIZE))[2].mean()
    assert feature["observations"][0]["value"] == pytest.approx(float(expected), abs=0.1)
    west, south, east, north = -180, -90, 180, 90
    box = client.get(f"{SERIES}?bands=B04&bbox={west},{south},{east},{north}").get_json()
    assert box["features"][0]["observations"] == feature["observations"]


def test_many_areas_keep_their_ids_and_properties(client: FlaskClient) -> None:
    places = [(0.1, 0.1, 0.2, 0.2), (0.5, 0.1, 0.55, 0.2), (0.3, 0.6, 0.4, 0.9)]
    features = [
        {
            "type": "Feature",
            "id": f"field-{number}",
            "properties": {"crop": number},
            "geometry": polygon(*place),
        }
        for number, place in enumerate(places)
    ]
    together = ask(client, {"type": "FeatureCollection", "features": features})["features"]
    assert [each["id"] for each in together] == ["field-0", "field-1", "field-2"]
    assert [each["properties"] for each in together] == [{"crop": 0}, {"crop": 1}, {"crop": 2}]
    alone = [ask(client, feature)["features"][0] for feature in features]
    assert together == alone


def test_csv_has_a_line_an_observation(client: FlaskClient) -> None:
    body = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "id": 'a "field", or two', "geometry": polygon(0.1, 0.1, 0.2, 0.2)},
        {"type": "Feature", "properties": {}, "geometry": polygon(0.7, 0.1, 0.9, 0.2)},
    ]}  # fmt: skip
    answer = client.post(f"{SERIES}{NDVI}&f=csv", json=body)
    assert answer.mimetype == "text/csv"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    known = ask(client, body)["features"]
    assert [line["id"] for line in lines] == ['a "field", or two'] * 4 + ["1"] * 4
    for line, each in zip(lines, [each for one in known for each in one["observations"]], strict=True):
        assert line["item"] == each["item"]
        assert (float(line["value"]) if line["value"] else None) == each["value"]


def test_observations_survive_a_restart_and_never_an_archive(
    server: Server, own_archives: Path, archives: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "places"
    folder.mkdir()
    for number in range(2):
        (folder / f"day-{number}.zarr.zip").write_bytes((archives / f"day-{number}.zarr.zip").read_bytes())
    field, kept = polygon(0.1, 0.1, 0.3, 0.3), tmp_path / "kept.sqlite"
    first = ask(server(folder, observations=kept), field)
    # a server that may decode nothing answers from what is kept
    again = server(folder, observations=kept, max_decoded_samples=1)
    assert ask(again, field) == first
    assert again.post(f"{SERIES}{NDVI}", json=polygon(0.1, 0.1, 0.3, 0.4)).status_code == 413
    other = scene("day-1", 2, 17, 0.0)
    compress(other, folder / "day-1.zarr.zip", codec="dct", step=20.0, force=True)
    second = ask(server(folder, observations=kept), field)
    old, new = (each["features"][0]["observations"] for each in (first, second))
    assert old[0] == new[0]
    assert old[1]["value"] != new[1]["value"]


def test_a_damaged_or_full_file_of_observations_costs_time_alone(
    server: Server, archives: Path, tmp_path: Path
) -> None:
    field, kept = polygon(0.1, 0.1, 0.3, 0.3), tmp_path / "kept.sqlite"
    kept.write_bytes(b"SQLite format 3\0 but this is no database at all, whatever it says" * 100)
    client = server(archives, observations=kept)
    first = ask(client, field)
    assert ask(client, field) == first
    with sqlite3.connect(kept) as db:
        assert db.execute("SELECT count(*) FROM observations").fetchone()[0] == 4
        db.execute('UPDATE observations SET content = \'{"value": "high"}\'')
    assert ask(client, field) == first
    small = server(archives, observations=tmp_path / "small.sqlite", observation_cache_bytes=20_000)
    for number in range(12):
        ask(small, polygon(0.1, 0.1, 0.3, 0.3 + number / 100))
    with sqlite3.connect(tmp_path / "small.sqlite") as db:
        assert db.execute("SELECT count(*) FROM observations").fetchone()[0] < 48
    assert ask(server(archives, observation_cache_bytes=0), field) == first


def test_a_file_of_something_else_is_left_alone(server: Server, archives: Path, tmp_path: Path) -> None:
    """It was deleted with the first request."""
    notes, other = tmp_path / "notes.txt", tmp_path / "catalog.sqlite"
    notes.write_text("what I saw")
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE items (path TEXT)")
    for path in (notes, other):
        content = path.read_bytes()
        with pytest.raises(SettingsError, match="COMEO_OBSERVATIONS"):
            server(archives, observations=path)
        assert path.read_bytes() == content


def test_names_of_a_costly_formula_are_made_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of 20 000 took as long as the formula: half a minute before the first observation."""
    made: list[object] = []

    def naming(*given: Any) -> str:
        made.append(given)
        return computation_name(*given)

    monkeypatch.setattr(series, "computation_name", naming)
    fields = [
        {"type": "Feature", "properties": None, "geometry": polygon(0.1, 0.1, 0.11, 0.11 + number / 100)}
        for number in range(20)
    ]
    ask(client, {"type": "FeatureCollection", "features": fields})
    assert len(made) == 1


def test_what_takes_too_long_goes_on_where_it_stopped(
    server: Server, archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr("tileserver.render.series.monotonic", lambda: float(next(ticks)))
    client = server(archives, observations=tmp_path / "kept.sqlite", series_seconds=2.5)
    field = polygon(0.1, 0.1, 0.3, 0.3)
    answer = client.post(f"{SERIES}{NDVI}", json=field)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "2 of 4 observations are made and kept" in answer.get_json()["detail"]
    assert len(ask(client, field)["features"][0]["observations"]) == 4


def test_bounds_are_named(server: Server, archives: Path) -> None:
    field = {"type": "Feature", "properties": None, "geometry": polygon(0.1, 0.1, 0.3, 0.3)}
    two = {"type": "FeatureCollection", "features": [field, field]}
    assert "2 features, more than 1" in refusal(server(archives, max_sites=1), two, 413)
    assert "8 observations" in refusal(server(archives, max_observations=7), two, 413)
    assert "max_size" in refusal(server(archives), field, 413, f"{NDVI}&max_size=100000")
    assert "more than 4 vertices" in refusal(server(archives, max_vertices=4), field, 413)


@pytest.mark.parametrize(
    ("body", "query", "said"),
    [
        ({"type": "FeatureCollection", "features": []}, NDVI, "no features"),
        ({"type": "FeatureCollection", "features": [{"type": "Feature"}]}, NDVI, "features[0]"),
        ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, NDVI, "Polygon or MultiPolygon"),
        ({"type": "Point", "coordinates": [200, 0]}, NDVI, "longitude comes first"),
        ({"type": "Feature", "id": True, "geometry": PLACE}, NDVI, "the id"),
        (PLACE, "", "name what the series is of"),
        (PLACE, "?bands=B04,B08", "one value, and this is 2"),
        (PLACE, "?style=clear", "classes"),
        (PLACE, f"{NDVI}&min_clear=2", "min_clear"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(client: FlaskClient, body: Any, query: str, said: str) -> None:
    assert said in refusal(client, body, 422, query)


def test_one_place_is_named_once(client: FlaskClient) -> None:
    for query in ("", "&point=8,47&bbox=8,47,9,48", "&point=8", "&point=800,2"):
        assert client.get(f"{SERIES}{NDVI}{query}").status_code == 422, query
    assert client.get(f"{SERIES}{NDVI}&point=100,10").status_code == 404


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "features", "geometry", "id", "coordinates"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_body_is_answered_or_refused(client: FlaskClient, body: Any) -> None:
    answer = client.post(f"{SERIES}{NDVI}", data=json.dumps(body), content_type="application/json")
    assert answer.status_code in (200, 400, 404, 413, 422)


@pytest.mark.parametrize(
    ("body", "count"), [(WORLD, SIZE**2), (polygon(50.3 / SIZE, 50.3 / SIZE, 50.6 / SIZE, 50.6 / SIZE), 1)]
)
def test_statistics_of_the_world_and_of_less_than_a_pixel(client: FlaskClient, body: Any, count: int) -> None:
    answer = client.post("/collections/optical/items/day-0/statistics?bands=B04", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["B04"]["valid_pixels"] == count
    assert (
        client.post(
            "/collections/optical/items/day-0/feature.tif?bands=B04", json=WORLD, buffered=True
        ).status_code
        == 200
    )
