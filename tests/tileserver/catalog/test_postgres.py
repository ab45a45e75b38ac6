"""PostgreSQL as a catalogue, which several servers share and which may be away."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from comeo.errors import ComeoError, ParameterError
from comeo.settings import SettingsError
from tests.tileserver.catalog.contract import CatalogTests
from tests.tileserver.catalog.rows import found, various
from tests.tileserver.databases import PostgreSQL
from tileserver import Settings, create_app
from tileserver.catalog import Search, SortKey
from tileserver.catalog.base import Order
from tileserver.catalog.filters import Comparison, Property
from tileserver.catalog.ledger import Found
from tileserver.catalog.postgres import PostgresCatalog, pgstac
from tileserver.catalog.postgres.schema import BINS, SCHEMA
from tileserver.errors import BusyError

Open = Callable[[], PostgresCatalog]


class TestPostgres(CatalogTests):
    """See `CatalogTests`."""

    @pytest.fixture(autouse=True)
    def _database(self, address: str) -> None:
        self.address = address

    def open(self, root: Path) -> PostgresCatalog:
        """One database for all of a test."""
        return PostgresCatalog([root], self.address, 0)


@pytest.fixture(scope="module")
def database_address(postgres: PostgreSQL) -> str:
    """A database of this module's own."""
    return postgres.make()


