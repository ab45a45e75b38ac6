from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import SourceError
from tests.tileserver.ingest.products import document
from tileserver.ingest.compressing import touches
from tileserver.ingest.document import FolderSource, Retry, StacSource, area_of, read_source

FOLDER = 'kind = "folder"\nfolder = "in"\noutput = "out"\n'


def read(folder: Path, text: str) -> Any:
    path = folder / "SOURCE.toml"
    path.write_text(text)
    return read_source(path)


def test_names_are_relative_to_the_document_and_the_state_lies_beside_the_archives(tmp_path: Path) -> None:
    source = read_source(document(tmp_path))
    assert isinstance(source, FolderSource)
    assert source.folder == tmp_path / "in"
    assert source.state == tmp_path / "out.ingest"


def test_all_that_a_document_may_have(tmp_path: Path) -> None:
    source = read(
        tmp_path,
        """
        kind = "stac"
        url = "https://stac.example.org/v1/"
        output = "out"
        backfill_share = 0.3
        [filter]
        collections = ["sentinel-2-l2a"]
        bbox = [8, 47, 9, 48]
        since = 2015-07-01
        until = 2024-01-01T00:00:00Z
        max_cloud = 60
        [[quality]]
        ratio = 100
        [[quality]]
        name = "fine"
        ratio = 25
        preset = "vegetation"
        [limits]
        min_free = "20 GB"
        [retry]
        tries = 3
        """,
    )
    assert isinstance(source, StacSource)
    assert source.url == "https://stac.example.org/v1"
    assert source.filter.since is not None
    assert source.filter.since.isoformat() == "2015-07-01T00:00:00+00:00"
    assert source.limits.min_free == 20_000_000_000
    assert [each.parameters["ratio"] for each in source.quality] == [100, 25]
    area = area_of(source.filter)
    assert area is not None
    assert area["type"] == "Polygon"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'SOURCE.toml: kind is missing: write kind = "folder", "stac" or "cdse"'),
        ('kind = "ftp"', 'SOURCE.toml: kind is one of "folder", "stac" and "cdse"'),
        ("kind = ", "SOURCE.toml is no TOML: "),
        ('kind = "folder"\noutput = "out"', "SOURCE.toml: folder is missing"),
        (f"{FOLDER}wait = 3", "SOURCE.toml: wait is unknown; check its spelling"),
        (f"{FOLDER}[filter]\nmax_clouds = 3", "SOURCE.toml: filter.max_clouds is unknown"),
        (f"{FOLDER}[[quality]]\nratio = 0", "a ratio lies between 1 and 100 000, not 0"),
        (f"{FOLDER}[[quality]]\nratio = 9\nstep = 4", "give a ratio or a step, not both"),
        (f'{FOLDER}[[quality]]\ncodec = "jpeg"', "there is no codec 'jpeg'; take one of "),
        (f'{FOLDER}[[quality]]\nclear = "sen2cor"', "clear is one of "),
        (f"{FOLDER}[[quality]]\n[[quality]]", "two qualities have one name"),
        (f"{FOLDER}[filter]\nbbox = [9, 47, 8, 48]", "west is less than east"),
        (f'{FOLDER}[filter]\nbbox = [8, 47, 9, 48]\narea = "a"', "give bbox or area, not both"),
        (f"{FOLDER}[filter]\nsince = 2020-01-02\nuntil = 2020-01-01", "since is not before until"),
        (f'{FOLDER}[filter]\narea = "country:"', "'country:' names no countries; write codes of ISO 3166-1"),
        (f'{FOLDER}[filter]\narea = "country:UK"', "UK is no country's code of ISO 3166-1; near it are GB"),
        (f"{FOLDER}[filter]\nsince = 2015", "filter.since: write a day of 1900 to 2999, as 2015-07-01"),
        (f'{FOLDER}[filter]\nsince = "2015"', "filter.since: write a day of 1900 to 2999"),
        (f"{FOLDER}[filter]\nuntil = 0001-01-01", "filter.until: write a day of 1900 to 2999"),
        (f"{FOLDER}[read]\nscale = nan", "read.scale"),
        (f"{FOLDER}[read]\noffset = inf", "read.offset: Input should be a finite number"),
        (f"{FOLDER}cores = true", "SOURCE.toml: cores is true or false, which nothing here can be"),
        (f"{FOLDER}[limits]\nmin_free = true", "limits: min_free is true or false"),
        (
            'kind = "folder"\nfolder = "a\\u0000"\noutput = "out"',
            "folder has a character that cannot be printed",
        ),
        ('kind = "folder"\nfolder = "in"\noutput = []', "SOURCE.toml: output: Input is not a valid path"),
        (
            'kind = "stac"\noutput = "out"\nurl = "https://a.b"\nauthorization = "é"',
            "authorization: a header has letters, digits and signs of ASCII alone",
        ),
        (f'{FOLDER}[filter]\narea = "none.json"', "none.json cannot be read"),
        ('kind = "folder"\nfolder = "."\noutput = "out"', "output lies in folder"),
        ('kind = "stac"\noutput = "out"\nurl = "file:///etc"', "an address begins with https://"),
        (
            'kind = "stac"\noutput = "out"\nurl = "https://a.b"\nauthorization = "env:COMEO_NO_SUCH"',
            "the environment has no COMEO_NO_SUCH; set it",
        ),
    ],
)
def test_each_fault_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_whatever_a_document_is_it_is_read_or_refused(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with pytest.raises(SourceError):
        read_source(path)


@pytest.mark.parametrize(
    "day", ["2015-07-01", '"2015-07-01"', "2015-07-01T02:00:00+02:00", "2015-07-01T00:00:00"]
)
def test_days_are_instants_however_they_are_written(tmp_path: Path, day: str) -> None:
    since = read(tmp_path, f"{FOLDER}[filter]\nsince = {day}").filter.since
    assert since == datetime(2015, 7, 1, tzinfo=UTC)


def test_secrets_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAC_TOKEN", "Bearer abc")
    text = 'kind = "stac"\noutput = "out"\nurl = "https://a.b"\nauthorization = "env:STAC_TOKEN"'
    assert read(tmp_path, text).authorization == "Bearer abc"


def test_an_area_may_be_countries(tmp_path: Path) -> None:
    source = read(tmp_path, f'{FOLDER}[filter]\narea = "country:sn, GMB"')
    assert source.filter.area == "country:sn, GMB"
    area = area_of(source.filter)
    assert area is not None
    assert touches((-16.7, 13.3, -16.5, 13.5), area)  # the Gambia
    assert not touches((36.7, -1.4, 36.9, -1.2), area)  # Nairobi


def test_a_country_on_both_sides_of_the_antimeridian_is_touched_from_either(tmp_path: Path) -> None:
    area = area_of(read(tmp_path, f'{FOLDER}[filter]\narea = "country:FJ"').filter)
    assert area is not None
    assert touches((177.9, -17.9, 178.1, -17.7), area)
    assert touches((179.9, -17.1, -179.8, -16.6), area)
    assert not touches((0.0, -17.9, 10.0, -17.7), area)


@pytest.mark.parametrize(
    "content", ['{"type": "Point", "coordinates": [1, 2]}', "[]", "{", '{"type": "FeatureCollection"}']
)
def test_an_area_has_to_be_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "area.json").write_text(content)
    with pytest.raises(SourceError, match=r"area\.json"):
        read(tmp_path, f'{FOLDER}[filter]\narea = "area.json"')


@given(st.integers(1, 1000), st.floats(0, 1e4), st.floats(0, 1e6))
def test_pauses_grow_up_to_a_bound(tries: int, first: float, most: float) -> None:
    retry = Retry(first_seconds=first, most_seconds=most)
    assert retry.after(tries) <= retry.after(tries + 1) <= most
    assert retry.after(1) == min(first, most)
