"""Archives of buckets in the catalogue: found by listing, kept while the store is out of reach, served."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import mercantile
import pytest
from flask.testing import FlaskClient

from comeo.errors import ComeoError
from comeo.settings import SettingsError
from tests.buckets import Bucket
from tests.tileserver.conftest import serving
from tests.tileserver.databases import PostgreSQL
from tileserver.app import create_app
from tileserver.catalog import SqliteCatalog
from tileserver.catalog.postgres import PostgresCatalog
from tileserver.catalog.reading import READER, Page
from tileserver.settings import Settings

SAMPLES = Path(__file__).parents[3] / "samples"
LAKE = SAMPLES / "S2_UTM37N_lake.zarr.zip"
FIELDS = SAMPLES / "S2A_T32TMT_20190530_L2A.zarr.zip"
ROMANIA = SAMPLES / "S2_romania_2016-08-15.zarr.zip"


@pytest.fixture(scope="module", autouse=True)
def own_process(object_store: int) -> Iterator[None]:
    """The process that reads archives has the environment of when it was started."""
    READER.close()
    yield
    READER.close()


@contextmanager
def saying(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> Iterator[None]:
    """Let the environment, of that process as well, say something else."""
    READER.close()
    with monkeypatch.context() as other:
        other.setenv(name, value)
        yield
    READER.close()


def catalog_of(tmp_path: Path, *roots: Path | str) -> SqliteCatalog:
    catalog = SqliteCatalog(roots, tmp_path / "catalog.sqlite", 0)
    catalog.refresh(force=True)
    return catalog


def ids(catalog: SqliteCatalog) -> list[str]:
    return sorted(change.id for change in catalog.changes(None, 100).changes if not change.gone)


def test_a_bucket_beside_a_folder(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "a.zarr.zip").write_bytes(FIELDS.read_bytes())
    place = bucket.put("data/x y/lake.zarr.zip", LAKE)
    bucket.put("other/romania.zarr.zip", ROMANIA)
    catalog = catalog_of(tmp_path, tmp_path / "archives", bucket.address("data"))
    names = {path.stem.partition(".")[0] for path in (FIELDS, LAKE)}
    assert set(ids(catalog)) == names
    found = [catalog.get(one.collection, one.id) for one in catalog.changes(None, 10).changes]
    record = next(one for one in found if one is not None and one.id == LAKE.stem.partition(".")[0])
    assert record.path == place
    assert catalog.broken() == {}


def test_what_comes_changes_and_goes_is_noticed(bucket: Bucket, tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, bucket.address())
    assert catalog.count() == 0
    bucket.put("a.zarr.zip", LAKE)
    catalog.refresh(force=True)
    (lake,) = ids(catalog)
    bucket.put("a.zarr.zip", FIELDS)
    catalog.refresh(force=True)
    (fields,) = ids(catalog)
    assert lake != fields
    bucket.delete("a.zarr.zip")
    catalog.refresh(force=True)
    assert catalog.count() == 0


def test_two_servers_of_a_bucket_share_a_catalogue_in_postgresql(
    bucket: Bucket, postgres: PostgreSQL
) -> None:
    address = postgres.make()
    servers = [PostgresCatalog([bucket.address("scenes")], address, 0) for _ in range(2)]

    def seen() -> list[list[str]]:
        for each in servers:
            each.refresh(force=True)
        return [sorted(one.id for one in each.changes(None, 100).changes if not one.gone) for each in servers]

    assert seen() == [[], []]
    place = bucket.put("scenes/a.zarr.zip", LAKE)
    lake = LAKE.name.partition(".")[0]
    assert seen() == [[lake], [lake]]
    (change,) = servers[1].changes(None, 100).changes
    record = servers[1].get(change.collection, lake)
    assert record is not None
    assert record.path == place
    bucket.put("scenes/a.zarr.zip", FIELDS)
    assert seen() == [[FIELDS.name.partition(".")[0]]] * 2
    bucket.delete("scenes/a.zarr.zip")
    assert seen() == [[], []]
    for each in servers:
        each.close()


def test_what_is_no_archive_is_left_out_or_broken(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("a/.hidden.zarr.zip", LAKE)
    bucket.put(".aside/b.zarr.zip", LAKE)
    bucket.put("readme.txt", b"read me")
    bucket.put_odd("a folder/", b"")
    bucket.put_odd("named so.zarr.zip/", b"")
    bucket.put("damaged.zarr.zip", b"damaged")
    bucket.put("empty.zarr.zip", b"")
    bucket.put("ü b+c%20.zarr.zip", LAKE)
    catalog = catalog_of(tmp_path, bucket.address())
    assert len(ids(catalog)) == 1
    assert set(catalog.broken()) == {"damaged.zarr.zip", "empty.zarr.zip", "named so.zarr.zip"}


def test_one_archive_of_a_bucket(bucket: Bucket, tmp_path: Path) -> None:
    place = bucket.put("a/b.zarr.zip", LAKE)
    bucket.put("a/c.zarr.zip", FIELDS)
    catalog = catalog_of(tmp_path, place)
    assert catalog.count() == 1
    bucket.delete("a/b.zarr.zip")
    catalog.refresh(force=True)
    assert catalog.count() == 0


def test_a_key_that_is_no_path_keeps_what_was_found_and_is_said_once(
    bucket: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.put("a.zarr.zip", LAKE)
    catalog = catalog_of(tmp_path, bucket.address())
    bucket.put_odd("../b.zarr.zip", b"")
    with caplog.at_level(logging.INFO, "tileserver"):
        catalog.refresh(force=True)
        catalog.refresh(force=True)
    (said,) = [record for record in caplog.records if "bucket not looked at" in record.message]
    assert "'../b.zarr.zip', which is no path" in said.fields["error"]  # type: ignore[attr-defined]
    assert catalog.count() == 1


def test_a_store_out_of_reach_loses_no_scene_and_what_was_missed_is_read_again(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.put("a.zarr.zip", LAKE)
    with saying(monkeypatch, "AWS_SKIP_SIGNATURE", "true"):  # everybody may list this store, and not read
        catalog = catalog_of(tmp_path, bucket.address())
        assert catalog.count() == 0
        assert "the store refuses" in catalog.broken()["a.zarr.zip"]
    catalog.refresh(force=True)  # the object is the same, and so is its signature
    assert catalog.count() == 1
    assert catalog.broken() == {}
    bucket.put("b.zarr.zip", FIELDS)
    with caplog.at_level(logging.INFO, "tileserver"), monkeypatch.context() as cut:
        cut.setattr(READER, "page", lambda *_: Page(error="the store cannot be reached"))
        catalog.refresh(force=True)
        assert catalog.count() == 1
    assert "bucket not looked at" in caplog.text
    catalog.refresh(force=True)
    assert catalog.count() == 2


def test_a_bucket_that_cannot_be_listed_is_refused_at_the_start(object_store: int, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no bucket never-made"):
        create_app(Settings(buckets=("s3://never-made/a",), catalog=tmp_path / "catalog.sqlite"))


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"COMEO_PATHS": "s3://bucket/a:/data"}, "named in COMEO_BUCKETS"),
        ({"COMEO_BUCKETS": "s3://Bad/a"}, "an address in a bucket is"),
        ({"COMEO_BUCKETS": "s3://bucket/a/../b"}, "no key that can be read"),
        ({"COMEO_BUCKETS": "/data"}, "an address in a bucket is"),
    ],
)
def test_settings_that_name_no_bucket_are_a_sentence(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ComeoError, match=words):
        Settings.from_environment(environment)


def test_buckets_of_the_environment() -> None:
    settings = Settings.from_environment({"COMEO_BUCKETS": "s3://one/a/ s3://two", "COMEO_PATHS": "/data"})
    assert settings.buckets == ("s3://one/a", "s3://two/")
    assert settings.roots == (Path("/data"), "s3://one/a", "s3://two/")
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_tiles_and_archives_of_a_bucket_are_those_of_the_folder(bucket: Bucket, tmp_path: Path) -> None:
    name = LAKE.name.removesuffix(".zarr.zip")
    bucket.put(f"scenes/{LAKE.name}", LAKE)
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / LAKE.name).write_bytes(LAKE.read_bytes())
    near = serving(tmp_path / "archives", tmp_path / "near")
    own = {"paths": (), "buckets": (bucket.address("scenes"),)}
    far = serving(tmp_path, tmp_path / "far", **own)
    item = item_of(near, name)
    about = near.get(f"{item}/tilejson.json").get_json()
    west, south, east, north = about["bounds"]
    lon, lat = (west + east) / 2, (south + north) / 2
    x, y, z = mercantile.tile(lon, lat, about["maxzoom"])
    tile = urlsplit(about["tiles"][0].format(x=x, y=y, z=z))
    for path in (
        f"{tile.path}?{tile.query}", f"{item}/preview.png", f"{item}/info", f"{item}/archive",
        f"{item}/point/{lon},{lat}",
    ):  # fmt: skip
        one, other = near.get(path), far.get(path)
        assert (one.status_code, other.status_code) == (200, 200), path
        assert one.data == other.data, path
        assert one.headers["ETag"] == other.headers["ETag"], path
    part = far.get(f"{item}/archive", headers={"Range": "bytes=100-1999"})
    assert part.status_code == 206
    assert part.data == LAKE.read_bytes()[100:2000]


def item_of(client: FlaskClient, name: str) -> str:
    found = client.get("/stac/search").get_json()["features"]
    (collection,) = {one["collection"] for one in found if one["id"] == name}
    return f"/collections/{collection}/items/{name}"
