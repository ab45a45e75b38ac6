"""Collections of more scenes than one page of the catalogue holds, or than a request may look at."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.tileserver.conftest import Server
from tests.tileserver.places import position, tile_path
from tileserver.catalog.sqlite import versioned

COPIES = 110
CROWD = 3000
HIDDEN = (0.9, 0.9)  # where `new` has no valid pixel, but `middle` and `old` have
OPTICAL = "/collections/optical"


@pytest.fixture
def crowd(server: Server, own_archives: Path, tmp_path: Path) -> Any:
    """Makes a client of a collection in which `new` comes many times more, later and without the band B11."""

    def make(copies: int = COPIES, **settings: object) -> FlaskClient:
        for name in ("radar", "plain"):
            (own_archives / f"{name}.zarr.zip").unlink()
        client = server(own_archives, scan_seconds=3600, **settings)
        _multiply(versioned(tmp_path / "catalog-1.sqlite", [own_archives]), tmp_path, copies)
        return client

    return make


def _multiply(database: Path, folder: Path, copies: int) -> None:
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("BEGIN")
    columns = [name for _, name, *_ in db.execute("PRAGMA table_info(items)")]
    row = dict(zip(columns, db.execute("SELECT * FROM items WHERE id = 'new'").fetchone(), strict=True))
    bands = [band for band in json.loads(row["bands"]) if band["name"] != "B11"]
    for number in range(copies):
        path = folder / f"copy-{number}.zarr.zip"
        path.symlink_to(row["path"])
        copy = {
            **row, "path": str(path), "id": f"copy-{number}", "bands": json.dumps(bands),
            "datetime": row["datetime"] + (number + 1) * 3_600_000_000,
        }  # fmt: skip
        db.execute(f"INSERT INTO items VALUES ({', '.join('?' * len(columns))})", list(copy.values()))
    db.execute("UPDATE meta SET value = value + 1 WHERE key = 'changed_at'")
    db.execute("COMMIT")
    db.close()


def _point(client: FlaskClient) -> Any:
    lon, lat = position(*HIDDEN)
    return client.get(f"{OPTICAL}/point/{lon},{lat}?bands=B04")


def test_a_point_is_looked_up_beyond_the_first_page(crowd: Any) -> None:
    answer = _point(crowd())
    assert answer.status_code == 200
    assert answer.json["item"] == "middle"


@pytest.mark.parametrize("bound", ["max_opened_scenes", "max_candidates"])
def test_a_point_that_takes_too_many_scenes_names_the_bound(crowd: Any, bound: str) -> None:
    answer = _point(crowd(**{bound: COPIES}))
    assert answer.status_code == 413
    assert answer.json["bound"] == bound


def test_a_tile_goes_on_until_it_is_full(crowd: Any) -> None:
    path = f"{OPTICAL}/tiles/WebMercatorQuad/{tile_path(*HIDDEN, 16)}.png"
    client = crowd(max_candidates=COPIES + 3)
    answer = client.get(path)
    assert answer.status_code == 200
    alone = client.get(path.replace(OPTICAL, f"{OPTICAL}/items/middle"))
    assert answer.data == alone.data


def test_a_tile_with_too_many_scenes_is_an_error_and_not_a_hole(crowd: Any) -> None:
    client = crowd(max_candidates=COPIES)
    answer = client.get(f"{OPTICAL}/tiles/WebMercatorQuad/{tile_path(*HIDDEN, 16)}.png")
    assert answer.status_code == 413
    assert answer.json["bound"] == "max_candidates"
    full = client.get(f"{OPTICAL}/tiles/WebMercatorQuad/{tile_path(0.2, 0.2, 16)}.png")
    assert full.status_code == 200


def test_tiles_are_offered_if_any_scene_can_be_shown(crowd: Any) -> None:
    client = crowd()
    assert client.get(f"{OPTICAL}/tilejson.json?bands=B11&rescale=0,1").status_code == 200
    assert client.get(f"{OPTICAL}/tilejson.json?bands=B77&rescale=0,1").status_code == 404


def test_of_three_thousand_scenes_none_is_left_out_without_a_word(crowd: Any) -> None:
    """The answer is right, or refused with the bound and what to do."""
    client = crowd(CROWD, max_opened_scenes=20)
    lon, lat = position(0.2, 0.2)
    newest = client.get(f"{OPTICAL}/point/{lon},{lat}?bands=B04")
    assert newest.json["item"] == f"copy-{CROWD - 1}"
    tile = f"{OPTICAL}/tiles/WebMercatorQuad/{tile_path(0.2, 0.2, 16)}.png"
    alone = client.get(tile.replace(OPTICAL, f"{OPTICAL}/items/copy-{CROWD - 1}"))
    assert client.get(tile).data == alone.data
    hidden = f"{OPTICAL}/tiles/WebMercatorQuad/{tile_path(*HIDDEN, 16)}.png"
    for refused in (_point(client), client.get(hidden)):
        assert refused.status_code == 413
        assert refused.json["bound"] == "max_opened_scenes"
        assert "narrow datetime" in refused.json["detail"]
    narrowed = client.get(f"{hidden}?datetime=../2020-05-12")
    assert narrowed.data == client.get(hidden.replace(OPTICAL, f"{OPTICAL}/items/middle")).data
    lon, lat = position(*HIDDEN)
    assert client.get(f"{OPTICAL}/point/{lon},{lat}?datetime=../2020-05-12").json["item"] == "middle"
    for series in (f"{OPTICAL}/series.kml", f"{OPTICAL}/bbox/{lon},{lat},{lon + 0.01},{lat + 0.01}.kmz"):
        assert client.get(series).status_code == 413
    assert (
        client.get("/stac/search?collections=optical&limit=1&sortby=datetime").json["numberMatched"]
        == CROWD + 3
    )
