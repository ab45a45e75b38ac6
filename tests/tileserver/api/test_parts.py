"""Scenes of which not all is here: listed, drawn as well as can be, said to be so; numbers wait."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from comeo.archive import open_archive
from comeo.archive.ranges import Ranges
from comeo.archive.stores.extents import Extents
from comeo.archive.stores.parts import map_path
from comeo.archive.stores.sparse import SparseWriter
from tests.parts import bring, etag_of, long_archive, ranges_of
from tests.tileserver.conftest import Server
from tileserver.render.matrixsets import matrix_set

ITEM = "/collections/optical/items/long"
LOOK = "bands=B04&rescale=1000,3000"
NEAR = (8.641, 47.40)
"""A position in the scene."""


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return long_archive(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another scene of the place, two days before."""
    return long_archive(tmp_path_factory.mktemp("older"), "before", day=28)


@pytest.fixture(scope="session")
def found(whole: Path) -> Ranges:
    return ranges_of(whole)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "served"
    made.mkdir()
    return made


Ask = Callable[..., TestResponse]


def tile_address(extension: str = "png", zoom: int = 14) -> str:
    tile = matrix_set("WebMercatorQuad").tile(*NEAR, zoom)
    return f"{ITEM}/tiles/WebMercatorQuad/{zoom}/{tile.x}/{tile.y}.{extension}"


def pixels(answer: TestResponse) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGBA")).astype(int)


def is_put_off(answer: TestResponse) -> bool:
    """Whether an answer is a problem of one sentence that says when to ask again."""
    assert answer.status_code == 503, (answer.status_code, answer.text)
    assert answer.headers["Retry-After"] == "60"
    assert answer.headers["Cache-Control"] == "no-store"
    detail = answer.get_json()["detail"]
    return ("here yet" in detail or "in part" in detail) and detail.count(". ") == 0


def test_a_part_is_listed_with_what_is_here(server: Server, whole: Path, folder: Path, found: Ranges) -> None:
    path = folder / "long.zarr.part"
    path.write_bytes(b"")  # has no map yet
    client = server(folder)
    assert client.get(ITEM + "/info").status_code == 404
    bring(whole, folder, Extents(), [])  # of nothing
    assert client.get(ITEM + "/info").status_code == 404
    assert client.get("/readyz").get_json()["broken"] == {}
    bring(whole, folder, found.head, ["head"])
    info = client.get(ITEM + "/info").get_json()
    share = found.head.total / found.size
    assert (info["completeness"], info["layers"]) == (round(share, 4), ["head"])
    bring(whole, folder, found.coarse, ["head", "coarse"])
    item = client.get("/stac/collections/optical/items/long").get_json()
    share = (found.head.total + found.coarse.total) / found.size
    assert item["properties"]["comeo:completeness"] == round(share, 4)
    assert item["properties"]["comeo:layers"] == ["head", "coarse"]
    for word, count in (("<", 1), (">", 0)):
        condition = {"op": word, "args": [{"property": "comeo:completeness"}, 0.9]}
        body = {"filter": condition, "filter-lang": "cql2-json"}
        answer = client.post("/stac/search", json=body).get_json()
        assert "features" in answer, answer
        assert len(answer["features"]) == count


def test_the_whole_archive_wins_and_the_scene_goes_on_without_a_gap(
    server: Server, whole: Path, folder: Path, found: Ranges
) -> None:
    client = server(folder)
    bring(whole, folder, found.head.union(found.coarse), ["head", "coarse"])
    first = client.get("/changes").get_json()
    before = client.get(ITEM + "/info").get_json()
    bring(whole, folder, found.rest.without(Extents([(0, 1)])), ["head", "coarse"])
    bring(whole, folder, found.rest, ["head", "coarse"])
    part = SparseWriter.create(folder / "long.zarr.part", found.size, etag_of(whole))
    assert part.complete() == folder / "long.zarr.zip"
    after = client.get(ITEM + "/info").get_json()
    assert "completeness" in before
    assert "completeness" not in after
    item = client.get("/stac/collections/optical/items/long").get_json()
    assert "comeo:completeness" not in item["properties"]
    changes = client.get("/changes", query_string={"after": first["next"]}).get_json()
    assert {change["op"] for change in changes["changes"]} == {"put"}
    assert client.get(ITEM + "/archive").data == whole.read_bytes()


