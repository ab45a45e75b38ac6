"""The feed of changes: who follows it has what the catalogue shows, whatever happens."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comeo.compression import compress
from comeo.errors import RequestError
from tests.scenes import array_group, array_scene, landscape
from tests.tileserver.conftest import Server
from tileserver.catalog import ArchivePool, FollowingCache, Position, Search, SqliteCatalog
from tileserver.catalog.sqlite import changes, journal, versioned
from tileserver.errors import GoneError

SCENES = ("a", "b", "c")
Known = dict[tuple[str, str], str | None]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives of three scenes in two collections, of each two versions: `a0.zarr.zip`, `a1.zarr.zip`."""
    folder = tmp_path_factory.mktemp("versions")
    for number, name in enumerate(SCENES):
        for version in (0, 1):
            group = array_group(landscape(1, 24, 24, 2 * number + version), names=["B02"])
            collection = "odd" if name == "b" else "even"
            scene = array_scene(group, scene_id=name, collection=collection, day=1 + number)
            compress(scene, folder / f"{name}{version}.zarr.zip", codec="dct", step=50.0)
    return folder


class Client:
    """Follows a feed by pages, and begins anew when it is told to."""

    def __init__(self) -> None:
        self.known: Known = {}
        self.place: Position | None = None
        self.anew = 0

    def take(self, catalog: SqliteCatalog, limit: int) -> bool:
        """One page; whether there is more."""
        try:
            page = catalog.changes(self.place, limit)
        except GoneError:
            self.known, self.place, self.anew = {}, None, self.anew + 1
            return True
        for change in page.changes:
            self.known.pop((change.collection, change.id), None)
            if not change.gone:
                self.known[change.collection, change.id] = change.etag
        self.place = Position.parse(str(page.next))
        return page.more


def shown(catalog: SqliteCatalog) -> Known:
    """What searches show."""
    return {(one.collection, one.id): one.etag for one in catalog.records(Search())}


ACTS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(SCENES), st.integers(0, 1), st.integers(0, 1)),
    st.tuples(st.just("take away"), st.sampled_from(SCENES), st.integers(0, 1)),
    st.tuples(st.just("refuse"), st.integers(0, 2)),
    st.tuples(st.just("read"), st.integers(1, 3)),
    st.tuples(st.sampled_from(("reopen", "rebuild", "lose", "restart the machine"))),
)


@given(acts=st.lists(ACTS, max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_who_follows_has_what_is_shown(
    versions: Path, tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[object, ...]]
) -> None:
    """Under two names in a folder a scene may be there twice; the journal is so short that it forgets."""
    folder = tmp_path_factory.mktemp("feed")
    root, database = folder / "archives", folder / "catalog.sqlite"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal.shorten, "__defaults__", (1,))
        catalog = SqliteCatalog([root], database, 0)
        client = Client()
        for act in acts:
            catalog = do(catalog, client, act, versions, root, database)
            place = catalog.position()
            assert place == catalog.position()
        while client.take(catalog, 2):
            pass
        assert client.known == shown(catalog)
        rows = catalog.changes(None, 100).changes
        assert sum(change.gone for change in rows) <= 2  # and one of a scene that came back in between
        catalog.close()


def do(
    catalog: SqliteCatalog,
    client: Client,
    act: tuple[object, ...],
    versions: Path,
    root: Path,
    database: Path,
) -> SqliteCatalog:
    """Do one act, and look at the folder."""
    match act:
        case ("put", name, version, place):
            shutil.copy(versions / f"{name}{version}.zarr.zip", root / f".{name}")
            (root / f".{name}").replace(root / f"{name}-{place}.zarr.zip")
        case ("take away", name, place):
            (root / f"{name}-{place}.zarr.zip").unlink(missing_ok=True)
        case ("refuse", int(number)):
            records = catalog.search(Search(), 3)
            if number < len(records):
                catalog.refuse(records[number], "a test")
        case ("read", int(limit)):
            client.take(catalog, limit)
        case ("rebuild",):
            catalog.rebuild()
        case ("lose",):
            catalog.close()
            versioned(database, [root]).unlink()
        case ("restart the machine",):
            with contextlib.closing(sqlite3.connect(versioned(database, [root]))) as db, db:
                db.execute("UPDATE journal SET boot = 'another'")
            catalog.close()
            return SqliteCatalog([root], database, 0)
        case ("reopen",):
            catalog.close()
            return SqliteCatalog([root], database, 0)
    catalog.refresh(force=True)
    return catalog


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A catalogue's database without archives."""
    (tmp_path / "none").mkdir()
    catalog = SqliteCatalog([tmp_path / "none"], tmp_path / "catalog.sqlite", 3600)
    catalog.refresh(force=True)
    with contextlib.closing(
        sqlite3.connect(versioned(tmp_path / "catalog.sqlite", [tmp_path / "none"]))
    ) as db:
        db.isolation_level = None
        yield db


