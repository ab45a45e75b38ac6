"""The decoder in a real browser, as a page would load it."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from comeo.codecs import get_codec
from comeo.codecs.payload import read_varint, write_varint
from tests.comeo.codecs.blocks import textured
from tests.wasm.conftest import MODEL, PACKAGE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROGRAM = """
async ({names}) => {
  const { loadDecoder } = await import('/index.js');
  const decoder = await loadDecoder({ models: '/model.bin' });
  const results = [];
  for (const name of names) {
    for (const reduce of [0, 1, 2, 3]) {
      const payload = new Uint8Array(await (await fetch(name)).arrayBuffer());
      try {
        const block = await decoder.decode(payload, { reduce });
        const digest = await crypto.subtle.digest('SHA-256', block.data);
        const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
        results.push([block.bands, block.height, block.width, hex]);
      } catch (error) {
        results.push(String(error));
      }
    }
  }
  return results;
}
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def site(module: Path, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address that it is served at."""
    for file in (*PACKAGE.glob("*.js"), module):
        shutil.copy(file, tmp_path / file.name)
    shutil.copy(MODEL, tmp_path / "model.bin")
    (tmp_path / "index.html").write_text("<!doctype html><title>decoder</title>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.slow
def test_a_page_decodes_the_same_bits(browser: Browser, site: tuple[Path, str]) -> None:
    folder, address = site
    codec, rng = get_codec("learned"), np.random.default_rng(2)
    spotted = textured(5, 70, 53)
    spotted[:, :9, :9] = 65535
    payloads = {
        "plain": codec.encode(textured(4, 64, 80), step=300),
        "masked": codec.encode(spotted, step=200, mask=rng.random((70, 53)) < 0.8),
        "floats": codec.encode(
            textured(2, 33, 47, dtype="float32"), step=0.5, mask=rng.random((2, 33, 47)) < 0.6
        ),
    }
    for name, payload in payloads.items():
        (folder / name).write_bytes(payload)
    (folder / "cut").write_bytes(payloads["masked"][:40])
    length, rest = read_varint(memoryview(payloads["floats"])[12:])
    longer = write_varint(length + 1) + bytes(rest[:length]) + b"\0" + bytes(rest[length:])
    (folder / "longer").write_bytes(payloads["floats"][:12] + longer)
    page = browser.new_page()
    try:
        page.goto(address)
        found = page.evaluate(PROGRAM, {"names": [*payloads, "cut", "longer"]})
    finally:
        page.close()
    expected = []
    for payload in payloads.values():
        for reduce in range(4):
            block = codec.decode(payload, reduce=reduce)
            expected.append([*block.shape, hashlib.sha256(block.tobytes()).hexdigest()])
    assert found[:12] == expected
    assert len(found) == 20
    assert all(str(one).startswith("PayloadError: ") for one in found[12:]), found[12:]