def test_an_archive_that_fades_goes_on_without_a_gap(
    server: Server, whole: Path, folder: Path, found: Ranges
) -> None:
    shutil.copy(whole, folder)
    client = server(folder)
    first = client.get("/changes").get_json()
    idle = server(folder, scan_seconds=3600)
    assert "Comeo-Completeness" not in idle.get(f"{tile_address()}?{LOOK}").headers
    SparseWriter.fade(folder / "long.zarr.zip", found.head.union(found.coarse), ("head", "coarse")).close()
    changes = client.get("/changes", query_string={"after": first["next"]}).get_json()["changes"]
    assert [change["op"] for change in changes] == ["put"]
    assert client.get(f"{tile_address()}?{LOOK}").headers["Comeo-Completeness"].endswith("; drawn=3")
    assert is_put_off(client.get(f"{ITEM}/point/{NEAR[0]},{NEAR[1]}"))
    assert idle.get(f"{tile_address(zoom=12)}?{LOOK}").status_code == 200  # still read by its former name


def test_a_whole_archive_beside_a_part_is_the_one_that_is_served(
    server: Server, whole: Path, folder: Path, found: Ranges
) -> None:
    shutil.copy(whole, folder / "long.zarr.zip")
    bring(whole, folder, found.head, ["head"])
    client = server(folder)
    assert "completeness" not in client.get(ITEM + "/info").get_json()
    assert client.get(ITEM + "/archive").data == whole.read_bytes()


@pytest.mark.parametrize("become_whole", [True, False])
def test_what_changes_between_two_looks_at_the_folder_is_still_read(
    server: Server, whole: Path, folder: Path, found: Ranges, *, become_whole: bool
) -> None:
    path = bring(whole, folder, found.head.union(found.coarse), ["head", "coarse"])
    client = server(folder, scan_seconds=3600)
    assert client.get(ITEM + "/statistics?bands=B04").status_code == 503
    bring(whole, folder, found.rest, ["all"])
    if become_whole:
        SparseWriter.create(path, found.size, etag_of(whole)).complete()
    tile = client.get(f"{tile_address()}?{LOOK}")
    assert tile.status_code == 200


def test_a_damaged_map_is_said_and_a_sound_one_served_again(
    server: Server, whole: Path, folder: Path, found: Ranges
) -> None:
    path = bring(whole, folder, found.head, ["head"])
    client = server(folder)
    sound = map_path(path).read_text()
    map_path(path).write_text(json.dumps({**json.loads(sound), "extents": [[9, 3]]}))
    assert client.get(ITEM + "/info").status_code == 404
    map_path(path).write_text(sound)
    assert client.get(ITEM + "/info").status_code == 200


def test_tiles_are_drawn_of_overviews_say_so_and_become_finer(
    server: Server, whole: Path, folder: Path, found: Ranges
) -> None:
    bring(whole, folder, found.head.union(found.coarse), ["head", "coarse"])
    client = server(folder)
    coarse = client.get(f"{tile_address()}?{LOOK}")
    share = (found.head.total + found.coarse.total) / found.size
    assert coarse.headers["Comeo-Completeness"] == f"{share:.2f}; drawn=3"
    assert coarse.headers["Cache-Control"] == "public, max-age=30"
    again = client.get(f"{tile_address()}?{LOOK}")  # from the cache of tiles
    assert again.headers["Comeo-Completeness"] == coarse.headers["Comeo-Completeness"]
    same = client.get(f"{tile_address()}?{LOOK}", headers={"If-None-Match": coarse.headers["ETag"]})
    assert (same.status_code, same.headers["Cache-Control"]) == (304, "public, max-age=30")

    area = ranges_with_blocks(whole, (NEAR[0] - 0.03, NEAR[1] - 0.03, NEAR[0] + 0.03, NEAR[1] + 0.03))
    bring(whole, folder, area, ["head", "coarse", "area"])
    fine = client.get(f"{tile_address()}?{LOOK}", headers={"If-None-Match": coarse.headers["ETag"]})
    assert fine.status_code == 200
    assert fine.headers["ETag"] != coarse.headers["ETag"]
    assert fine.headers["Comeo-Completeness"].endswith("; drawn=0")

    bring(whole, folder, found.rest, ["all"])
    SparseWriter.create(folder / "long.zarr.part", found.size, etag_of(whole)).complete()
    last = client.get(f"{tile_address()}?{LOOK}")
    assert "Comeo-Completeness" not in last.headers
    assert "max-age=30" not in last.headers["Cache-Control"]
    np.testing.assert_array_equal(pixels(fine), pixels(last))
    rough, sharp = pixels(coarse), pixels(last)
    np.testing.assert_array_equal(rough[..., 3] > 0, sharp[..., 3] > 0)  # nothing looks like no data
    assert (rough[..., :3] != sharp[..., :3]).any()
    shown = sharp[..., 3] > 0
    assert np.corrcoef(rough[shown][:, 0], sharp[shown][:, 0])[0, 1] > 0.5  # but like the same ground