def insert(db: sqlite3.Connection, name: str) -> None:
    """A scene with just what the journal looks at."""
    row = (name, "1-1-1", "c", name, None, 0, 0, 1, 1, f"etag of {name}", "[]", "{}", '{"archive_bytes": 7}')
    db.execute(f"INSERT INTO items VALUES ({', '.join('?' * len(row))})", row)


def test_who_has_not_heard_of_what_is_forgotten_begins_anew(database: sqlite3.Connection) -> None:
    for name in "abcd":
        insert(database, name)
    beginning = journal.changes(database, None, 1)
    seen = journal.changes(database, None, 10).next
    changes.remove(database, ["a", "b", "c"])
    journal.shorten(database, 1)
    with pytest.raises(GoneError, match="no longer told"):
        journal.changes(database, seen, 10)
    with pytest.raises(GoneError, match="no longer told"):
        journal.changes(database, beginning.next, 10)  # it has been told of `a`, not that it went
    page = journal.changes(database, None, 1)
    told = [*page.changes]
    while page.more:  # who begins now goes on, though its place lies before what is forgotten
        page = journal.changes(database, Position.parse(str(page.next)), 1)
        told += page.changes
    assert [(one.id, one.gone) for one in told] == [("d", False), ("c", True)]


def test_a_long_walk_needs_no_journal_of_what_it_never_saw(database: sqlite3.Connection) -> None:
    for name in "abcd":
        insert(database, name)
    page = journal.changes(database, None, 2)
    changes.remove(database, ["d"])
    insert(database, "e")
    rest = journal.changes(database, page.next, 10)
    assert [(one.id, one.gone) for one in rest.changes] == [("c", False), ("d", True), ("e", False)]
    assert rest.next == journal.position(database)


@given(epoch=st.integers(0, 2**64 - 1), seq=st.integers(0, 10**15 - 1), began=st.integers(0, 10**15 - 1))
def test_places_survive_their_text(epoch: int, seq: int, began: int) -> None:
    place = Position(f"{epoch:016x}", seq, began)
    again = Position.parse(str(place))
    assert again[:2] == place[:2]
    assert max(again.seq, again.began) == max(seq, began)


@given(text=st.one_of(st.text(max_size=40), st.from_regex(r"[0-9a-f]{16}-[0-9-]{0,20}", fullmatch=True)))
def test_any_other_text_is_refused_or_means_one_place(text: str) -> None:
    try:
        place = Position.parse(text)
    except RequestError as error:
        assert "leave it out to begin" in str(error)
    else:
        assert Position.parse(str(place)) in (place, place._replace(began=0))


def test_answers_are_kept_until_their_collection_changes(versions: Path, tmp_path: Path) -> None:
    root = tmp_path / "archives"
    root.mkdir()
    for name in SCENES:
        shutil.copy(versions / f"{name}0.zarr.zip", root)
    catalog = SqliteCatalog([root], tmp_path / "catalog.sqlite", 0)
    made: list[str] = []
    cache: FollowingCache[str, int] = FollowingCache(catalog, 2, lambda key: None if key == "all" else (key,))

    def ask(key: str) -> None:
        def make() -> int:
            made.append(key)
            return len(made)

        cache.get(key, make)

    for key in ("even", "odd", "even", "odd"):
        ask(key)
    assert made == ["even", "odd"]
    (root / "b0.zarr.zip").unlink()
    for key in ("even", "odd", "all", "all"):  # the third pushes the first out
        ask(key)
    assert made == ["even", "odd", "odd", "all"]
    catalog.rebuild()
    ask("all")
    assert made == ["even", "odd", "odd", "all", "all"]


def test_an_answer_of_before_a_change_is_not_kept(versions: Path, tmp_path: Path) -> None:
    root = tmp_path / "archives"
    root.mkdir()
    catalog = SqliteCatalog([root], tmp_path / "catalog.sqlite", 0)
    cache: FollowingCache[str, int] = FollowingCache(catalog, 2, lambda key: (key,))

    def make_slowly() -> int:
        found = catalog.count()
        shutil.copy(versions / "a0.zarr.zip", root)
        assert cache.get("odd", lambda: 0) == 0  # another thread notices the change
        return found

    assert cache.get("even", make_slowly) == 0
    assert cache.get("even", catalog.count) == 1


