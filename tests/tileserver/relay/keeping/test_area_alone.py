"""A head and an area without overviews: least bytes for a site, and all that is said of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from shapely.geometry import box, mapping

from comeo.archive import open_archive
from comeo.archive.stores.parts import read_map
from comeo.errors import ComeoError, NotHereError
from comeo.scene import Window
from comeo.view.area import Area
from comeo.view.plan import PixelRequest, plan_pixels
from comeo.view.reader import ArchiveReader, block_cache
from comeo.view.site import Observation, observe_area
from tests.parts import long_archive
from tests.tileserver.relay.keeping.relayed import Relayed, copy_of
from tests.tileserver.relay.origins import FolderOrigin
from tileserver.relay.feed.layout import HEADS
from tileserver.relay.keeping.journal import Journal

SITE = (8.640, 47.399, 8.642, 47.401)
ALONE = f'[[subscription]]\nname = "site"\narea = {[*SITE]}\nlayers = ["area"]\nkeep = "30d"'


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with classes."""
    return long_archive(tmp_path_factory.mktemp("long"))


@pytest.fixture
def site(long: Path, tmp_path: Path) -> Relayed:
    """A relay that wants a site of it, its head packed."""
    (tmp_path / "origin").mkdir()
    origin = FolderOrigin(tmp_path / "origin")
    origin.put(copy_of(long, origin, "long"), pack=True)
    found = Relayed(origin, tmp_path)
    found.define(subscription=ALONE)
    return found


def observed(path: Path) -> Observation | None:
    """What is seen of the site, by clear pixels."""
    with open_archive(path) as archive:
        reader = ArchiveReader(archive, block_cache(1 << 20))
        bands = [band for group in archive.groups.values() for band in group.bands]
        plan = plan_pixels(PixelRequest(expression="(B08-B04)/(B08+B04)*B11"), bands)
        return observe_area(reader, plan, Area(dict(mapping(box(*SITE)))))


def test_an_area_comes_without_overviews_and_is_observed(site: Relayed, long: Path) -> None:
    site.run()
    (line,) = site.origin.documents
    with open_archive(site.part("long")) as found:
        assert found.layers == ("head", "area")
        level = found.groups["r10m"].levels[1]
        with pytest.raises(NotHereError):
            found.read(level, Window(0, 0, level.height, level.width))
    here = read_map(site.part("long")).here
    assert here.common(type(here)([(line["coarse"], line["tail"])])).total < line["tail"] - line["coarse"]
    seen = observed(long)
    assert seen is not None
    assert seen.clear is not None
    assert observed(site.part("long")) == seen
    bad = site.broken()
    assert bad.heads == [line["packed"]]
    assert line["packed"] < (line["bytes"] - line["tail"]) / 3
    assert all(stop <= line["tail"] for _, _, stop in bad.reads)
    assert [note.removeprefix("long: ") for note in site.notes] == ["head is here", "area is here"]


@pytest.mark.parametrize("fault", ["flipped", "short", "missing"])
def test_a_head_that_is_damaged_or_missing_comes_by_ranges(site: Relayed, long: Path, fault: str) -> None:
    (line,) = site.origin.documents
    if fault == "flipped":
        site.broken().on_head = lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]
    (head,) = (site.origin.root / HEADS).iterdir()
    if fault == "short":
        head.write_bytes(head.read_bytes()[:-1])
    if fault == "missing":
        head.unlink()
    site.run()
    assert read_map(site.part("long")).layers == ["head", "area"], site.notes
    assert ("long.zarr.zip", line["tail"], line["bytes"]) in site.broken().reads
    assert observed(site.part("long")) == observed(long)


def test_what_shows_nothing_any_more_is_removed(site: Relayed) -> None:
    site.run()
    site.time.sleep(31 * 86_400)
    site.run()
    assert not site.kept("long")
    assert not site.part("long").exists()


def test_more_layers_come_when_they_are_wanted(site: Relayed, long: Path) -> None:
    site.run()
    site.define(subscription=ALONE.replace('["area"]', '["coarse", "area"]'))
    site.run()
    (kept,) = site.kept("long")
    assert kept.layers == ("head", "coarse", "area")
    site.define(subscription=ALONE.replace('["area"]', '["all"]'))
    site.run()
    assert site.path("long").read_bytes() == long.read_bytes()
    assert site.broken().given == long.stat().st_size - (
        site.origin.documents[0]["bytes"] - site.origin.documents[0]["tail"]
    )


@pytest.mark.parametrize("version", [1, 99])
def test_a_journal_of_another_version_is_refused(site: Relayed, tmp_path: Path, version: int) -> None:
    site.run()
    path = tmp_path / "relay/relay.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    for create in (True, False):
        with pytest.raises(ComeoError, match=rf"another version of this program \({version}, not 2\); use"):
            Journal(path, create=create)
    assert path.read_bytes() == before