def test_looking_from_afar_needs_no_more_than_the_overview(
    server: Server, whole: Path, folder: Path, found: Ranges
) -> None:
    bring(whole, folder, found.head.union(found.coarse), ["head", "coarse"])
    client = server(folder)
    preview = client.get(f"{ITEM}/preview.png?max_size=128&{LOOK}")
    assert preview.headers["Comeo-Completeness"].endswith("; drawn=0")
    assert is_put_off(client.get(f"{ITEM}/preview.png?max_size=128&bands=B11&rescale=1000,3000"))


@pytest.mark.parametrize(
    "path",
    [
        tile_address("tif") + "?bands=B04",
        tile_address() + "?bands=B11&rescale=0,3000",  # has no overview
        f"{ITEM}/point/{NEAR[0]},{NEAR[1]}",
        f"{ITEM}/statistics?bands=B04&max_size=4096",
        f"{ITEM}/bbox/8.64,47.39,8.65,47.40.tif",
        f"{ITEM}/archive",
        f"/collections/optical/series?point={NEAR[0]},{NEAR[1]}&bands=B04",
        f"{ITEM}/preview.tif?bands=B04&max_size=2000",
        f"/collections/optical/point/{NEAR[0]},{NEAR[1]}",
        "/collections/optical/bbox/8.64,47.39,8.65,47.40.tif?bands=B04",
    ],
)
def test_numbers_wait_for_their_own_pixels(
    server: Server, whole: Path, folder: Path, found: Ranges, path: str
) -> None:
    bring(whole, folder, found.head.union(found.coarse), ["head", "coarse"])
    client = server(folder)
    assert is_put_off(client.get(path))
    assert client.get(ITEM + "/info").status_code == 200  # and is not taken for damaged
    bring(whole, folder, found.rest, ["all"])
    SparseWriter.create(folder / "long.zarr.part", found.size, etag_of(whole)).complete()
    answer = client.get(path)
    assert (answer.status_code, len(answer.data) > 0) == (200, True)


def test_numbers_come_as_soon_as_their_own_pixels_are_here(
    server: Server, whole: Path, folder: Path, found: Ranges
) -> None:
    area = ranges_with_blocks(whole, (*NEAR, *NEAR))
    bring(whole, folder, found.head.union(found.coarse).union(area), ["head", "coarse", "area"])
    point = f"{ITEM}/point/{NEAR[0]},{NEAR[1]}"
    there = server(folder).get(point)
    assert there.status_code == 200
    assert there.get_json() == server(whole.parent).get(point).get_json()


