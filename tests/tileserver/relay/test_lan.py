"""Origins that say in a network that they are there, and who finds them."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from comeo.errors import ComeoError
from tests.tileserver.relay.hostile import files_of, serving
from tileserver.cli.main import cli
from tileserver.relay import lan

pytestmark = pytest.mark.usefixtures("short_segments")
LOOPBACK = ["127.0.0.1"]


def test_who_is_announced_is_found_with_its_key_or_why_not(published: Path) -> None:
    with serving(files_of(published)) as address:
        index = lan.index_of(address)
        gone = index.model_copy(update={"origin": str(uuid.UUID(int=1))})
        with lan.announced(address, index, LOOPBACK), lan.announced("http://127.0.0.1:9/", gone, LOOPBACK):
            found: dict[str, lan.Found] = {}
            for seconds in (1.5, 3, 6, 12):  # a busy machine answers late
                found = {each.address: each for each in lan.find(seconds, LOOPBACK)}
                if len(found) == 2:
                    break
    assert found[address].index == index
    assert found["http://127.0.0.1:9/"].index is None
    assert "cannot be reached" in found["http://127.0.0.1:9/"].problem


def test_what_is_no_origin_is_not_announced() -> None:
    done = CliRunner().invoke(cli, ["relay", "announce", "http://127.0.0.1:9/"])
    assert isinstance(done.exception, ComeoError)
    assert "cannot be reached" in str(done.exception)
