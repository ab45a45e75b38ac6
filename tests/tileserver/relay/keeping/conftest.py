"""An archive, an origin of it, and a relay."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tileserver.relay.keeping.relayed import SAMPLE, Relayed, copy_of
from tests.tileserver.relay.origins import NOW, FolderOrigin, make_archive
from tileserver.relay.feed.lines import moment


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 1.2 MB with overviews."""
    return make_archive(tmp_path_factory.mktemp("archive"), "scene")


@pytest.fixture
def relayed(archive: Path, tmp_path: Path) -> Relayed:
    """A relay of an origin with that archive, which wants all of it."""
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    origin.put(copy_of(archive, origin))
    found = Relayed(origin, tmp_path)
    found.define()
    return found


@pytest.fixture
def small(tmp_path: Path) -> Relayed:
    """A relay of an origin with a scene of 15 kB."""
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    origin.put(copy_of(SAMPLE, origin, "a"), c="optical", id="scene", t=moment(NOW))
    found = Relayed(origin, tmp_path)
    found.define()
    return found
