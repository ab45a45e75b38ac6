"""Origins that say in a network that they are there, and who finds them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from comeo.errors import ComeoError
from tests.tileserver.relay.hostile import files_of, serving
from tileserver.cli.main import cli
from tileserver.relay import lan
from tileserver.relay.feed.lines import Index

pytestmark = pytest.mark.usefixtures("short_segments")
LOOPBACK = ["127.0.0.1"]


def test_who_is_announced_is_found_with_its_key_or_why_not(published: Path) -> None:
    with serving(files_of(published)) as address:
        index = lan.index_of(address)
        gone = index.model_copy(update={"origin": str(uuid.UUID(int=1))})
        odd = index.model_copy(update={"origin": str(uuid.UUID(int=2))})
        announced = {address: index, "http://127.0.0.1:9/": gone, "http://127.0.0.1:9/\x1b[2J": odd}
        with ThreadPoolExecutor(1) as pool:  # the main thread's event loop may be Playwright's
            found = pool.submit(asyncio.run, _found_of(announced)).result()
    assert found[address].index == index
    assert found["http://127.0.0.1:9/"].index is None
    assert len(found) == 2
    assert "cannot be reached" in found["http://127.0.0.1:9/"].problem


async def _found_of(announced: Mapping[str, Index]) -> dict[str, lan.Found]:
    """What is found where these are announced."""
    async with AsyncExitStack() as stack:
        for address, index in announced.items():
            await stack.enter_async_context(lan.announced(address, index, LOOPBACK))
        for seconds in (1.5, 3, 6, 12):  # a busy machine answers late
            found = {each.address: each for each in await asyncio.to_thread(lan.find, seconds, LOOPBACK)}
            if len(found) >= len(announced) - 1:
                break
        return found


def test_what_is_no_origin_is_not_announced() -> None:
    done = CliRunner().invoke(cli, ["relay", "announce", "http://127.0.0.1:9/"])
    assert isinstance(done.exception, ComeoError)
    assert "cannot be reached" in str(done.exception)
