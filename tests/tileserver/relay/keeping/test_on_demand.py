"""What somebody looks at on a relay's map is fetched first, within its share of the quotas."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import mercantile
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from comeo.archive.stores.parts import read_map
from comeo.errors import ComeoError
from comeo.view.missing import MissingBlock
from tests.tileserver.forking import die_at, was_killed
from tests.tileserver.relay.keeping.relayed import HERE, Relayed, altered
from tileserver.cli.main import cli
from tileserver.relay.keeping.bringing import SYNC_BYTES
from tileserver.relay.keeping.journal import Journal
from tileserver.relay.keeping.looks import MOST, Looks
from tileserver.relay.keeping.runner import STATIC_SECONDS
from tileserver.relay.keeping.status import status

Server = Callable[..., FlaskClient]
OVERVIEWS = '[[subscription]]\nname = "all"\nlayers = ["coarse"]'
LINK = '[link]\non_demand = true\ndaily = "10 MB"'
PLACE = mercantile.tile(8.72, 47.38, 14)
ITEM = "/collections/optical/items/scene"
TILE = f"{ITEM}/tiles/WebMercatorQuad/{PLACE.z}/{PLACE.x}/{PLACE.y}.png?bands=B04&rescale=0,4000"
OTHER = TILE.replace(f"/{PLACE.y}.png", f"/{PLACE.y + 1}.png")
HEADER = "Comeo-Completeness"


@pytest.fixture
def coarse(relayed: Relayed) -> Relayed:
    """A relay with the head and overviews of a scene, that fetches on demand."""
    relayed.define(subscription=OVERVIEWS, link=LINK)
    relayed.run()
    return relayed


@pytest.fixture
def client(coarse: Relayed, server: Server) -> FlaskClient:
    """Its server."""
    return serving(coarse, server)


def serving(relay: Relayed, server: Server) -> FlaskClient:
    return server(relay.root / "relay/archives", relay_definition=relay.root / "RELAY.toml")


def waiting(relay: Relayed) -> list[MissingBlock]:
    return [*Looks(relay.root / "relay/looks.sqlite").newest(relay.time.now)]


def wanted(relay: Relayed) -> Any:
    """What status says of it."""
    journal = Journal(relay.root / "relay/relay.sqlite", create=False)
    try:
        return status(relay.relay, journal, relay.time.now)["wanted"]
    finally:
        journal.close()


@pytest.fixture(autouse=True)
def one_clock(monkeypatch: pytest.MonkeyPatch, relayed: Relayed) -> None:
    """The server's time is the relay's."""
    for module in ("relay.keeping.serving", "api.relay.status"):
        monkeypatch.setattr(f"tileserver.{module}.now_utc", relayed.time.clock)


def test_a_tile_is_sharp_after_it_was_looked_at(coarse: Relayed, client: FlaskClient, server: Server) -> None:
    whole = server(coarse.origin.root)
    before = coarse.broken().given
    first = client.get(TILE)
    assert first.status_code == 200
    assert first.headers[HEADER].endswith("drawn=3")
    assert first.headers["Cache-Control"] == "public, max-age=30"
    assert HEADER in first.headers["Access-Control-Expose-Headers"].split(", ")
    assert coarse.broken().given == before  # nothing waits for the link
    assert wanted(coarse)["places"] == len(waiting(coarse)) > 0
    expected = wanted(coarse)["bytes"]
    coarse.run()
    again = client.get(TILE, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert "drawn=0" in again.headers[HEADER]
    assert again.data == whole.get(TILE).data
    assert again.data != first.data
    assert wanted(coarse)["places"] == 0
    came = coarse.broken().given - before
    assert came < 0.1 * coarse.origin.documents[0]["bytes"]
    assert 0.2 * came < expected < 5 * came
    assert coarse.kept()[0].layers == ("head", "coarse")
    assert coarse.kept()[0].published == coarse.kept()[0].received.total
    assert wanted(coarse)["today"] >= came
    coarse.run()
    assert coarse.broken().given == before + came


def test_blocks_that_are_predicted_come_with_what_they_are_predicted_from(
    coarse: Relayed, client: FlaskClient, server: Server
) -> None:
    tile = TILE.replace("B04", "B11")
    client.get(tile)
    assert {block.group for block in waiting(coarse)} == {"r20m"}
    coarse.run()
    sharp = client.get(tile)
    assert sharp.data == server(coarse.origin.root).get(tile).data
    assert "drawn=0" in sharp.headers[HEADER]


@pytest.mark.parametrize(
    "path",
    [f"{ITEM}/bbox/8.72,47.38,8.722,47.382.png?bands=B04", TILE.replace(ITEM, ITEM.partition("/items")[0])],
)
def test_other_pictures_are_looked_at_too(coarse: Relayed, client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200
    assert waiting(coarse)


def test_exact_pixels_are_waited_for_and_fetched(
    coarse: Relayed, client: FlaskClient, server: Server
) -> None:
    exact = TILE.replace(".png", ".npy").replace("&rescale=0,4000", "")
    assert client.get(exact).status_code == 503
    coarse.run()
    assert client.get(exact).data == server(coarse.origin.root).get(exact).data


def test_what_draws_nothing_asks_for_nothing(coarse: Relayed, client: FlaskClient) -> None:
    shape = {"type": "Polygon", "coordinates": [[[8.72, 47.38], [8.73, 47.38], [8.73, 47.39], [8.72, 47.38]]]}
    assert client.post(f"{ITEM}/feature.png?bands=B04", json=shape).status_code == 200
    client.head(TILE)
    client.get(f"{ITEM}/point/8.72,47.38")
    client.get(f"{ITEM}/statistics")
    client.get("/stac/collections/optical/items/scene")
    assert not waiting(coarse)


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_a_tile_that_the_client_or_the_server_keeps_is_looked_at_again(
    coarse: Relayed, server: Server, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr("tileserver.relay.keeping.serving._AGAIN_SECONDS", seconds)
    client = serving(coarse, server)
    looks = Looks(coarse.root / "relay/looks.sqlite")
    etag = client.get(TILE).headers["ETag"]
    found = waiting(coarse)
    for headers in ({}, {"If-None-Match": etag}):
        looks.remove(found)
        assert client.get(TILE, headers=headers).status_code == (304 if headers else 200)
        assert waiting(coarse) == ([] if seconds else found)  # a moment ago it was written down already


def test_it_is_off_by_default(relayed: Relayed, server: Server) -> None:
    relayed.define(subscription=OVERVIEWS, link='[link]\ndaily = "10 MB"')
    relayed.run()
    given = relayed.broken().given
    client = serving(relayed, server)
    assert HEADER in client.get(TILE).headers
    assert not (relayed.root / "relay/looks.sqlite").exists()
    Looks(relayed.root / "relay/looks.sqlite").put({block(relayed, 0): 1}, relayed.time.now)
    relayed.run()
    assert relayed.broken().given == given
    assert wanted(relayed) is None


def test_it_needs_a_quota(relayed: Relayed) -> None:
    relayed.define(link="[link]\non_demand = true")
    with pytest.raises(ComeoError, match=r"link: on_demand needs daily, of which it may use a share"):
        _ = relayed.relay


def block(relay: Relayed, row: int, col: int = 0, **changes: Any) -> MissingBlock:
    """A block of the scene."""
    name = MissingBlock("optical", "scene", relay.origin.documents[0]["etag"], "r10m", 0, row, col)
    return name._replace(**changes)


def look(relay: Relayed, *blocks: MissingBlock) -> None:
    Looks(relay.root / "relay/looks.sqlite").put(dict.fromkeys(blocks, 5000), relay.time.now)


def test_a_share_that_is_used_up_fetches_no_more_until_tomorrow(relayed: Relayed) -> None:
    relayed.define(subscription=OVERVIEWS, link=f'{LINK}\nmost_on_demand = "0.2 %"')  # 20 kB
    relayed.run()
    look(relayed, *(block(relayed, row, col) for row in range(4) for col in range(4)))
    before = relayed.broken().given
    relayed.run()
    told = wanted(relayed)
    assert 10_000 < told["today"] <= told["daily"] == 20_000
    assert told["exhausted"]
    assert told["places"] == 16
    came = relayed.broken().given - before
    assert 0 < came < 20_000
    relayed.run()
    assert relayed.broken().given == before + came
    result = CliRunner().invoke(cli, ["relay", "status", str(relayed.root / "RELAY.toml")])
    assert "places that were looked at" in result.output
    days = 0
    while waiting(relayed) and days < 20:
        look(relayed, *waiting(relayed))
        relayed.time.sleep(86_400)
        look(relayed, *(block(relayed, row, col) for row in range(4) for col in range(4)))
        relayed.run()
        days += 1
        assert wanted(relayed)["today"] <= 20_000
    assert 2 < days < 20
    assert relayed.kept()[0].received == read_map(relayed.part()).here


def test_what_subscriptions_left_of_the_quota_is_the_most(relayed: Relayed) -> None:
    relayed.define(
        subscription=OVERVIEWS, link='[link]\non_demand = true\ndaily = "90 kB"\nmost_on_demand = 1.0'
    )
    relayed.run()
    look(relayed, *(block(relayed, row, col) for row in range(8) for col in range(8)))
    relayed.run()
    journal = Journal(relayed.root / "relay/relay.sqlite", create=False)
    assert sum(wire for wire, _ in journal.spent().values()) <= 90_000
    journal.close()


def test_looks_that_name_what_is_not_there_cost_nothing(coarse: Relayed) -> None:
    before = coarse.broken().given
    look(
        coarse,
        block(coarse, 10**9), block(coarse, -1), block(coarse, 0, level=9), block(coarse, 0, group="../etc"),
        block(coarse, 0, id="other"), block(coarse, 0, etag="f" * 32), block(coarse, 0, collection="'; --"),
    )  # fmt: skip
    coarse.run()
    assert coarse.broken().given == before
    assert not waiting(coarse)


def test_what_is_looked_at_comes_before_a_piece_that_has_begun(relayed: Relayed, server: Server) -> None:
    """A rate lets no request take longer than ten seconds, and between two the newest look is taken up."""
    relayed.define(
        subscription='[[subscription]]\nname = "all"',
        link=f"{LINK}\nwindows = [{{ kbps = 64 }}]",
    )
    line, looked = relayed.broken(), False

    def watch(_: int, data: bytes) -> bytes:
        nonlocal looked
        kept = relayed.kept()[0]
        if not looked and "coarse" in kept.layers and kept.received.total > kept.published + 100_000:
            looked = True
            look(relayed, block(relayed, 8, 8))
        return data

    line.on_read = watch
    relayed.run()
    assert looked
    assert relayed.path().exists()
    assert not waiting(relayed)
    native = [(start, stop) for _, start, stop in line.reads if stop <= relayed.origin.documents[0]["coarse"]]
    assert max(stop - start for start, stop in native) <= 80_000
    places = [start for start, _ in native]
    assert places != sorted(places)  # the block came in between
    assert line.given == relayed.origin.documents[0]["bytes"]  # and no byte twice


def test_it_is_looked_for_while_there_is_nothing_else_to_do(coarse: Relayed) -> None:
    seconds = coarse.time.seconds
    asked: list[float] = []

    class EndedError(Exception):
        pass

    def sleep(count: float) -> None:
        coarse.time.sleep(count)
        if coarse.time.seconds - seconds == 20:
            look(coarse, block(coarse, 3, 3))
        if not waiting(coarse) and coarse.time.seconds - seconds > 20:
            asked.append(coarse.time.seconds - seconds)
            raise EndedError

    with coarse.running(sleep=sleep) as runner, pytest.raises(EndedError):
        runner.run()
    assert asked[0] < 25 < STATIC_SECONDS


@pytest.mark.parametrize("fault", ["cut", "damaged", "replaced"])
def test_what_goes_wrong_on_the_way(
    coarse: Relayed, client: FlaskClient, server: Server, archive: Path, fault: str
) -> None:
    client.get(TILE)
    line, pieces = coarse.broken(), 0
    before, first = line.given, read_map(coarse.part()).here

    def wrong(_: int, data: bytes) -> bytes:
        nonlocal pieces
        pieces += 1
        if pieces > 2:
            return data
        return data[:100] if fault == "cut" else data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]

    if fault == "replaced":
        altered(archive, coarse.origin.root / "scene.zarr.zip")
        coarse.origin.put(coarse.origin.root / "scene.zarr.zip")
        coarse.run()
        assert not waiting(coarse)
        assert client.get(TILE).status_code == 200
        return
    line.on_read = wrong
    coarse.run()
    if fault == "cut":
        assert waiting(coarse)
        assert read_map(coarse.part()).here == first
        for _ in range(10):
            coarse.time.sleep(60)
            coarse.run()
    assert not waiting(coarse)
    assert client.get(TILE).data == server(coarse.origin.root).get(TILE).data
    if fault == "cut":
        came = read_map(coarse.part()).here.total - first.total
        assert (
            came <= line.given - before < 1.2 * came
        )  # nothing came twice; what lies between blocks came, too


def test_a_scene_that_comes_damaged_each_time_is_marked(coarse: Relayed, client: FlaskClient) -> None:
    client.get(TILE)
    coarse.broken().on_read = lambda _, data: bytes(len(data))
    before = client.get(TILE).data
    coarse.run()
    (kept,) = coarse.kept()
    assert kept.state == "faulty"
    assert kept.problem == "its blocks came damaged 3 times"
    assert client.get(TILE).data == before
    given = coarse.broken().given
    look(coarse, block(coarse, 1))
    coarse.run()
    assert coarse.broken().given == given


@pytest.mark.parametrize("number", range(1, 66, 4))
def test_a_kill_leaves_nothing_wrong(coarse: Relayed, archive: Path, number: int) -> None:
    look(
        coarse, *(block(coarse, row, col) for row in (2, 3) for col in (2, 3)), block(coarse, 1, group="r20m")
    )
    right, fetched = archive.read_bytes(), coarse.root / "fetched"
    before = read_map(coarse.part()).here.total

    def work() -> None:
        with fetched.open("a") as file:

            def count(_: int, data: bytes) -> bytes:
                file.write(f"{len(data)}\n")
                file.flush()
                return data

            coarse.broken().on_read = count
            die_at(number)
            coarse.run()

    assert was_killed(work) or number > 60
    data = coarse.part().read_bytes()
    assert all(data[start:stop] == right[start:stop] for start, stop in read_map(coarse.part()).here)
    coarse.broken().on_read = lambda _, data: data
    given = coarse.broken().given
    coarse.run()
    assert not waiting(coarse)
    (kept,) = coarse.kept()
    assert kept.received == read_map(coarse.part()).here
    assert kept.published == kept.received.total
    came = sum(map(int, fetched.read_text().split())) + coarse.broken().given - given
    assert came <= kept.received.total - before + SYNC_BYTES
    looked = journal_of(coarse).looked()
    assert looked[0].extents.common(kept.received) == looked[0].extents


def journal_of(relay: Relayed) -> Journal:
    return Journal(relay.root / "relay/relay.sqlite")


def test_what_was_looked_at_gives_way_before_layers_do(relayed: Relayed) -> None:
    relayed.define(subscription=HERE, link=LINK)
    relayed.run()
    first, received = read_map(relayed.part()).here, relayed.kept()[0].received
    look(relayed, *(block(relayed, row, col) for row in range(8) for col in range(8)))
    relayed.run()
    used = relayed.relay.folder.used()
    assert read_map(relayed.part()).here.total > 2 * first.total
    relayed.define(subscription=HERE, link=LINK, disk=f"[disk]\nfree = 0\nmost = {used - 100_000}")
    relayed.run()
    assert read_map(relayed.part()).here == first
    assert relayed.kept()[0].received == received
    assert relayed.kept()[0].layers == ("head", "coarse", "area")
    assert relayed.relay.folder.used() < used - 100_000
    assert not journal_of(relayed).looked()
    relayed.define(subscription=HERE, link=LINK, disk="[disk]\nfree = 0\nmost = 1000")
    look(relayed, block(relayed, 7, 7))
    given = relayed.broken().given
    relayed.run()
    assert relayed.broken().given == given
    assert waiting(relayed)


def test_what_a_subscription_wants_later_is_not_fetched_again(coarse: Relayed, archive: Path) -> None:
    look(coarse, *(block(coarse, row, col) for row in range(3) for col in range(3)))
    coarse.run()
    coarse.define(link=LINK)
    coarse.run()
    assert coarse.path().read_bytes() == archive.read_bytes()
    assert archive.stat().st_size <= coarse.broken().given < 1.02 * archive.stat().st_size


def test_a_crawler_leaves_a_bounded_list_behind(coarse: Relayed, client: FlaskClient) -> None:
    assert MOST <= 1000
    looks = Looks(coarse.root / "relay/looks.sqlite")
    looks.put({block(coarse, row): 1 for row in range(3 * MOST)}, coarse.time.now)
    coarse.time.now += timedelta(seconds=1)
    client.get(TILE)
    assert len(waiting(coarse)) == MOST
    assert waiting(coarse)[0].row < 100  # what was looked at last is first
    preview = client.get(f"{ITEM}/preview.png?bands=B04&max_size=2000&rescale=0,4000")
    assert preview.status_code == 200, preview.data
    assert len(waiting(coarse)) == MOST


def test_a_list_that_cannot_be_written_costs_no_tile(
    coarse: Relayed, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    other = sqlite3.connect(coarse.root / "relay/looks.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert client.get(TILE).status_code == 200
    assert client.get(OTHER).status_code == 200
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "what people look at is not written down"
    ]
    assert wanted(coarse)["places"] is None
    other.execute("ROLLBACK")
    other.close()
    client.get(TILE)
    assert waiting(coarse)


def test_the_relay_goes_on_where_the_list_cannot_be_read(coarse: Relayed, archive: Path) -> None:
    (coarse.root / "relay/looks.sqlite").write_bytes(b"no database" * 1000)
    coarse.define(link=LINK)
    coarse.run()
    assert coarse.path().read_bytes() == archive.read_bytes()


def test_status_tells_everybody_what_waits(coarse: Relayed, client: FlaskClient) -> None:
    client.get(TILE)
    document = json.loads(client.get("/relay/v1/status").data)
    assert document["wanted"]["places"] == len(waiting(coarse))
    assert document["wanted"]["daily"] == 2_000_000
