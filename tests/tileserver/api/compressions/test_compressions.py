"""Products that people send, by a client of tus that others have written, become archives."""

from __future__ import annotations

import base64
import errno
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient

from comeo.errors import BoundError, ParameterError, RequestError
from comeo.progress import Silent
from comeo.settings import SettingsError
from tests.tileserver.ingest.products import write_bands, write_product
from tests.tileserver.ingest.stac_api import Api
from tests.tileserver.ingest.stac_api import serving as serving_api
from tests.tileserver.listening import listening
from tests.tileserver.people import Caller, House, house
from tileserver import Settings, create_app
from tileserver.errors import ConflictError, ForbiddenError
from tileserver.http.session import HEADER, cookie_name
from tileserver.ingest.compressions import CompressionOrder, check_source, run

TUS = {"Tus_Resumable": "1.0.0"}
QUICK = {"codec": "dct", "step": 60}
NAME = "S2A_32TMT_20200501_0_L2A.tif"


@pytest.fixture
def place(archives: Path, tmp_path: Path) -> Iterator[House]:
    served = tmp_path / "served"
    served.mkdir()
    shutil.copy(archives / "old.zarr.zip", served)
    made = house(
        served, tmp_path, compressions=True, scan_seconds=0.0,
        jobs=tmp_path / "jobs", uploads=tmp_path / "uploads",
        person_upload_bytes=1_000_000, max_product_bytes=500_000, person_compressions=1,
    )  # fmt: skip
    yield made
    made.app.extensions["comeo"].jobs.stop()


def told(answer: Any) -> Any:
    """The JSON of an answer."""
    return answer.json


def begin(caller: Caller, length: int, name: str = NAME, **headers: str) -> Any:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    own = {**TUS, "Upload_Length": str(length), "Upload_Metadata": metadata, **headers}
    return caller.send("POST", "/compressions/uploads", **own)


def send(caller: Caller, address: str, offset: int, data: bytes) -> Any:
    path = "/compressions/uploads/" + address.rpartition("/")[2]
    return caller.client.patch(
        path, data=data,
        headers={HEADER: caller.token, "Tus-Resumable": "1.0.0", "Upload-Offset": str(offset),
                 "Content-Type": "application/offset+octet-stream"},
    )  # fmt: skip


def finished(caller: Caller, answer: Any) -> dict[str, Any]:
    assert answer.status_code == 201, told(answer)
    path = "/compressions/" + answer.headers["Location"].rpartition("/")[2]
    ends = time.monotonic() + 60
    while (state := told(caller.get(path)))["status"] in ("accepted", "running"):
        assert time.monotonic() < ends
        time.sleep(0.1)
    found: dict[str, Any] = state
    return found


def test_a_product_sent_in_pieces_by_a_client_of_tus_becomes_an_archive(place: House, tmp_path: Path) -> None:
    caller = place.enter("a@example.org")
    product = write_product(tmp_path / "own" / NAME)
    with listening(place.app) as port:
        with place.app.test_request_context():
            cookie = caller.client.get_cookie(cookie_name())
        assert cookie is not None
        headers = {"Cookie": f"{cookie.key}={cookie.value}", HEADER: caller.token}
        url = f"http://127.0.0.1:{port}/compressions/uploads"
        client = TusClient(url, headers=headers)
        with product.open("rb") as stream:
            uploader = client.uploader(file_stream=stream, chunk_size=20_000, metadata={"filename": NAME})
            uploader.upload_chunk()
        with product.open("rb") as stream:
            again = client.uploader(file_stream=stream, url=uploader.url, chunk_size=20_000)  # after a cut
            assert again.offset == 20_000
            again.upload()
        upload = str(uploader.url).rpartition("/")[2]
    body = {"upload": upload, "quality": {**QUICK, "collection": "own"}}
    done = finished(caller, caller.send("POST", "/compressions", body))
    assert done["status"] == "successful", done
    assert done["archive"]["item"] == NAME.removesuffix(".tif")
    links = {link["rel"]: link["href"].removeprefix("http://localhost") for link in done["links"]}
    assert caller.get(links["enclosure"]).data.startswith(b"PK")
    assert caller.get(links["describedby"]).status_code == 200
    assert told(caller.get(links["item"]))["properties"]["comeo:source"] == done["archive"]["item"]
    assert [job["jobID"] for job in told(caller.get("/compressions"))["jobs"]] == [done["jobID"]]
    assert (
        caller.client.head(f"/compressions/uploads/{upload}", headers={"Tus-Resumable": "1.0.0"}).status_code
        == 404
    )


