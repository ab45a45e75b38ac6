"""A server of geoservices for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tileserver.people import House, house


@pytest.fixture
def server_of(archives: Path, tmp_path: Path) -> House:
    return house(archives, tmp_path)
