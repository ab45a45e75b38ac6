"""The worker on real archives: scenes that come late, are replaced or withdrawn end in the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from comeo.archive.stores.sparse import SparseWriter
from tests.parts import bring, etag_of, ranges_of
from tests.tileserver.watch.followed import NOW, follow, square
from tileserver.catalog import SqliteCatalog
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.store import geoservices, tasks
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade
from tileserver.store.observed import Key
from tileserver.store.tables import alert, message, observation
from tileserver.watch import worker as worker_module
from tileserver.watch.messages.receipts import Receipts
from tileserver.watch.observing.observe import Wanted, Work, present
from tileserver.watch.worker import Round, Worker

SAMPLES = Path(__file__).parents[3] / "samples"
DAYS = ("2017-06-06", "2017-07-01", "2017-08-05", "2017-09-14", "2018-06-06", "2018-07-01")
WOOD = square(22.152, 45.2045, 0.0012)
"""About a hectare of forest."""


def archive(day: str) -> str:
    return f"S2_romania_{day}.zarr.zip"


class Place:
    """A folder of archives, and a worker that follows a wood in them."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        folder.mkdir()
        self.archives = folder / "archives"
        self.archives.mkdir()
        self.folder = folder
        self.database = Database(str(folder / "comeo.sqlite"))
        upgrade(self.database)
        nominal = {"kind": "fixed", "low": 0.99}  # which no wood reaches
        followed = {
            "collections": ["romania-forest"], "sites": WOOD, "start": "2017-01-01",
            "indicators": [{"indicator": "ndvi", "nominal": nominal}],
        }  # fmt: skip
        follow(self.database, **{**followed, **changes})

    def give(self, *days: str) -> None:
        for each in days:
            shutil.copy(SAMPLES / archive(each), self.archives)

    @contextmanager
    def worker(self, scan_seconds: float = 0.0) -> Iterator[Worker]:
        settings = Settings.model_validate({"paths": (self.archives,)})
        catalog = SqliteCatalog(settings.paths, self.folder / "catalog.sqlite", scan_seconds)
        catalog.refresh(force=True)
        try:
            yield Worker(
                Scenes.open(settings, catalog), self.database, "http://here", None, None,
                Receipts(self.folder / "sent"), lambda: NOW,
            )  # fmt: skip
        finally:
            catalog.close()

    def round(self) -> Round:
        with self.worker() as worker:
            return worker.round()

    def told(self) -> list[list[tuple[object, ...]]]:
        """Observations, alerts that stand."""
        columns = [each for each in observation.c if each.name != "id"]
        fields = [each for each in alert.c if each.name not in ("id", "opened")]
        standing = select(*fields).where(alert.c.state != "withdrawn")
        with self.database.reading() as connection:
            return [
                sorted(map(tuple, connection.execute(select(*columns))), key=repr),
                sorted(map(tuple, connection.execute(standing)), key=repr),
            ]


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("at-once") / "place")
    place.give(*DAYS)
    done = place.round()
    assert (done.observed, done.failed) == (len(DAYS), {})
    return place


def test_there_is_something_to_compare(at_once: Place) -> None:
    seen, alerts = at_once.told()
    assert len(seen) == len(DAYS)
    assert len(alerts) == 1
    assert at_once.round() == Round(), "nothing is done twice"
    with at_once.database.reading() as connection:
        assert len(connection.execute(select(message)).all()) == 1


def test_a_round_looks_again_only_at_what_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Wanted] = []

    def look(scenes: Scenes, wanted: Wanted) -> dict[Key, Work]:
        looks.append(wanted)
        return present(scenes, wanted)

    monkeypatch.setattr(worker_module, "present", look)
    place = Place(tmp_path / "place")
    place.give(*DAYS[:3])
    with place.worker() as worker:
        assert worker.round().observed == 3
        assert worker.round().observed == 0
        assert len(looks) == 1, "nothing has changed"
        place.give(DAYS[3])
        worker.scenes.catalog.refresh(force=True)
        assert worker.round().observed == 1
        with place.database.writing() as connection:
            geoservices.change_geoservice(connection, 1, {"timezone": "Africa/Abidjan"})
        worker.round()
        worker.round()
    assert len(looks) == 3


@pytest.mark.parametrize("order", [DAYS[::-1], DAYS[3:] + DAYS[:3]], ids=["backwards", "late"])
def test_order_does_not_matter(at_once: Place, tmp_path: Path, order: tuple[str, ...]) -> None:
    place = Place(tmp_path / "place")
    for each in order:
        place.give(each)
        place.round()
    assert place.told() == at_once.told()


def test_a_scene_that_goes_and_comes_again(at_once: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.give(*DAYS)
    place.round()
    for each in DAYS[1:]:  # one date outside that is left makes no alert, or one to be verified
        (place.archives / archive(each)).unlink()
    place.round()
    place.give(*DAYS[1:])
    assert place.round().observed == 0, "what was observed is kept"
    assert place.told() == at_once.told()


def test_an_archive_that_cannot_be_read_is_said_and_the_others_observed(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.give(*DAYS[:3])
    damaged = place.archives / archive(DAYS[1])
    with place.worker(scan_seconds=3600) as worker:  # the catalogue does not know yet
        content = bytearray(damaged.read_bytes())
        middle = slice(len(content) // 8, len(content) // 2)
        content[middle] = bytes(len(content[middle]))
        damaged.write_bytes(content)
        done = worker.round()
    assert done.observed == 2
    assert len(done.failed) == 1


def test_a_scene_of_which_not_all_is_here_waits_and_is_no_failure(at_once: Place, tmp_path: Path) -> None:
    place, last = Place(tmp_path / "place"), SAMPLES / archive(DAYS[-1])
    place.give(*DAYS[:-1])
    found = ranges_of(last)
    part = bring(last, place.archives, found.head.union(found.coarse), ["head", "coarse"])
    with place.worker() as worker:
        first = worker.round()
        assert first.observed == len(DAYS) - 1
        (sentence,) = first.failed.values()
        assert "not here yet" in sentence
        assert worker.round() == Round(), "it is not tried again while the catalogue is the same"
        with place.database.reading() as connection:
            assert tasks.failures(connection) == []
        bring(last, place.archives, found.rest, ["head", "coarse", "area"])
        worker.scenes.catalog.refresh(force=True)
        assert worker.round().observed == 1
        seen = place.told()
        SparseWriter.create(part, found.size, etag_of(last)).complete()
        worker.scenes.catalog.refresh(force=True)
        assert worker.round() == Round(), "what was observed stands when the archive is whole"
    assert place.told() == seen == at_once.told()
