"""A server of geoservices for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tileserver.people import House, house


@pytest.fixture
def server_of(tmp_path: Path) -> House:
    return house(tmp_path, tmp_path)
