"""What `make run` shows is made of the samples as they are."""

from __future__ import annotations

from pathlib import Path

from tileserver.store import alerts, bulletins
from tileserver.store.database import Database
from tileserver.store.geoservices import find_geoservice
from tools.example import FELLED, MONTHS, make

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PAGE = 100
"""Scenes that the viewer asks for at first; it begins with the oldest of the samples, one of them."""


def test_the_example_has_alerts_maps_and_bulletins(tmp_path: Path) -> None:
    folder = tmp_path / "example"
    make(SAMPLES, folder)
    database = Database(str(folder / "comeo.sqlite"))
    with database.reading() as connection:
        one = find_geoservice(connection, "romania-forest")
        assert one
        told = [each for each in alerts.alerts_of(connection, one.id) if each.state == "notified"]
        sent = bulletins.bulletins_of(connection, one.id)
        files = [bulletins.files_of(connection, each.id) for each in sent]
    database.close()
    assert (one.state, one.visibility) == ("active", "public")
    assert len(told) == len(FELLED)
    assert [each.state for each in sent] == ["sent"] * len(MONTHS)
    assert all({each.locale for each in of if each.kind == "html"} == set(one.locales) for of in files)
    maps = list((folder / "maps").rglob("*.zarr.zip"))
    assert maps
    assert len(maps) + len(list(SAMPLES.glob("*.zarr.zip"))) <= PAGE
