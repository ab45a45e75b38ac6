"""An object store on loopback that speaks S3 (moto), one a test process, with a bucket for each that asks."""

from __future__ import annotations

import http.client
import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from obstore.store import S3Store

_NUMBERS = itertools.count(1)
_STORED: dict[Path, str] = {}
"""Addresses of folders that lie in a bucket, too."""


@dataclass(frozen=True)
class Bucket:
    """A bucket, made and changed past the code under test.

    Attributes:
        name: Of the bucket.
        port: Of the store.
    """

    name: str
    port: int

    def address(self, key: str = "") -> str:
        """Address of a key."""
        return f"s3://{self.name}/{key}"

    @property
    def client(self) -> S3Store:
        """A client of its own, as the environment was at first."""
        from obstore.store import S3Store

        config = {name.lower(): value for name, value in environment(self.port).items()}
        return S3Store(self.name, config=config)  # type: ignore[arg-type]

    def put(self, key: str, content: bytes | Path) -> str:
        """Write an object, or replace it; returns its address."""
        self.client.put(key, content, use_multipart=False)
        return self.address(key)

    def put_odd(self, key: str, content: bytes, **headers: str) -> str:
        """Write an object of any key, which clients may refuse, where there is none."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.ask("PUT", f"/{quote(key, safe='')}", content, headers)
        return self.address(key)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.client.delete(key)

    def get(self, key: str) -> bytes:
        """Read an object."""
        return bytes(self.client.get(key).bytes())

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Ask the store without a name; an answer other than 2xx fails the test."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/{self.name}{path}", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status // 100 == 2, content
        finally:
            connection.close()


def environment(port: int) -> dict[str, str]:
    """What says where the store is."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture(scope="session")
def store_port() -> Iterator[int]:
    """Port of an object store."""
    pytest.importorskip("obstore", reason="obstore is not installed (extra objects)")
    pytest.importorskip("moto", reason="moto is not installed (extra test)")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield port
    server.stop()


@contextmanager
def named(port: int) -> Iterator[None]:
    """The environment names the object store at a port, and no other."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in environment(port).items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def object_store(store_port: int) -> Iterator[int]:
    """Port of an object store, which the environment names for the tests of a module."""
    with named(store_port):
        yield store_port


@contextmanager
def stored(folder: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """With COMEO_TEST_STORE=bucket, servers of tests read a folder's archives in a bucket (`places_at`)."""
    if os.environ.get("COMEO_TEST_STORE") != "bucket":
        yield
        return
    port = request.getfixturevalue("store_port")
    bucket = new_bucket(port)
    for path in folder.iterdir():
        bucket.put(path.name, path)
    with named(port):
        _STORED[folder] = bucket.address()
        yield
        del _STORED[folder]


def places_at(folder: Path) -> dict[str, object]:
    """Settings that say where a server of tests reads the archives of a folder."""
    address = _STORED.get(folder)
    return {"paths": (folder,)} if address is None else {"paths": (), "buckets": (address,)}


def new_bucket(port: int) -> Bucket:
    """Make a bucket that nobody else has."""
    bucket = Bucket(f"bucket-{next(_NUMBERS)}", port)
    bucket.ask("PUT", "", b"", {})
    return bucket


@pytest.fixture
def bucket(object_store: int) -> Bucket:
    """An empty bucket."""
    return new_bucket(object_store)
