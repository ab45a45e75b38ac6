"""What a geoservice would have said, by the bundled series."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comeo.errors import BoundError, NotFoundError
from comeo.indicators.catalogue import predefined
from comeo.view.area import Area
from tests.tileserver.watch.followed import document, follow
from tileserver.catalog import SqliteCatalog
from tileserver.errors import UnfinishedError
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.store.database import Database
from tileserver.watch.document.definition import AlertPolicy, Fixed, Seasonal
from tileserver.watch.observing.observe import Place
from tileserver.watch.setup.preview import asked_of, asked_of_kept, lines, preview
from tileserver.watch.setup.register import definition_of

SAMPLES = Path(__file__).resolve().parents[4] / "samples"
UNTIL = datetime(2021, 1, 1, tzinfo=UTC)
RING = [[22.1505, 45.2035], [22.1520, 45.2035], [22.1520, 45.2046], [22.1505, 45.2046], [22.1505, 45.2035]]
SHAPE = {"type": "Polygon", "coordinates": [RING]}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    database = tmp_path_factory.mktemp("preview") / "catalog.sqlite"
    catalog = SqliteCatalog((SAMPLES,), database, 0.0, lambda *_: None)
    catalog.refresh(force=True)
    yield Scenes.open(Settings(paths=(SAMPLES,), catalog=database), catalog)
    catalog.close()


def test_a_preview_tells_dates_deviations_and_what_a_site_sees(scenes: Scenes) -> None:
    indicator = predefined().find("ndvi")
    assert indicator is not None
    places, policy = [Place(7, 7, Area(SHAPE))], AlertPolicy()
    found = preview(
        scenes, places, indicator, ["romania-forest"], Seasonal(), policy, UNTIL, 600
    )[7]  # fmt: skip
    assert len(found.observations) == 65
    assert found.sight.coding is not None
    assert found.sight.smallest_change is not None
    assert 0 < found.sight.coding < found.sight.smallest_change < 0.3
    low = preview(scenes, places, indicator, ["romania-forest"], Fixed(low=0.93), policy, UNTIL, 600)[7]
    (one,) = low.episodes
    assert one.persistent
    assert one.over is None
    assert found.observations == low.observations


def test_who_is_told_of_bulletins_alone_makes_no_messages_of_alerts(
    scenes: Scenes, sqlite_database: Database
) -> None:
    told = [
        {"email": f"{each}@b.org", "list": each, "min_severity": severity}
        for severity, each in enumerate(("alerts", "both", "bulletins"), 1)
    ]
    asked = asked_of(scenes, definition_of(document(recipients=told)))
    assert list(asked.severities) == [1, 2]
    one = follow(sqlite_database, recipients=told)
    with sqlite_database.reading() as connection:
        assert list(asked_of_kept(connection, one).severities) == [1, 2]


def test_bounds_are_told(scenes: Scenes) -> None:
    indicator = predefined().find("ndvi")
    assert indicator is not None
    places = [Place(number, number, Area(SHAPE)) for number in range(2)]
    with pytest.raises(UnfinishedError, match="takes longer than"):
        preview(scenes, places, indicator, ["romania-forest"], Seasonal(), AlertPolicy(), UNTIL, 0)
    few = Scenes.open(scenes.settings.model_copy(update={"max_observations": 100}), scenes.catalog)
    with pytest.raises(BoundError, match="130 observations"):
        preview(few, places, indicator, ["romania-forest"], Seasonal(), AlertPolicy(), UNTIL, 600)


def test_an_unknown_indicator_is_told(scenes: Scenes) -> None:
    definition = definition_of(
        {
            "slug": "a", "title": {"en": "A"}, "collections": ["romania-forest"], "sites": SHAPE,
            "indicators": [{"indicator": "nothing", "nominal": {"kind": "fixed", "low": 0}}],
            "start": "2020-01-01",
        }
    )  # fmt: skip
    with pytest.raises(NotFoundError, match="there is no indicator nothing"):
        list(lines(scenes, definition, UNTIL))
