"""Make the geoservice that `make run` shows: python -m tools.example SAMPLES FOLDER.

It follows six places of the bundled series: felled stands, whose alerts are confirmed, and others beside.
FOLDER gets its database, its maps and two bulletins; what was there before is replaced.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from tileserver.cli.database import open_database, open_scenes
from tileserver.cli.work import make_worker
from tileserver.render.documents import catalogue_of, install
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.store import accounts, geoservices, sites
from tileserver.store import alerts as stored
from tileserver.store import bulletins as kept
from tileserver.store.geoservices import Geoservice
from tileserver.watch.alerts import lifecycle
from tileserver.watch.bulletins import steps
from tileserver.watch.bulletins.content import material_of
from tileserver.watch.document.calendar import Month
from tileserver.watch.observing.observe import standing
from tileserver.watch.setup.register import activate, read_definition, register
from tileserver.watch.worker import Worker

FORESTER: Final = "forester@example.org"
NAME: Final = "Example forester"
FELLED: Final = ("East stand", "South stand", "South-west stand")
"""Where trees were felled between August 2019 and June 2020: the pictures show it."""
MONTHS: Final = ((2020, 7), (2020, 9))


def make(samples: Path, folder: Path) -> None:
    """Make all of it in a folder, which appears under its name once it is whole."""
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    maps = making / "maps"
    maps.mkdir(parents=True)
    database = str(making / "comeo.sqlite")
    settings = Settings(paths=(samples, maps), database=database, maps=maps)
    store = open_database(settings)
    install(catalogue_of(settings))
    definition = read_definition((samples / "geoservice.toml").read_bytes(), "toml")
    with open_scenes(settings) as scenes:
        with store.writing() as connection:
            number = register(connection, definition, FORESTER, settings.max_vertices, datetime.now(UTC))
            activate(connection, scenes, geoservices.get_geoservice(connection, number))
        worker = make_worker(settings, scenes, store)
        worker.backups = None
        _work(worker)
        with store.writing() as connection:
            one = geoservices.get_geoservice(connection, number)
            person = accounts.person_of(connection, FORESTER)
            assert person is not None
            accounts.change_person(connection, person.id, {"name": NAME})
            _decide(connection, one, person.id)
            _publish(connection, scenes, one, person.id)
        _work(worker)
    store.close()
    shutil.rmtree(folder, ignore_errors=True)
    making.rename(folder)


def _work(worker: Worker) -> None:
    """Let the worker do all that is to be done."""
    while True:
        done = worker.round()
        if done.failed:
            sys.exit(f"the example cannot be made: {done.failed}")
        if not (done.observed or done.maps):
            return


def _decide(connection: Connection, one: Geoservice, person: int) -> None:
    """Confirm what was felled."""
    names = {each.site: each.name["en"] for each in sites.leaves(connection, one.site)}
    for each in stored.alerts_of(connection, one.id):
        if each.state == "candidate" and names.get(each.site) in FELLED:
            comment = "Bare ground between the trees since June 2020"
            lifecycle.decide(connection, each, "confirm", comment, person, datetime.now(UTC))


def _publish(connection: Connection, scenes: Scenes, one: Geoservice, person: int) -> None:
    """Compose bulletins, and give them their visa."""
    now = datetime.now(UTC)
    archives = standing(scenes, one, sites.leaves(connection, one.site))
    material = material_of(connection, one, archives)
    for year, month in MONTHS:
        draft = steps.due(connection, material, Month(year, month, one.timezone), [])
        made = None if draft is None else steps.write(connection, draft, now)
        written = None if made is None else kept.find_bulletin(connection, made)
        assert written is not None
        submitted = steps.submit(connection, written, "", person, now)
        steps.approve(connection, submitted, "An example", person, now)


def main() -> None:
    """Make what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    logging.getLogger("tileserver").setLevel(logging.WARNING)  # what it begins with is no news
    make(given.samples, given.folder)


if __name__ == "__main__":
    main()
