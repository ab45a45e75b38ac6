from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.archive import open_archive
from comeo.errors import ComeoError, SourceError
from comeo.sources.naming import iso
from tests.tileserver.ingest.products import QUICK, Inline, archives, ingest, write_bands
from tests.tileserver.ingest.stac_api import Api, serving
from tileserver.ingest.document import Quality, StacSource, read_source
from tileserver.ingest.finding import Look
from tileserver.ingest.journal import Journal
from tileserver.ingest.orders import Found, State
from tileserver.ingest.stac import StacFinder


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    files = tmp_path / "files"
    files.mkdir()
    with serving(Api(files)) as served:
        yield served


def document(api: Api, folder: Path, text: str = "") -> Path:
    path = folder / "SOURCE.toml"
    path.write_text(
        f'kind = "stac"\nurl = "{api.url}"\noutput = "out"\nevery_seconds = 0.05\n{text}\n{QUICK}'
    )
    return path


def finder_of(api: Api, folder: Path, text: str = "") -> StacFinder:
    source = read_source(document(api, folder, text))
    assert isinstance(source, StacSource)
    return StacFinder(source, Journal(folder / "journal.sqlite"))


def looked(finder: StacFinder) -> list[str]:
    return [each.scene.partition("/")[2] for each in finder.products(Look())]


SINCE = "[filter]\nsince = 2024-01-01"


def test_items_become_archives_once(api: Api, tmp_path: Path) -> None:
    for day in (1, 2):
        name = f"S2A_32TMT_2024050{day}_0_L2A"
        write_bands(api.files, f"{name}-", day)
        api.add(name, f"2024-05-0{day}T10:00:00Z", f"2024-05-0{day}T20:00:00Z")
    path = document(api, tmp_path, SINCE)
    assert ingest(path).counts() == {State.PUBLISHED: 2}
    assert archives(tmp_path) == [f"S2A_32TMT_2024050{day}_0_L2A" for day in (1, 2)]
    for archive in (tmp_path / "out").iterdir():
        with open_archive(archive) as opened:
            assert opened.item["collection"] == "sentinel-2-l2a"
            assert opened.item["properties"]["s2:processing_baseline"] == "05.11"
    again = Inline()
    ingest(path, again)
    assert again.orders == []


def test_a_new_baseline_replaces_and_an_item_entered_again_does_not(api: Api, tmp_path: Path) -> None:
    name = "S2A_32TMT_20240501_0_L2A"
    write_bands(api.files, f"{name}-")
    api.add(name, "2024-05-01T10:00:00Z", "2024-05-01T20:00:00Z", baseline="05.10")
    path = document(api, tmp_path, SINCE)
    ingest(path)
    (before,) = (tmp_path / "out").iterdir()
    api.add(name, "2024-05-01T10:00:00Z", "2999-01-01T00:00:00Z", baseline="05.10")
    ingest(path)
    assert [each.name for each in (tmp_path / "out").iterdir()] == [before.name]
    api.items.clear()
    api.add(name, "2024-05-01T10:00:00Z", "2999-01-02T00:00:00Z", baseline="05.11")
    assert ingest(path).counts() == {State.PUBLISHED: 1, State.SKIPPED: 1}
    (after,) = (tmp_path / "out").iterdir()
    assert after.name != before.name


def test_later_looks_go_back_to_the_last_one_and_two_hours(api: Api, tmp_path: Path) -> None:
    for hour in range(12):
        api.add(f"item{hour}", f"2024-05-01T{hour:02}:00:00Z", f"2024-05-01T{hour:02}:00:00Z")
    finder = finder_of(api, tmp_path, SINCE)
    api.page = 2
    assert set(looked(finder)) == {f"item{hour}" for hour in range(12)}
    finder._journal.set_mark(f"{finder._wanted} new", "2024-05-01T09:30:00Z")
    api.asked.clear()
    assert looked(finder) == ["item11", "item10", "item9", "item8"]
    assert len([each for each in api.asked if "/search" in each]) == 3


def test_a_look_that_is_left_early_loses_nothing(api: Api, tmp_path: Path) -> None:
    for month in (1, 2, 3):
        api.add(f"item{month}", f"2024-0{month}-10T00:00:00Z", f"2024-0{month}-10T09:00:00Z")
    finder = finder_of(api, tmp_path, f"{SINCE}\nuntil = 2024-04-01")
    products = finder.products(Look())
    assert next(products).scene.endswith("item3")
    del products
    assert looked(finder) == ["item3", "item2", "item1"]
    api.asked.clear()
    assert looked(finder) == []
    assert len([each for each in api.asked if "/search" in each]) == 1  # months are walked once


def test_a_server_that_cannot_sort_is_looked_at_by_acquisition(api: Api, tmp_path: Path) -> None:
    api.sorts = False
    finder = finder_of(api, tmp_path)
    looked(finder)
    looked(finder)
    assert [each for each in api.asked if "sortby" in each] == []