def test_archives_that_are_replaced_or_gone_are_closed(versions: Path, tmp_path: Path) -> None:
    root = tmp_path / "archives"
    root.mkdir()
    for name in SCENES:
        shutil.copy(versions / f"{name}0.zarr.zip", root / f"{name}.zarr.zip")
    catalog = SqliteCatalog([root], tmp_path / "catalog.sqlite", 0)
    pool = ArchivePool(8, catalog)
    for each in catalog.search(Search(), 3):
        with pool.lease(each):
            pass
    assert len(pool) == 3
    shutil.copy(versions / "a1.zarr.zip", root / ".a")
    (root / ".a").replace(root / "a.zarr.zip")
    (root / "b.zarr.zip").unlink()
    record = catalog.get("even", "c")
    assert record is not None
    with pool.lease(record) as archive:
        assert len(pool) == 1
        (root / "c.zarr.zip").unlink()
        with contextlib.suppress(Exception), pool.lease(record):
            pass
        level = next(iter(archive.groups.values())).levels[0]
        assert archive.decode_blocks(level, [(0, 0)])  # lent, so that it is still open


def test_pages_by_http(client: FlaskClient) -> None:
    whole = client.get("/changes").get_json()
    assert [one["op"] for one in whole["changes"]] == ["put"] * 5
    assert not whole["more"]
    listed = {one["id"]: one for one in whole["changes"]}
    assert listed["middle"]["datetime"] == "2020-05-10T10:30:00Z"
    archive = client.get("/collections/optical/items/middle/archive")
    assert archive.headers["ETag"] == f'"{listed["middle"]["etag"]}"'
    assert len(archive.data) == listed["middle"]["bytes"]
    told, after = [], "0"
    while True:
        page = client.get(f"/changes?after={after}&limit=2").get_json()
        told += page["changes"]
        after = page["next"]
        if not page["more"]:
            break
    assert told == whole["changes"]
    assert after == whole["next"]
    assert after.startswith(whole["epoch"])
    nothing = client.get(f"/changes?after={after}")
    assert nothing.get_json() == {"epoch": whole["epoch"], "changes": [], "next": after, "more": False}
    again = client.get(f"/changes?after={after}", headers={"If-None-Match": nothing.headers["ETag"]})
    assert again.status_code == 304


def test_scenes_that_come_and_go_by_http(own_archives: Path, server: Server) -> None:
    client = server(own_archives)
    after = client.get("/changes").get_json()["next"]
    (own_archives / "old.zarr.zip").rename(own_archives / "renamed.zarr.zip")
    (own_archives / "new.zarr.zip").unlink()
    found = client.get(f"/changes?after={after}").get_json()["changes"]
    assert [(one["op"], one["id"]) for one in found] == [("drop", "new"), ("put", "old")]
    assert set(found[0]) == {"seq", "op", "collection", "id"}


@pytest.mark.parametrize(
    "after",
    ["x", "-1", "1", "0123456789abcdef", "0123456789abcdef-", "0123456789ABCDEF-1", "0123456789abcdef-01",
     "0123456789abcdef-1-0", "0123456789abcdef-١", "0123456789abcdef-1%0A", "%00", "' OR 1",
     "0123456789abcdef-" + "9" * 40],
)  # fmt: skip
def test_what_is_no_place_is_refused(client: FlaskClient, after: str) -> None:
    answer = client.get(f"/changes?after={after}")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert "after" in answer.get_json()["detail"]


def test_a_place_of_another_journal_is_gone(client: FlaskClient) -> None:
    answer = client.get("/changes?after=0123456789abcdef-3")
    assert answer.status_code == 410
    assert "without `after`" in answer.get_json()["detail"]
    assert "max-age" not in answer.headers.get("Cache-Control", "")


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1e3"])
def test_a_limit_is_a_number_of_at_least_one(client: FlaskClient, limit: str) -> None:
    assert client.get(f"/changes?limit={limit}").status_code in (400, 422)


def test_a_page_is_bounded(own_archives: Path, server: Server) -> None:
    client = server(own_archives, max_page_items=2)
    page = client.get("/changes?limit=100").get_json()
    assert (len(page["changes"]), page["more"]) == (2, True)


def test_it_is_described(client: FlaskClient) -> None:
    operation = client.get("/openapi.json").get_json()["paths"]["/changes"]["get"]
    assert {one["name"] for one in operation["parameters"]} == {"after", "limit"}
    assert {"200", "410", "default"} <= set(operation["responses"])
