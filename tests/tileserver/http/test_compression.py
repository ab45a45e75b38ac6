"""Answers in the fewest bytes that the client takes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
from flask import Flask, Response, jsonify

from tileserver.http.compression import compress, send_smallest

SCRIPT = b"let a = 1;" * 100


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    (tmp_path / "app.js").write_bytes(SCRIPT)
    (tmp_path / "app.js.gz").write_bytes(gzip.compress(SCRIPT, mtime=0))
    (tmp_path / "app.js.br").write_bytes(b"as brotli")
    (tmp_path / "plain.js").write_bytes(SCRIPT)
    app = Flask(__name__)
    app.after_request(compress)
    app.add_url_rule("/<name>", "file", lambda name: send_smallest(tmp_path, name))

    @app.get("/document")
    def document() -> Response:
        response = jsonify({"scenes": ["S2A"] * 200})
        response.set_etag("abc")
        return response

    @app.get("/short")
    def short() -> Response:
        return jsonify({})

    @app.get("/tile")
    def tile() -> Response:
        response = Response(bytes(2000), mimetype="image/webp")
        response.set_etag("abc")
        return response

    return app


@pytest.mark.parametrize(
    ("accepted", "encoding", "body"),
    [
        ("gzip, deflate, br", "br", b"as brotli"),
        ("gzip", "gzip", gzip.compress(SCRIPT, mtime=0)),
        ("br;q=0, gzip;q=0", None, SCRIPT),
        ("", None, SCRIPT),
    ],
)
def test_a_file_is_sent_as_its_build_compressed_it(
    app: Flask, accepted: str, encoding: str | None, body: bytes
) -> None:
    with app.test_client().get("/app.js", headers={"Accept-Encoding": accepted}) as answer:
        assert answer.content_encoding == encoding
        assert answer.mimetype == "text/javascript"
        assert "Accept-Encoding" in answer.vary
        if encoding == "gzip":
            assert gzip.decompress(answer.data) == SCRIPT
        else:
            assert answer.data == body


def test_a_file_without_compressed_forms_is_sent_as_it_is(app: Flask) -> None:
    with app.test_client().get("/plain.js", headers={"Accept-Encoding": "br, gzip"}) as answer:
        assert answer.content_encoding is None
        assert answer.data == SCRIPT
    for name in ("none.js", "..%2Fsecret", "%2e%2e/secret"):
        assert app.test_client().get(f"/{name}", headers={"Accept-Encoding": "br"}).status_code == 404


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("gzip, br; q=0", "gzip"),
        ("br;q=0.5, gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, gzip;q=0", None),
        ("br;q=0, *;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("deflate", None),
        ("", None),
    ],
)
def test_a_document_is_sent_in_the_encoding_that_the_client_likes_best(
    app: Flask, accepted: str, encoding: str | None
) -> None:
    answer = app.test_client().get("/document", headers={"Accept-Encoding": accepted})
    assert answer.content_encoding == encoding
    assert "Accept-Encoding" in answer.vary


@pytest.mark.parametrize(("encoding", "unpack"), [("gzip", gzip.decompress), ("br", brotli.decompress)])
def test_documents_are_compressed_under_a_weak_etag(
    app: Flask, encoding: str, unpack: Callable[[bytes], bytes]
) -> None:
    client = app.test_client()
    plain = client.get("/document")
    packed = client.get("/document", headers={"Accept-Encoding": encoding})
    assert plain.content_encoding is None
    assert plain.get_etag() == ("abc", False)
    assert unpack(packed.data) == plain.data
    head = client.head("/document", headers={"Accept-Encoding": encoding})
    assert head.headers["Content-Length"] == packed.headers["Content-Length"]
    assert packed.content_length == len(packed.data) < len(plain.data) / 4
    assert packed.get_etag() == ("abc", True)
    assert "Accept-Encoding" in plain.vary
    assert "Accept-Encoding" in packed.vary


def test_tiles_and_short_answers_are_left_alone(app: Flask) -> None:
    for path in ("/tile", "/short"):
        answer = app.test_client().get(path, headers={"Accept-Encoding": "gzip, br"})
        assert answer.content_encoding is None
    tile = app.test_client().get("/tile", headers={"Accept-Encoding": "gzip, br"})
    assert tile.get_etag() == ("abc", False)
    assert "Vary" not in tile.headers


@pytest.mark.parametrize("wanted", ["items=0-5", "bytes=abc", "bytes=0-1,5-6", "bytes=0x1-5", "bytes=--5"])
def test_a_range_that_means_nothing_is_the_file(app: Flask, wanted: str) -> None:
    """RFC 9110, 14.2; Werkzeug answers 416."""
    with app.test_client().get("/plain.js", headers={"Range": wanted}) as answer:
        assert (answer.status_code, answer.data) == (200, SCRIPT)


def test_a_range_is_that_part(app: Flask) -> None:
    with app.test_client().get("/plain.js", headers={"Range": "bytes=4-6"}) as answer:
        assert (answer.status_code, answer.data) == (206, SCRIPT[4:7])


def test_a_name_longer_than_any_on_disk_is_none(app: Flask) -> None:
    assert app.test_client().get("/" + "a" * 5000).status_code == 404