def test_clouds_and_areas_leave_out(api: Api, tmp_path: Path) -> None:
    api.add("clear", "2024-05-01T10:00:00Z", "2024-05-01T20:00:00Z", cloud=5)
    api.add("cloudy", "2024-05-01T10:00:00Z", "2024-05-01T20:00:00Z", cloud=95)
    api.add("elsewhere", "2024-05-01T10:00:00Z", "2024-05-01T20:00:00Z", lon=30)
    finder = finder_of(api, tmp_path, f"{SINCE}\nmax_cloud = 50\nbbox = [8, 47, 9, 48]")
    assert looked(finder) == ["clear"]
    assert "bbox=8.0000000%2C47.0000000%2C9.0000000%2C48.0000000" in api.asked[-1]


def test_an_origin_that_is_away_is_waited_for(api: Api, tmp_path: Path) -> None:
    name = "S2A_32TMT_20240501_0_L2A"
    write_bands(api.files, f"{name}-")
    api.add(name, "2024-05-01T10:00:00Z", "2024-05-01T20:00:00Z")
    path = document(api, tmp_path, SINCE)
    api.broken = True
    with pytest.raises(ComeoError, match="answers 500"):
        ingest(path)
    api.broken = False
    write = api.files / f"{name}-B04.tif"
    write.rename(api.files / "away")  # gone between the search and the fetching
    journal = ingest(path)
    (row,) = journal.in_state(State.FAILED)
    assert row.tries == 1
    (api.files / "away").rename(write)
    journal.retry()
    assert ingest(path).counts() == {State.PUBLISHED: 1}


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    with serving(Api(tmp_path)) as gone:
        pass
    with pytest.raises(ComeoError, match=r"http://127\.0\.0\.1/api(/search)? does not answer"):
        ingest(document(gone, tmp_path))


def test_credentials_go_to_their_server_alone(api: Api, tmp_path: Path) -> None:
    api.token = "Bearer abc"
    api.page = 1
    for number in (1, 2):
        api.add(f"item{number}", "2024-05-01T10:00:00Z", "2024-05-01T20:00:00Z")
    text = f'authorization = "Bearer abc"\n{SINCE}'
    assert looked(finder_of(api, tmp_path, text)) == ["item1", "item2"]
    finder = finder_of(api, tmp_path, text)
    with pytest.raises(SourceError, match="not to have its authorization"):
        finder._follow({"href": "http://127.0.0.1:1/api/search"})


def test_a_hostile_link_is_not_followed(api: Api, tmp_path: Path) -> None:
    finder = finder_of(api, tmp_path)
    with pytest.raises(SourceError, match="which is no http"):
        finder._follow({"href": "file:///etc/passwd"})


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "id": ANY, "collection": ANY, "geometry": ANY, "assets": ANY, "links": ANY,
        "properties": st.fixed_dictionaries(
            {}, optional={
                "datetime": ANY | st.just("2024-05-01T00:00:00"), "updated": ANY, "eo:cloud_cover": ANY,
                "s2:processing_baseline": ANY,
            },
        ),
    },
)  # fmt: skip


@given(ITEM)
def test_whatever_an_item_is_it_is_read_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, item: dict[str, object]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    finder = _ANY_FINDER.get("finder") or finder_of(Api(folder, port=1), folder)
    found = _ANY_FINDER.setdefault("finder", finder)._found(item)
    assert found is None or isinstance(found, Found)


_ANY_FINDER: dict[str, StacFinder] = {}


GOOD = ("2024-05-01T10:00:00Z", "2024-05-01T20:00:00Z")
BAD: list[dict[str, object]] = [
    {"id": "\ud800"},
    {"collection": "\ud800x"},
    {"collection": "x" * 400},
    {"links": [{"rel": "self", "href": "http://["}]},
    {"links": [{"rel": "self", "href": "file:///etc/passwd"}]},
    {"links": [{"rel": "self", "href": "/\ud800"}]},
    {"geometry": {"type": "Polygon", "coordinates": [[[10**400, 1], [2, 2], [3, 3], [10**400, 1]]]}},
    {"assets": {"B04": {"href": "\ud800"}}, "properties": {"datetime": GOOD[0]}},
]


@pytest.mark.parametrize("change", BAD)
def test_an_item_that_lies_ends_nothing(api: Api, tmp_path: Path, change: dict[str, object]) -> None:
    api.add("bad", *GOOD)
    api.add("good", *GOOD)
    api.items[0].update(change)
    api.linked = lambda item: item  # type: ignore[method-assign]
    finder = finder_of(api, tmp_path, f"{SINCE}\nuntil = 2024-06-01\nbbox = [8, 47, 9, 48]")
    found = list(finder.products(Look()))
    assert "sentinel-2-l2a/good" in [each.scene for each in found]
    for each in found:
        finder._journal.add(finder.name, each, (Quality(),), 0)
        assert each.place.startswith(api.url)


