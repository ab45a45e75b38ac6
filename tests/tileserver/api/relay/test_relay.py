"""The feed of a server: off unless it is asked for, in step with the archives, filtered, waited for."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comeo.archive import open_archive
from comeo.settings import SettingsError
from tests.tileserver.listening import listening
from tests.tileserver.relay.feeds import put
from tileserver import Settings, create_app
from tileserver.catalog.reading import READER
from tileserver.relay.feed.lines import PutLine, read_index
from tileserver.relay.feed.origin import WAIT_SECONDS, Origin
from tileserver.relay.feed.packing import unpack
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream import HttpUpstream, RewoundError

Server = Callable[..., FlaskClient]


@pytest.fixture
def relaying(own_archives: Path, tmp_path: Path, server: Server) -> FlaskClient:
    """A client of an origin."""
    return server(own_archives, relay=True, relay_folder=tmp_path / "relay", relay_name="Test", threads=2)


def lines_of(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/relay/v1/feed{query}")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_it_is_off_by_default_and_needs_a_folder(client: FlaskClient, archives: Path, tmp_path: Path) -> None:
    assert client.get("/relay/v1/").status_code == 404
    assert "/relay/v1/feed" not in client.get("/openapi.json").json["paths"]  # type: ignore[index]
    with pytest.raises(SettingsError, match="COMEO_RELAY_FOLDER: an origin keeps its key"):
        create_app(Settings(paths=(archives,), relay=True, catalog=tmp_path / "catalog.sqlite"))


def test_lines_tell_what_the_archives_are(relaying: FlaskClient, own_archives: Path) -> None:
    lines = {line["id"]: line for line in lines_of(relaying)}
    assert set(lines) == {"old", "middle", "new", "radar", "plain"}
    for name, line in lines.items():
        path = own_archives / f"{name}.zarr.zip"
        data = path.read_bytes()
        with open_archive(path) as archive:
            assert (line["etag"], line["bytes"]) == (archive.etag, len(data))
        answer = relaying.get(f"/{line['href']}", headers={"Range": f"bytes={line['tail']}-"})
        assert answer.status_code == 206
        assert answer.data == data[line["tail"] :]
        assert b"zarr.json" in answer.data
        assert b"zarr.json" not in data[: line["tail"]]
        assert line["coarse"] <= line["tail"]
        assert answer.headers["ETag"] == f'"{line["etag"]}"'
        head = relaying.get(f"/relay/v1/heads/{line['etag']}.zst")
        assert len(head.data) == line["packed"] < len(answer.data)
        assert unpack(head.data, len(answer.data), name) == answer.data
        assert "immutable" in head.headers["Cache-Control"]


def test_the_feed_is_in_step_with_the_archives(relaying: FlaskClient, own_archives: Path) -> None:
    last = len(lines_of(relaying))
    (own_archives / "plain.zarr.zip").unlink()
    shutil.copy(own_archives / "old.zarr.zip", own_archives / "aside")
    (own_archives / "aside").replace(own_archives / "radar.zarr.zip")
    (own_archives / "old.zarr.zip").unlink()
    came = lines_of(relaying, f"?after={last}")
    dropped = {line["id"] for line in came if line["op"] == "drop"}
    assert {"plain", "radar"} <= dropped
    assert [line["seq"] for line in came] == list(range(last + 1, last + 1 + len(came)))
    assert lines_of(relaying, f"?after={came[-1]['seq']}") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?collections=radar", {"radar"}),
        ("?collections=radar,plain", {"radar", "plain"}),
        ("?bbox=8,47,9,48&collections=optical", {"old", "middle", "new"}),
        ("?bbox=100,10,101,11", set()),
        ("?datetime=../2000-01-01", set()),
        ("?limit=2", {"middle", "new"}),
        ("?max_cloud=100", {"old", "middle", "new", "radar", "plain"}),
    ],
)
def test_filters(query: str, found: set[str], relaying: FlaskClient) -> None:
    assert {line["id"] for line in lines_of(relaying, query)} == found


@pytest.mark.parametrize(
    ("query", "status"),
    [("after=-1", 422), ("after=x", 422), ("limit=0", 422), ("limit=1001", 422), ("wait=241", 422),
     ("bbox=1,2,3", 422), ("max_cloud=101", 422), ("datetime=yesterday", 422), ("after=999", 410)],
)  # fmt: skip
def test_refusals(query: str, status: int, relaying: FlaskClient) -> None:
    answer = relaying.get(f"/relay/v1/feed?{query}")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["feed/000001.ndjson.zst", "feed/000000.ndjson.zst", "feed/..%2f..%2forigin.key", "feed/x",
             "models/" + "0" * 64, "models/..%2findex.json", f"heads/{'0' * 32}.zst",
             "heads/..%2findex.json"],
)  # fmt: skip
def test_files_that_there_are_not(path: str, relaying: FlaskClient) -> None:
    assert relaying.get(f"/relay/v1/{path}").status_code == 404


def test_the_index_says_where_it_is_by_two_names(relaying: FlaskClient) -> None:
    one, other = relaying.get("/relay/v1/"), relaying.get("/relay/v1/index.json")
    assert one.data == other.data
    index = read_index(one.data)
    assert (index.name, index.last, index.wait) == ("Test", 5, WAIT_SECONDS)
    again = relaying.get("/relay/v1/", headers={"If-None-Match": one.headers["ETag"]})
    assert again.status_code == 304


def test_closed_segments_never_change(relaying: FlaskClient, own_archives: Path, tmp_path: Path) -> None:
    lines_of(relaying)
    origin = Origin(_NoCatalog(), Settings(paths=(own_archives,), relay_folder=tmp_path / "relay"))  # type: ignore[arg-type]
    with origin.log.writing():
        origin.log.tell([put(f"s{number}") for number in range(1000)])
    answer = relaying.get("/relay/v1/feed/000001.ndjson.zst")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    part = relaying.get("/relay/v1/feed/000001.ndjson.zst", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data) == (206, answer.data[:10])
    rest = relaying.get("/relay/v1/feed?after=999")
    assert json.loads(rest.text.splitlines()[0])["op"] == "check"
    narrow = relaying.get("/relay/v1/feed?collections=radar&after=20")
    assert (narrow.text, narrow.headers["Comeo-Next"]) == ("", str(origin.log.last))


class _NoCatalog:
    """Nothing to follow."""


def test_an_index_that_was_removed_begins_a_new_epoch(relaying: FlaskClient, tmp_path: Path) -> None:
    before = read_index(relaying.get("/relay/v1/").data)
    (tmp_path / "relay/public/relay/v1/index.json").unlink()
    after = read_index(relaying.get("/relay/v1/").data)
    assert (after.origin, after.key, after.last) == (before.origin, before.key, before.last)
    assert after.epoch > before.epoch


@pytest.fixture
def address(relaying: FlaskClient) -> Iterator[str]:
    """Of the same server over HTTP."""
    with listening(relaying.application) as port:
        yield f"http://127.0.0.1:{port}/"


def test_a_relay_reads_and_waits(address: str, own_archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    ready: list[None] = []
    monkeypatch.setattr(READER, "keep_ready", lambda: ready.append(None))
    upstream = HttpUpstream(address, Trust())
    lines = list(upstream.lines(0))
    assert len(lines) == 5
    assert not ready
    put = lines[0]
    assert isinstance(put, PutLine)
    data = (own_archives / f"{put.id}.zarr.zip").read_bytes()
    assert b"".join(upstream.read(put.href, put.etag, 5, 900)) == data[5:900]
    aside = own_archives.parent / "aside.zip"
    (own_archives / "plain.zarr.zip").replace(aside)
    threading.Timer(0.3, lambda: aside.replace(own_archives / "plain.zarr.zip")).start()
    (drop,) = upstream.lines(5, wait=30)
    came: list[Any] = []
    while not came:  # until the timer has put it back
        came = list(upstream.lines(6, wait=30))
    assert (drop.seq, came[0].seq) == (6, 7)
    assert ready, "the process that reads archives starts before one has come"
    with pytest.raises(RewoundError, match="ends with line 7, and 99 was seen"):
        list(upstream.lines(99, wait=1))
    upstream.close()


def test_whoever_waits_leaves_threads_for_others(
    relaying: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two threads and two heavy requests there is a seat for two; the third does not wait."""
    last = len(lines_of(relaying))
    begun = threading.Barrier(3, timeout=20)
    over = threading.Event()

    def pause(_seconds: float) -> None:
        if not over.is_set():
            begun.wait()
            over.wait(20)

    monkeypatch.setattr("tileserver.relay.feed.origin.time.sleep", pause)
    app = relaying.application
    waiting = [
        threading.Thread(target=lambda: app.test_client().get(f"/relay/v1/feed?after={last}&wait=1"))
        for _ in range(2)
    ]
    for thread in waiting:
        thread.start()
    begun.wait()
    answer = relaying.get(f"/relay/v1/feed?after={last}&wait=60")
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Retry-After"] == "60"
    over.set()
    for thread in waiting:
        thread.join()


def test_an_empty_answer_has_few_headers(relaying: FlaskClient) -> None:
    """Relays wait for nothing all day, on links that are paid by the byte."""
    last = len(lines_of(relaying))
    answer = relaying.get(f"/relay/v1/feed?after={last}")
    assert answer.status_code == 200
    assert sum(len(name) + len(value) + 4 for name, value in answer.headers) < 120