def test_nobody_without_an_account_and_no_other_site(place: House) -> None:
    nobody, somebody = place.nobody(), place.enter("a@example.org")
    for method, path in (
        ("POST", "/compressions"), ("GET", "/compressions"), ("GET", f"/compressions/{'0' * 32}"),
        ("POST", "/compressions/uploads"), ("PATCH", f"/compressions/uploads/{'0' * 32}"),
        ("DELETE", f"/compressions/uploads/{'0' * 32}"),
    ):  # fmt: skip
        body = {"upload": "0" * 32} if (method, path) == ("POST", "/compressions") else None
        assert nobody.send(method, path, body, **TUS).status_code == 401, (method, path)
    somebody.token = "another"
    assert begin(somebody, 10).status_code == 403


def test_uploads_and_compressions_are_their_owners_alone(place: House) -> None:
    owner, other = place.enter("a@example.org"), place.enter("b@example.org")
    address = begin(owner, 4).headers["Location"]
    assert send(other, address, 0, b"abcd").status_code == 404
    assert send(owner, address, 0, b"abcd").headers["Upload-Offset"] == "4"
    body = {"upload": address.rpartition("/")[2], "quality": QUICK}
    assert other.send("POST", "/compressions", body).status_code == 404
    job = owner.send("POST", "/compressions", body)
    path = "/compressions/" + job.headers["Location"].rpartition("/")[2]
    assert told(owner.get(path))["processID"] == "compression"
    assert other.get(path).status_code == 404
    again = owner.send("POST", "/compressions", body)
    assert (again.status_code, "which is the most" in told(again)["detail"]) == (429, True)
    assert told(other.get("/compressions")) == {"jobs": []}


def test_pieces_have_to_fit(place: House) -> None:
    caller = place.enter("a@example.org")
    address = begin(caller, 10).headers["Location"]
    path = "/compressions/uploads/" + address.rpartition("/")[2]
    assert send(caller, address, 0, b"abcde").status_code == 204
    wrong = send(caller, address, 3, b"xx")
    assert (wrong.status_code, told(wrong)["detail"]) == (
        409, "the upload has 5 bytes, not 3; ask by HEAD, and go on there",
    )  # fmt: skip
    assert send(caller, address, 5, b"fghijk").status_code == 413
    head = caller.client.head(path, headers={"Tus-Resumable": "1.0.0"})
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("5", "10")
    assert "no-store" in head.headers["Cache-Control"]
    early = caller.send("POST", "/compressions", {"upload": path.rpartition("/")[2], "quality": QUICK})
    assert (early.status_code, told(early)["detail"]) == (
        409, "the upload has 5 of 10 bytes; send the rest first",
    )  # fmt: skip
    assert caller.send("PATCH", path, **TUS, Upload_Offset="5").status_code == 422
    assert caller.send("DELETE", path, **TUS).status_code == 204
    assert caller.client.head(path, headers={"Tus-Resumable": "1.0.0"}).status_code == 404


@pytest.mark.parametrize(
    ("length", "name", "status"),
    [
        (500_001, NAME, 413), (0, NAME, 422), (10, "../x.tif", 422), (10, "x.exe", 422),
        (10, "item.json", 422),        (10, ".tif", 422), (10, "x\0.tif", 422),
    ],
)  # fmt: skip
def test_what_may_be_sent(place: House, length: int, name: str, status: int) -> None:
    assert begin(place.enter("a@example.org"), length, name).status_code == status