@pytest.fixture
def address(database_address: str) -> str:
    """A database without a catalogue: to drop one takes less than to make a database."""
    query(database_address, "DROP SCHEMA IF EXISTS comeo_catalog CASCADE")
    return database_address


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder without archives."""
    (tmp_path / "none").mkdir()
    return tmp_path / "none"


@pytest.fixture
def opened(address: str, root: Path) -> Iterator[Open]:
    """Opens catalogues that have looked at the folder, which is empty, and look no more."""
    left: list[PostgresCatalog] = []

    def make() -> PostgresCatalog:
        catalog = PostgresCatalog([root], address, 1e9)
        catalog.refresh(force=True)
        left.append(catalog)
        return catalog

    yield make
    for catalog in left:
        catalog.close()


def query(address: str, text: str) -> list[tuple[object, ...]]:
    """Ask a database as anybody may."""
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as db:
        asked = db.execute(text.encode())
        return asked.fetchall() if asked.description else []


def looked(root: Path, address: str) -> PostgresCatalog:
    """A catalogue that has looked at its folder, however slow the machine, and looks whenever it is asked."""
    catalog = PostgresCatalog([root], address, 0)
    catalog.refresh(force=True)
    return catalog


@pytest.mark.parametrize(
    ("catalog", "reason"),
    [
        ("postgresql://[", "no address"), ("postgresql://host", "names no database"),
        ("postgresql://u:secret@/none?host=/nowhere", "cannot be opened"),
        ("postgresql://u:secret@127.0.0.1:1/none", "cannot be opened"),
    ],
)  # fmt: skip
def test_a_wrong_address_is_one_sentence(root: Path, catalog: str, reason: str) -> None:
    with pytest.raises(ComeoError, match=reason) as refused:
        PostgresCatalog([root], catalog, 0)
    assert "COMEO_CATALOG" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_setting_is_a_path_or_an_address() -> None:
    assert Settings.from_environment({"COMEO_CATALOG": "a/b.sqlite"}).catalog == Path("a/b.sqlite")
    address = "postgresql://user@host/name"
    settings = Settings.from_environment({"COMEO_CATALOG": address})
    assert settings.catalog == address
    assert Settings.model_validate_json(settings.model_dump_json()).catalog == address
    with pytest.raises(SettingsError, match="COMEO_CATALOG"):
        Settings.from_environment({"COMEO_CATALOG": "mysql://user@host/name"})


def test_a_database_that_is_away_is_waited_for(
    postgres: PostgreSQL, own_archives: Path, tmp_path: Path, address: str
) -> None:
    settings = Settings(paths=(own_archives,), catalog=address, workers=1, scan_seconds=0, static=tmp_path)
    client = create_app(settings).test_client()
    page = client.get("/stac/search?limit=1").get_json()
    name = address.partition("?")[0].rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    query(postgres.address(), f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    query(postgres.address(), cut)
    try:
        for path in ("/stac/search", "/readyz", "/collections/optical/items/old/info"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
            assert "database" in answer.get_json()["detail"]
            assert str(postgres.folder) not in answer.text
        assert client.get("/healthz").status_code == 200
    finally:
        query(postgres.address(), f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert client.get("/stac/search?limit=1").get_json() == page
    (own_archives / "old.zarr.zip").unlink()
    assert client.get("/stac/search?limit=1").get_json()["numberMatched"] == page["numberMatched"] - 1


def test_tables_that_are_dropped_are_made_anew(own_archives: Path, address: str) -> None:
    catalog = looked(own_archives, address)
    epoch = catalog.position().epoch
    query(address, "DROP TABLE comeo_catalog.items CASCADE")
    with contextlib.suppress(BusyError):  # on a slow machine: they are read again
        catalog.search(Search(), 10)
    catalog.refresh(force=True)
    assert len(catalog.search(Search(), 10)) == catalog.count() == 5
    assert catalog.position().epoch != epoch
    query(address, "DROP SCHEMA comeo_catalog CASCADE")
    catalog.refresh(force=True)
    assert len(catalog.search(Search(), 10)) == 5
    catalog.close()


def test_what_others_have_in_the_schema_is_left_alone(opened: Open, address: str) -> None:
    opened()
    query(address, "CREATE TABLE comeo_catalog.diary (entry text)")
    query(address, "UPDATE comeo_catalog.state SET version = 0")
    opened()
    assert query(address, "SELECT count(*) FROM comeo_catalog.diary") == [(0,)]
    assert query(address, "SELECT version > 0 FROM comeo_catalog.state") == [(True,)]
    query(address, "UPDATE comeo_catalog.state SET version = 1000")
    with pytest.raises(ComeoError, match="newer version"):
        opened()


def test_servers_of_other_folders_do_not_share_it(own_archives: Path, root: Path, address: str) -> None:
    first = looked(own_archives, address)
    assert first.count() == 5
    with pytest.raises(ComeoError, match=r"other folders .*own.*comeo catalog rebuild"):
        PostgresCatalog([root], address, 0)
    second = PostgresCatalog([root], address, 0, take_over=True)
    assert second.count() == 0
    with pytest.raises(BusyError, match="other folders"):
        first.count()
    for catalog in (first, second):
        catalog.close()


def test_one_of_several_servers_looks_and_all_follow(own_archives: Path, address: str) -> None:
    looks: list[str] = []
    one, two = (
        PostgresCatalog([own_archives], address, 0, lambda *_, name=name: looks.append(name))
        for name in ("one", "two")
    )
    one.refresh(force=True)
    assert one.count() == 5
    with one._ledger.claim(wait=True) as claim:
        assert claim.held
        (own_archives / "old.zarr.zip").unlink()
        looks.clear()
        assert two.count() == 5  # it does not look, as another server is at it
        assert looks == []
    assert two.count() == 4
    assert looks == ["two"]
    assert [one.id for one in one.changes(None, 10).changes][-1] == "old"
    for catalog in (one, two):
        catalog.close()


def test_who_listens_is_told(opened: Open, address: str) -> None:
    catalog = opened()
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as db:
        db.execute("LISTEN comeo_catalog")
        catalog._ledger.write([found("a"), found("b")])
        told = list(db.notifies(timeout=5, stop_after=1))
    assert 0 < max(int(one.payload) for one in told) <= catalog.position().seq
    assert query(address, "SELECT id, seq FROM comeo_catalog.change ORDER BY seq") == [("a", 1), ("b", 2)]


def test_a_restored_database_begins_an_epoch(opened: Open, address: str) -> None:
    epoch = opened().position().epoch
    assert opened().position().epoch == epoch
    query(address, "UPDATE comeo_catalog.journal SET history = 'of another server'")
    assert opened().position().epoch != epoch


def test_values_that_the_database_cannot_hold(opened: Open) -> None:
    catalog = opened()
    odd = {"zero": "a\0b", "half": "\ud800", "large": 10**400, "deep": {"x": 1}, "a\0": 1, "platform": "s"}
    written = catalog._ledger.write([found("odd", properties=odd), found("zero\0"), found("good")])
    assert [path for path, _ in written] == ["/archives/ocean/zero_.zarr.zip"]
    assert {record.id for record in catalog.search(Search(), 10)} >= {"odd", "good"}
    (record,) = catalog.search(Search(ids=("odd",)), 10)
    assert catalog.item(record)["properties"]["large"] == 10**400
    for search in (Search(ids=("a\0",)), Search(filter=Comparison(Property("platform", "text"), "=", "\0"))):
        with pytest.raises(ParameterError):
            catalog.search(search, 10)
    assert catalog.get("a\0", "b") is None


@pytest.mark.parametrize("cursor", [("x", "c", "i"), (1.5, "c", "i"), (None, "c\0", "i")])
def test_cursors_of_anybodys_making(opened: Open, cursor: tuple[object, ...]) -> None:
    catalog = opened()
    with pytest.raises(ParameterError):
        catalog.hits(Search(), 1, cursor, Order((SortKey("datetime"),)))  # type: ignore[arg-type]


def test_what_is_summed_up_is_what_is_there(opened: Open, address: str) -> None:
    catalog, scenes = opened(), list(various(120))
    chance = random.Random(1)

    def check() -> None:
        kept = query(address, f"SELECT * FROM {SCHEMA}.bins ORDER BY kind, bin")
        assert kept == query(address, f"{BINS} FROM {SCHEMA}.items GROUP BY kind, bin ORDER BY kind, bin")

    catalog._ledger.write(scenes)
    check()
    catalog._ledger.remove([each.path for each in chance.sample(scenes, 60)])
    check()
    catalog._ledger.write(chance.sample(scenes, 60))
    check()
    catalog._ledger.remove([each.path for each in scenes])
    check()
    assert query(address, f"SELECT count(*) FROM {SCHEMA}.bins") == [(0,)]


@pytest.fixture
def beside(address: str) -> Iterator[str]:
    """A database that has pgstac, too."""
    pypgstac = pytest.importorskip(
        "pypgstac.migrate", reason="pypgstac is not installed: pip install 'pypgstac[psycopg]'"
    )
    if not query(address, "SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'"):
        pytest.skip("no PostGIS for this PostgreSQL; on Debian: apt install postgresql-15-postgis-3")
    database = pytest.importorskip("pypgstac.db")
    with database.PgstacDB(dsn=address.replace("+psycopg", "")) as db:
        pypgstac.Migrate(db).run_migration()
    yield address
    query(address, "DROP SCHEMA pgstac CASCADE")


def timed(name: str, collection: str = "ocean", **properties: object) -> Found:
    """A scene as pgstac takes it."""
    moment = {"datetime": "2025-06-01T10:30:00Z", **properties}
    return found(name, collection, properties=moment, geometry={"type": "Point", "coordinates": [0.5, 0.5]})


def test_pgstac_has_the_items(opened: Open, beside: str) -> None:
    catalog = opened()
    catalog._ledger.write([timed("a"), timed("b", "forest")])
    items = "SELECT id, collection FROM pgstac.items ORDER BY id"
    assert query(beside, items) == [("a", "ocean"), ("b", "forest")]
    catalog._ledger.write([timed("a", platform="sentinel-2b")])
    platform = "SELECT pgstac.get_item('a', 'ocean')->'properties'->>'platform'"
    query(beside, "ALTER ROLE comeo SET search_path = pgstac, public")
    try:
        assert query(beside, platform) == [("sentinel-2b",)]
    finally:
        query(beside, "ALTER ROLE comeo RESET search_path")
    catalog._ledger.remove(["/archives/ocean/a.zarr.zip"])
    assert query(beside, items) == [("b", "forest")]
    catalog._ledger.forget()
    assert query(beside, items) == []


def test_what_pgstac_refuses_is_served_all_the_same(
    opened: Open, beside: str, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = opened()
    assert catalog._ledger.write([timed("a"), found("timeless"), timed("z")]) == []
    assert query(beside, "SELECT id FROM pgstac.items ORDER BY id") == [("a",), ("z",)]
    assert {record.id for record in catalog.search(Search(), 10)} == {"a", "timeless", "z"}
    (told,) = [each for each in caplog.records if "pgstac refuses" in each.message]
    assert told.fields["item"] == "timeless"  # type: ignore[attr-defined]
    assert "datetime" in told.fields["error"]  # type: ignore[attr-defined]


def test_without_pgstac_nothing_is_written_there(opened: Open) -> None:
    with opened()._database.connection() as db:
        assert not pgstac.is_there(db)


def test_a_pgstac_that_one_may_not_use_is_left_alone(address: str) -> None:
    query(address, "CREATE ROLE plain LOGIN")
    query(address, "CREATE SCHEMA pgstac; CREATE TABLE pgstac.items (id text)")
    query(address, "CREATE FUNCTION pgstac.upsert_item(jsonb) RETURNS void LANGUAGE sql AS ''")
    try:
        with psycopg.connect(address.replace("+psycopg", "").replace("comeo@", "plain@")) as db:
            assert not pgstac.is_there(db)
            query(address, "GRANT USAGE ON SCHEMA pgstac TO plain")
            assert not pgstac.is_there(db)
            query(address, "GRANT INSERT ON pgstac.items TO plain")
            assert pgstac.is_there(db)
    finally:
        query(address, "DROP SCHEMA pgstac CASCADE; DROP ROLE plain")
