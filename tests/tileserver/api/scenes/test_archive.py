"""The archive as a file: whole, by ranges, and only as long as it is the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from comeo.compression import compress
from tests.tileserver.conftest import STEP, Server, optical_scene

URL = "/collections/optical/items/old/archive"


@pytest.fixture(scope="module")
def content(archives: Path) -> bytes:
    return (archives / "old.zarr.zip").read_bytes()


def test_the_whole_file(client: FlaskClient, content: bytes) -> None:
    with client.get(URL) as answer:
        assert answer.status_code == 200
        assert answer.data == content
        assert answer.content_length == len(content)
        assert answer.content_type == "application/vnd.zarr+zip; version=3"
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["Content-Disposition"] == "attachment; filename=old.zarr.zip"
        tag, weak = answer.get_etag()
        assert tag
        assert not weak


def test_head_says_the_same_without_the_file(client: FlaskClient, content: bytes) -> None:
    with client.get(URL) as whole, client.head(URL) as head:
        assert head.status_code == 200
        assert head.data == b""
        assert head.content_length == len(content)
        assert head.headers["ETag"] == whole.headers["ETag"]


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=100-", 100, None),
        ("bytes=-50", -50, None),
        ("bytes=5-99999999999", 5, None),
        ("bytes=-99999999999", 0, None),
    ],
)
def test_a_range_is_that_range(
    client: FlaskClient, content: bytes, wanted: str, start: int, stop: int | None
) -> None:
    with client.get(URL, headers={"Range": wanted}) as answer:
        assert answer.status_code == 206
        assert answer.data == content[start:stop]
        first = start % len(content)
        last = first + len(answer.data) - 1
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
        assert answer.content_length == len(answer.data)


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,5-9", "bytes=9-5", "bytes=x", "lines=0-5", "bytes", "bytes=--1", "bytes=1-2-3", ""]
)
def test_what_is_no_single_range_is_left_out_as_http_allows(
    client: FlaskClient, content: bytes, wanted: str
) -> None:
    with client.get(URL, headers={"Range": wanted}) as answer:
        assert answer.status_code == 200
        assert answer.data == content


def test_a_range_behind_the_end_is_refused(client: FlaskClient, content: bytes) -> None:
    with client.get(URL, headers={"Range": f"bytes={len(content)}-"}) as answer:
        assert answer.status_code == 416
        assert answer.headers["Content-Range"] == f"bytes */{len(content)}"
        assert answer.content_type == "application/problem+json"


def test_conditions_hold_by_etag(client: FlaskClient, content: bytes) -> None:
    with client.head(URL) as head:
        tag = head.headers["ETag"]

    def status(**headers: str) -> int:
        with client.get(
            URL, headers={name.replace("_", "-"): value for name, value in headers.items()}
        ) as answer:
            assert answer.status_code != 206 or answer.data == content[:10]
            return answer.status_code

    assert status(If_None_Match=tag) == 304
    assert status(If_None_Match='"other"') == 200
    assert status(If_Match=tag) == 200
    assert status(If_Match="*") == 200
    assert status(If_Match='"other"') == 412
    assert status(If_Match=tag, Range="bytes=0-9") == 206
    assert status(If_Range=tag, Range="bytes=0-9") == 206
    assert status(If_Range='"other"', Range="bytes=0-9") == 200
    assert status(If_Range=f"W/{tag}", Range="bytes=0-9") == 200  # compared strongly (RFC 9110, 13.1.5)
    assert status(If_Range=tag.strip('"'), Range="bytes=0-9") == 200
    assert status(If_Match=f"W/{tag}") == 412
    assert status(If_None_Match=f"W/{tag}") == 304
    assert status(If_Range="Mon, 23 Nov 2026 10:00:00 GMT", Range="bytes=0-9") == 200


def test_another_archive_of_the_name_has_another_etag(own_archives: Path, server: Server) -> None:
    client = server(own_archives)
    with client.head(URL) as before:
        tag = before.headers["ETag"]
    scene = optical_scene("old", 1, seed=99)
    compress(scene, own_archives / "old.zarr.zip", step=STEP, force=True)
    with client.get(URL, headers={"If-Range": tag, "Range": "bytes=0-9"}) as after:
        assert after.status_code == 200
        assert after.data == (own_archives / "old.zarr.zip").read_bytes()
        assert after.headers["ETag"] != tag


def test_an_archive_replaced_since_the_last_look_is_not_sent_in_its_place(
    own_archives: Path, server: Server
) -> None:
    client = server(own_archives, scan_seconds=3600.0)
    shutil.copy(own_archives / "new.zarr.zip", own_archives / "copy")
    (own_archives / "copy").replace(own_archives / "old.zarr.zip")
    with client.get(URL) as answer:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
    (own_archives / "old.zarr.zip").unlink()
    with client.get(URL) as answer:
        assert answer.status_code == 503


def test_a_folder_is_no_file(tmp_path: Path, server: Server) -> None:
    compress(optical_scene("folder", 1), tmp_path / "archives" / "folder.zarr", step=STEP)
    client = server(tmp_path / "archives")
    with client.get("/collections/optical/items/folder/archive") as answer:
        assert answer.status_code == 404
        assert "folder of objects" in answer.get_json()["detail"]
    with client.get("/stac/collections/optical/items/folder") as answer:
        assert "archive" not in answer.get_json()["assets"]