@pytest.mark.parametrize(
    "link",
    [
        {"href": "http://["}, {"href": "http://a\x01b/"}, {"href": "/\ud800"}, {"href": "http://x:y/"},
        {"href": "/api/search", "method": "POST", "body": {"a": "\ud800"}},
    ],
)  # fmt: skip
def test_a_link_that_is_none_is_one_sentence(api: Api, tmp_path: Path, link: dict[str, object]) -> None:
    with pytest.raises(SourceError, match="names '"):
        finder_of(api, tmp_path)._follow(link)


def test_pages_that_lead_in_a_circle_are_left(api: Api, tmp_path: Path) -> None:
    api.add("one", *GOOD)
    search = api.search
    link = {"rel": "next", "href": "/api/search?limit=100"}
    api.search = lambda query: {**search(query), "links": [link]}  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="lead in a circle"):
        looked(finder_of(api, tmp_path, f"{SINCE}\nuntil = 2024-06-01"))
    assert len(api.asked) <= 4


@pytest.mark.parametrize("how", ["by acquisition", "without updated"])
def test_a_server_that_only_says_that_it_sorts_loses_nothing(api: Api, tmp_path: Path, how: str) -> None:
    now = datetime.now(UTC)
    old, new = iso(now - timedelta(days=9)), iso(now)
    finder = finder_of(api, tmp_path)
    api.add("a", new, new)
    assert looked(finder) == ["a"]
    api.items.clear()
    api.add("late", old, new)
    api.add("first", new, old)
    if how == "without updated":
        for item in api.items:
            del item["properties"]["updated"]
    search, keep = api.search, "properties.datetime"
    api.search = lambda query: search({**query, "sortby": [keep]})  # type: ignore[method-assign]
    api.items.reverse()
    assert set(looked(finder)) == {"first", "late"}


def test_a_clock_that_was_ahead_loses_nothing(api: Api, tmp_path: Path) -> None:
    now = iso(datetime.now(UTC))
    finder = finder_of(api, tmp_path)
    finder._journal.set_mark(f"{finder._wanted} new", "2999-01-01T00:00:00Z")
    api.add("one", now, now)
    assert looked(finder) == ["one"]
    noted = finder._journal.mark(f"{finder._wanted} new")
    assert noted == now


def test_what_is_left_out_does_not_make_a_look_go_back_further(api: Api, tmp_path: Path) -> None:
    for hour in range(12):
        api.add(f"item{hour}", *[f"2024-05-01T{hour:02}:00:00Z"] * 2, cloud=99)
    finder = finder_of(api, tmp_path, f"{SINCE}\nmax_cloud = 50")
    api.page = 1
    finder._journal.set_mark(f"{finder._wanted} new", "2024-05-01T11:30:00Z")
    list(finder._new())
    assert len([each for each in api.asked if "/search" in each]) == 3  # 11, 10, and 9, which is older


def test_another_server_is_looked_at_from_the_beginning(api: Api, tmp_path: Path) -> None:
    api.add("one", *GOOD)
    text = f"{SINCE}\nuntil = 2024-06-01"
    assert looked(finder_of(api, tmp_path, text)) == ["one"]
    with serving(Api(tmp_path)) as other:
        other.add("two", *GOOD)
        assert looked(finder_of(other, tmp_path, text)) == ["two"]


def test_another_quality_is_made_of_the_past_too(api: Api, tmp_path: Path) -> None:
    api.add("one", *GOOD)
    text = f"{SINCE}\nuntil = 2024-06-01"
    finder = finder_of(api, tmp_path, text)
    assert looked(finder) == ["one"]
    assert looked(finder) == []
    assert looked(finder_of(api, tmp_path, text + '\n[[quality]]\nname = "fine"\nstep = 20')) == ["one"]


def test_credentials_do_not_go_over_a_line_that_is_not_encrypted(tmp_path: Path) -> None:
    finder = finder_of(Api(tmp_path, port=1), tmp_path, 'authorization = "Bearer abc"')
    url = "https://stac.example.org/api"
    finder._source = finder._source.model_copy(update={"url": url})
    assert finder._checked("/api/search?token=2") == "https://stac.example.org/api/search?token=2"
    with pytest.raises(SourceError, match="not to have its authorization"):
        finder._checked("http://stac.example.org/api/search?token=2")


def test_items_that_take_credentials_are_read(api: Api, tmp_path: Path) -> None:
    api.token = "Bearer abc"
    name = "S2A_32TMT_20240501_0_L2A"
    write_bands(api.files, f"{name}-")
    api.add(name, *GOOD)
    journal = ingest(document(api, tmp_path, f'authorization = "Bearer abc"\n{SINCE}'))
    assert journal.counts() == {State.PUBLISHED: 1}
    assert [each.name for each in (tmp_path / "out").iterdir() if each.name.startswith(".")] == []