def test_each_person_has_a_share(place: House) -> None:
    one, other = place.enter("a@example.org"), place.enter("b@example.org")
    assert [begin(one, 400_000).status_code for _ in range(3)] == [201, 201, 429]
    assert begin(other, 400_000).status_code == 201


def test_what_is_wrong_with_a_product_names_no_folder(place: House, tmp_path: Path) -> None:
    address = begin(place.enter("a@example.org"), 4).headers["Location"]
    (file,) = tmp_path.rglob(NAME)
    file.write_bytes(b"abcd")
    order = {"upload": address.rpartition("/")[2], "quality": QUICK, "person": 1}
    with pytest.raises(ParameterError, match=rf"^{NAME} cannot be opened") as caught:
        run(
            place.app.extensions["comeo"].scenes, CompressionOrder.model_validate(order), tmp_path / "half",
            Silent(),
        )  # fmt: skip
    assert str(tmp_path) not in str(caught.value)
    assert file.exists()


def test_a_zip_that_would_fill_the_disk_is_not_unpacked(
    place: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = place.enter("a@example.org")
    write_bands(tmp_path / "bands", "S2A_32TMT_20200501_0_L2A_")
    packed = tmp_path / "S2A_32TMT_20200501_0_L2A.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for band in (tmp_path / "bands").iterdir():
            file.writestr(band.name, band.read_bytes() + bytes(2_000_000))
    data = packed.read_bytes()
    address = begin(caller, len(data), packed.name).headers["Location"]
    assert send(caller, address, 0, data).status_code == 204
    monkeypatch.setattr("tileserver.ingest.ordered.open_source", None)
    order = {"upload": address.rpartition("/")[2], "quality": QUICK, "person": 1}
    scenes = place.app.extensions["comeo"].scenes
    with pytest.raises(BoundError, match="when it is unpacked, more than 2000000"):
        run(scenes, CompressionOrder.model_validate(order), tmp_path / "half", Silent())


def test_a_share_holds_however_many_ask_at_once(place: House, tmp_path: Path) -> None:
    caller = place.enter("a@example.org")
    data = write_product(tmp_path / "own" / NAME).read_bytes()
    address = begin(caller, len(data)).headers["Location"]
    send(caller, address, 0, data)
    body = {"upload": address.rpartition("/")[2], "quality": QUICK}
    jobs = place.app.extensions["comeo"].jobs
    create, twice = jobs.create, []

    def after_another(*order: Any) -> Any:
        jobs.create = create
        twice.append(caller.send("POST", "/compressions", body).status_code)
        return create(*order)

    jobs.create = after_another
    assert caller.send("POST", "/compressions", body).status_code == 429
    assert twice == [201]


def test_a_disk_that_takes_nothing_is_no_mistake(place: House, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = place.enter("a@example.org")
    address = begin(caller, 10).headers["Location"]

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tileserver.ingest.uploads.os.fsync", full)
    answer = send(caller, address, 0, b"abcde")
    assert (answer.status_code, told(answer)["detail"]) == (
        503, "the upload could not be written (No space left on device); go on with it later",
    )  # fmt: skip


def test_old_uploads_are_swept(place: House, tmp_path: Path) -> None:
    caller = place.enter("a@example.org")
    begin(caller, 400_000)
    begin(caller, 400_000)
    for file in tmp_path.rglob(NAME):
        os.utime(file, (0, 0))
    assert begin(caller, 400_000).status_code == 201
    assert len(list(tmp_path.rglob(NAME))) == 1


def test_what_is_understood_of_tus(place: House) -> None:
    headers = place.app.test_client().options("/compressions/uploads").headers
    assert headers["Tus-Version"] == "1.0.0"
    assert headers["Tus-Extension"] == "creation,termination,expiration"
    other = begin(place.enter("a@example.org"), 5, Tus_Resumable="0.2.2")
    assert (other.status_code, other.headers["Tus-Version"]) == (412, "1.0.0")
    assert begin(place.nobody(), 5).headers["Tus-Resumable"] == "1.0.0"


def test_an_item_of_an_allowed_source_becomes_an_archive(archives: Path, tmp_path: Path) -> None:
    files, served = tmp_path / "files", tmp_path / "served"
    files.mkdir()
    served.mkdir()
    with serving_api(Api(files)) as api:
        name = "S2A_32TMT_20240501_0_L2A"
        write_bands(api.files, f"{name}-")
        api.add(name, "2024-05-01T10:00:00Z", "2024-05-01T20:00:00Z")
        api.items[0]["assets"]["elsewhere"] = {"href": "http://169.254.169.254/latest"}
        api.items[0]["assets"]["broken"] = {"href": "http://["}
        root = f"http://127.0.0.1:{api.port}"
        made = house(
            served, tmp_path, compressions=True, scan_seconds=0.0,
        jobs=tmp_path / "jobs", uploads=tmp_path / "uploads",
            compression_sources=f"{root}/api, {root}/files",
        )  # fmt: skip
        scenes = made.app.extensions["comeo"].scenes

        def ordered(**order: Any) -> Any:
            body = CompressionOrder.model_validate({"item": address, "quality": QUICK, "person": 1, **order})
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            run(scenes, body, folder / "half", Silent())
            scenes.catalog.refresh(force=True)
            return json.loads((folder / "half").read_text())

        address = f"{api.url}/collections/sentinel-2-l2a/items/{name}"
        assert ordered()["collection"] == "sentinel-2-l2a"
        assert ordered()["item"] == name  # there already
        with pytest.raises(ConflictError, match=r"there is an item .* already"):
            ordered(quality={"codec": "dct", "step": 90})
        api.items[0]["assets"] = {"B04": {"href": "http://169.254.169.254/B04.tif"}}
        with pytest.raises(ForbiddenError, match=r"no asset of .* COMEO_COMPRESSION_SOURCES"):
            ordered(id="other")
        order = {"item": "http://169.254.169.254/item.json"}
        refused = made.enter("a@example.org").send("POST", "/compressions", order)
        assert (refused.status_code, "COMEO_COMPRESSION_SOURCES" in told(refused)["detail"]) == (403, True)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.org/v1x/i", "https://a.org/", "http://a.org/v1/i", "https://a.org:8443/v1/i",
        "https://a.org.evil/v1/i", "https://a.org/v1/../x", "https://a.org/v1/%2e%2e/x", "file:///v1/i",
        "https://x@a.org/v1/i", "https://a.org/v1/i#x", "https://a.org\\@b/v1/i",
        "https://a.org/v1/..%2fx", "https://a.org/v1/..%5Cx", "https://a.org/v1/..;/x", "https://a.org/v1/%252e%252e/x",
    ],
)  # fmt: skip
def test_addresses_that_only_look_allowed_are_refused(url: str) -> None:
    settings = Settings.model_validate({"compression_sources": ("https://a.org/v1",)})
    check_source(settings, "https://A.org/v1/i?x=1")
    with pytest.raises(RequestError):
        check_source(settings, url)


def test_it_is_off_by_default_and_needs_people(archives: Path, tmp_path: Path) -> None:
    made = house(archives, tmp_path)
    assert made.enter("a@example.org").send("POST", "/compressions", {}).status_code in (404, 405)
    with pytest.raises(SettingsError, match="COMEO_DATABASE"):
        create_app(Settings.model_validate({"paths": (archives,), "compressions": True}))
    with pytest.raises(SettingsError, match="COMPRESSION_SOURCES"):
        Settings.from_environment({"COMEO_COMPRESSION_SOURCES": "file:///etc"})
