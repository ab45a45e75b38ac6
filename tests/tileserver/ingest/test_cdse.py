"""A subscription of CDSE, by a server made after its documentation: the real one was not at hand."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from comeo.errors import ComeoError, SourceError
from tests.tileserver.ingest.products import QUICK, archives, ingest, write_bands
from tileserver.ingest.fetching import check_same_site
from tileserver.ingest.orders import State


@dataclass
class Space:
    """The queue of a subscription, and the products that it tells of."""

    folder: Path
    queue: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 600.0
    refreshed: int = 0
    port: int = 0
    lies: bool = False
    names: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, seed: int, *, named: bool = True) -> None:
        number = len(self.queue) + len(self.acknowledged)
        write_bands(self.folder / f"{number}", f"{name}_", seed)
        shutil.make_archive(str(self.folder / f"p{number}"), "zip", self.folder / f"{number}")
        told = {"AckId": f"ack+{number}=", "ProductId": f"p{number}", "SubscriptionEvent": "created"}
        self.queue.append({**told, "ProductName": name} if named else told)
        self.names[f"p{number}"] = name

    def answer(self, method: str, path: str, form: dict[str, list[str]]) -> tuple[int, Any]:
        parts = urlsplit(path)
        if path == "/token":
            self.tokens += 1
            if form["grant_type"] == ["refresh_token"]:
                self.refreshed += 1
            elif form.get("password") != ["secret"]:
                return 401, {}
            token = {"access_token": f"t{self.tokens}", "expires_in": self.seconds, "refresh_token": "r"}
            return 200, token
        if parts.path.endswith("/Read"):
            return 200, self.queue[: int(parse_qs(parts.query)["$top"][0])]
        if parts.path.endswith("/Ack") and method == "POST":
            receipts = [each["AckId"] for each in self.queue]
            index = receipts.index(parse_qs(parts.query)["$ackid"][0])
            self.acknowledged += receipts[: index + 1]
            del self.queue[: index + 1]
            return 200, {}
        product = parts.path.split("(")[1].split(")")[0]
        whole = parts.path.endswith("/$value")
        return self.product(product, whole=whole) if product in self.names else (404, {})

    def product(self, product: str, *, whole: bool) -> tuple[int, Any]:
        body = (self.folder / f"{product}.zip").read_bytes()
        if whole:
            return 200, body
        digest = "0" * 32 if self.lies else hashlib.md5(body).hexdigest()
        checksums = [{"Algorithm": "BLAKE3", "Value": "x"}, {"Algorithm": "MD5", "Value": digest}]
        return 200, {"Name": self.names[product], "ContentLength": len(body), "Checksum": checksums}


@contextmanager
def serving(space: Space) -> Iterator[Space]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            if self.path != "/token" and self.headers["Authorization"] != f"Bearer t{space.tokens}":
                self.send_error(401)
                return
            status, found = space.answer(self.command, self.path, form)
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    space.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield space
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    with serving(Space(tmp_path / "space")) as served:
        yield served


def document(space: Space, folder: Path, text: str = "", password: str = "secret") -> Path:
    root = f"http://127.0.0.1:{space.port}"
    path = folder / "SOURCE.toml"
    path.write_text(
        f'kind = "cdse"\nsubscription = "abc"\nuser = "u"\npassword = "{password}"\noutput = "out"\n'
        f'catalogue = "{root}/odata/v1"\ndownload = "{root}/odata/v1"\nidentity = "{root}/token"\n'
        f"every_seconds = 0.05\n{text}\n{QUICK}"
    )
    return path


def test_what_is_told_is_compressed_then_acknowledged(space: Space, tmp_path: Path) -> None:
    names = [f"S2A_32TMT_2024050{number + 1}_0_L2A" for number in range(3)]
    for number, name in enumerate(names):
        space.add(name, number, named=number != 1)
    space.queue.append({"AckId": "gone", "ProductId": "p9", "SubscriptionEvent": "deleted"})
    journal = ingest(document(space, tmp_path))
    assert journal.counts() == {State.PUBLISHED: 3}
    assert archives(tmp_path) == names
    assert space.queue == []
    assert space.acknowledged == ["ack+0=", "ack+1=", "ack+2=", "gone"]
    assert not list((tmp_path / "out").glob(".*"))


def test_nothing_is_acknowledged_before_it_is_dealt_with(space: Space, tmp_path: Path) -> None:
    space.add("S2A_32TMT_20240501_0_L2A", 0)
    space.lies = True
    journal = ingest(document(space, tmp_path))
    (row,) = journal.in_state(State.FAILED)
    assert "its checksum does not match" in row.fault
    assert archives(tmp_path) == []
    assert space.queue == []  # the journal has it, and the queue need not wait
    space.lies = False
    journal.retry()
    assert ingest(document(space, tmp_path)).counts() == {State.PUBLISHED: 1}


def test_what_can_be_no_product_does_not_stand_in_the_way(space: Space, tmp_path: Path) -> None:
    told = {"SubscriptionEvent": "created"}
    space.queue.append({**told, "AckId": "odd", "ProductId": "p8", "ProductName": "../../etc"})
    space.queue.append({**told, "AckId": "removed", "ProductId": "p9"})
    space.add("S2A_32TMT_20240501_0_L2A", 2)
    journal = ingest(document(space, tmp_path))
    assert journal.counts() == {State.PUBLISHED: 1, State.FAILED: 1}
    assert "p9) answers 404" in journal.in_state(State.FAILED)[0].fault
    assert space.queue == []


def test_tokens_are_renewed_before_they_end(space: Space, tmp_path: Path) -> None:
    space.seconds = 60.01
    space.add("S2A_32TMT_20240501_0_L2A", 0)
    ingest(document(space, tmp_path))
    assert space.tokens > 2
    assert space.refreshed == space.tokens - 1
    assert archives(tmp_path)


def test_a_wrong_password_is_one_sentence(space: Space, tmp_path: Path) -> None:
    with pytest.raises(ComeoError, match=r"gives no token \(401\); check user and password"):
        ingest(document(space, tmp_path, password="wrong"))


def test_a_product_may_be_too_large(space: Space, tmp_path: Path) -> None:
    space.add("S2A_32TMT_20240501_0_L2A", 0)
    journal = ingest(document(space, tmp_path, "max_product_bytes = 100"))
    assert "max_product_bytes is 100; raise it" in journal.in_state(State.FAILED)[0].fault


@pytest.mark.parametrize(
    ("leads", "may"),
    [
        ("https://download.example.org/x", True), ("https://zipper.example.org/x", True),
        ("https://evil.org/x", False), ("https://example.org.evil/x", False),
        ("http://download.example.org/x", False), ("https://evilexample.org/x", False),
    ],
)  # fmt: skip
def test_credentials_stay_at_home(leads: str, may: bool) -> None:
    if may:
        check_same_site("https://download.example.org/a", leads)
    else:
        with pytest.raises(SourceError, match="not to have its credentials"):
            check_same_site("https://download.example.org/a", leads)