@pytest.mark.parametrize(("zoom", "bands"), [(10, "B04"), (12, "B04"), (12, "B11")])
def test_an_area_without_an_overview_is_drawn_where_it_is_here(
    server: Server, whole: Path, folder: Path, found: Ranges, zoom: int, bands: str
) -> None:
    area = ranges_with_blocks(whole, (*NEAR, *NEAR))
    bring(whole, folder, found.head.union(area), ["head", "area"])
    client, look = server(folder), f"bands={bands}&rescale=1000,3000"
    answer = client.get(f"{tile_address(zoom=zoom)}?{look}")
    assert answer.headers["Comeo-Completeness"].endswith("; drawn=0; gaps")
    assert answer.headers["Cache-Control"] == "public, max-age=30"
    here = pixels(answer)[..., 3] > 0
    there = pixels(server(whole.parent).get(f"{tile_address(zoom=zoom)}?{look}"))[..., 3] > 0
    assert 0.01 < (here & there).sum() / there.sum() < 0.7
    assert not (here & ~there).any()
    elsewhere = matrix_set("WebMercatorQuad").tile(8.641, 47.3, 14)
    far = f"{ITEM}/tiles/WebMercatorQuad/14/{elsewhere.x}/{elsewhere.y}.png?{look}"
    assert is_put_off(client.get(far))  # and is not an empty tile


def test_numbers_of_an_area_need_no_overview(
    server: Server, whole: Path, folder: Path, found: Ranges
) -> None:
    box = (8.640, 47.399, 8.642, 47.401)
    bring(whole, folder, found.head.union(ranges_with_blocks(whole, box)), ["head", "area"])
    asked = [
        f"{ITEM}/bbox/{','.join(map(str, box))}.tif?bands=B04,B11",
        f"/collections/optical/series?point={NEAR[0]},{NEAR[1]}&bands=B04&mask=clear",
    ]
    for path in asked:
        here, there = (server(place).get(path) for place in (folder, whole.parent))
        assert (here.status_code, there.status_code) == (200, 200), here.text
    assert is_put_off(server(folder).get(f"{ITEM}/statistics?bands=B04&max_size=4096"))


def mosaic_tile(client: FlaskClient, extra: str = "") -> TestResponse:
    return client.get(tile_address().replace("/items/long", "") + f"?{LOOK}{extra}")


def test_a_scene_that_cannot_be_drawn_yet_leaves_a_mosaic_as_it_was(
    server: Server, whole: Path, older: Path, folder: Path, found: Ranges
) -> None:
    bring(older, folder, ranges_of(older).head, ["head"])
    client = server(folder)
    assert is_put_off(mosaic_tile(client))  # and is not an empty tile
    assert is_put_off(client.get(f"/collections/optical/items/before/preview.png?{LOOK}"))
    shutil.copy(whole, folder)
    both = mosaic_tile(client)
    assert both.headers["Comeo-Completeness"].endswith("; drawn=0; waiting=1")
    assert both.headers["Cache-Control"] == "public, max-age=30"
    np.testing.assert_array_equal(pixels(both), pixels(client.get(f"{tile_address()}?{LOOK}")))
    assert found.size


@pytest.mark.parametrize("selection", ["first", "clear", "mean", "median", "lowest"])
def test_a_newer_scene_of_which_the_overview_is_here_counts_in_mosaics(
    server: Server, whole: Path, older: Path, folder: Path, selection: str
) -> None:
    shutil.copy(whole, folder)
    extra = f"&pixel_selection={selection}"
    alone = pixels(mosaic_tile(server(folder), extra))
    newer = ranges_of(older)
    bring(older, folder, newer.head.union(newer.coarse), ["head", "coarse"])
    both = mosaic_tile(server(folder), extra)
    assert both.headers["Comeo-Completeness"].endswith("; drawn=3")
    assert (pixels(both) != alone).any()


def test_scenes_are_not_compared_by_pixels_of_two_sizes(
    server: Server, whole: Path, older: Path, folder: Path
) -> None:
    shutil.copy(whole, folder)
    newer = ranges_of(older)
    bring(older, folder, newer.head.union(newer.coarse), ["head", "coarse"])
    path = tile_address().replace("items/long", "items/before")
    assert is_put_off(server(folder).get(f"{path}?bands=B04&against=long"))


def ranges_with_blocks(whole: Path, box: tuple[float, float, float, float]) -> Extents:
    with open_archive(whole) as archive:
        found = Ranges(archive)
        return found.indexes_of(bbox=box).union(found.blocks(bbox=box))
