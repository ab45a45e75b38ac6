"""Archives are read in a process of their own: whatever one does to it, the others are served."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.comeo.archive.rewriting import change_document, put
from tests.comeo.test_crs import bound
from tests.tileserver.catalog import misbehaving
from tests.tileserver.conftest import Server
from tests.watchdog import no_hanging  # noqa: F401 - a fixture
from tileserver import Settings
from tileserver.catalog import SqliteCatalog
from tileserver.catalog.reading import READER, ArchiveReaderProcess
from tileserver.catalog.scan import find_archives
from tileserver.errors import BusyError
from tileserver.render.scenes import Scenes

pytestmark = pytest.mark.usefixtures("no_hanging")
GROUP = "r10m/zarr.json"


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ArchiveReaderProcess]:
    """A process that misbehaves: see `misbehaving`."""
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv("COMEO_TEST_PIPE", str(tmp_path / "pipe"))
    monkeypatch.setattr("tileserver.catalog.reading.CHILD", misbehaving.__name__)
    process = ArchiveReaderProcess()
    yield process
    process.close()


def put_bound_crs(path: Path, file: str) -> None:
    """Make an archive's CRS one that names a file."""

    def change(document: Any) -> Any:
        document["attributes"].pop("proj:code", None)
        return put("attributes", "proj:wkt2", value=bound(file))(document)

    change_document(path, GROUP, change)


def test_archives_that_name_files_are_refused_and_the_others_served(
    server: Server, own_archives: Path, tmp_path: Path
) -> None:
    client = server(own_archives)
    os.mkfifo(tmp_path / "pipe")
    for name, file in (("terminal", "/dev/ptmx"), ("pipe", str(tmp_path / "pipe"))):
        copy = tmp_path / f"{name}.zarr.zip"
        shutil.copy(own_archives / "old.zarr.zip", copy)
        put_bound_crs(copy, file)
        copy.rename(own_archives / copy.name)
    answer = client.get("/readyz")
    ready = json.loads(answer.data)
    assert (answer.status_code, ready["archives"]) == (200, 5)
    assert set(ready["broken"]) == {"terminal.zarr.zip", "pipe.zarr.zip"}
    assert all("BOUNDCRS" in reason for reason in ready["broken"].values())
    assert client.get("/healthz").status_code == 200
    assert client.get("/collections/optical/items/middle/preview.png").status_code == 200


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hang", "longer than"), ("cpu", "processor time"), ("memory", "memory"),
        ("crash", "ended the process"), ("leave", "ended the process"),
    ],
)  # fmt: skip
def test_what_a_hostile_archive_does_is_bounded(
    reader: ArchiveReaderProcess, archives: Path, tmp_path: Path, name: str, reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if name != "hang":  # so that the clock of this machine, which others use, does not come first
        monkeypatch.setenv("COMEO_TEST_SECONDS", "600")
        monkeypatch.setattr("tileserver.catalog.reading.SECONDS", 600)
    good = str(archives / "old.zarr.zip")
    bad = str(tmp_path / f"{name}.zarr.zip")
    found = list(reader.read([good, bad, good, bad, good]))
    assert [one.row is not None for one in found] == [True, False, True, False, True]
    assert f"{name}.zarr.zip" in found[1].error
    assert reason in found[1].error
    assert found[0] == found[2] == found[4]


def test_a_process_without_work_ends_and_another_one_is_started(
    reader: ArchiveReaderProcess, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMEO_TEST_IDLE", "1")
    paths = [str(archives / "old.zarr.zip")] * 3
    for _ in range(3):
        assert all(one.row for one in reader.read(paths))
    with_rest = reader.read(paths)
    next(with_rest)
    with_rest.close()  # the other answers are nobody's
    assert reader.digest(paths[0]) is not None


@pytest.mark.parametrize("name", ["hang", "idle"])
def test_it_ends_with_the_process_that_started_it(
    reader: ArchiveReaderProcess, archives: Path, tmp_path: Path, name: str
) -> None:
    """Killed, a server can tell nobody; and PROJ, waiting for a file, listens to nobody."""
    path = tmp_path / "hang.zarr.zip" if name == "hang" else archives / "old.zarr.zip"
    program = (
        "import time; from tileserver.catalog import reading;"
        "reading.CHILD = 'tests.tileserver.catalog.misbehaving';"
        f"reading.SECONDS = 3600; list(reading.READER.read([{str(path)!r}])); time.sleep(3600)"
    )
    told = tmp_path / "pid"
    environment = {**os.environ, misbehaving.TELL: str(told), "COMEO_TEST_SECONDS": "3600"}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as parent:
        while not told.exists() or not told.read_text():
            time.sleep(0.01)
        time.sleep(0.2)
        child = int(told.read_text())
        parent.send_signal(signal.SIGKILL)
    for _ in range(3000):
        if not _runs(child):
            break
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_refused_bytes_are_not_read_again(
    own_archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    do_read = READER.read

    def note(paths: Any) -> Any:
        read.extend(Path(path).name for path in paths)
        return do_read(paths)

    bad = own_archives / "bad.zarr.zip"
    shutil.copy(own_archives / "old.zarr.zip", bad)
    put_bound_crs(bad, "/dev/ptmx")
    monkeypatch.setattr(READER, "read", note)
    catalog = SqliteCatalog([own_archives], tmp_path / "catalog.sqlite", 0)
    catalog.refresh(force=True)  # however slow the machine
    assert catalog.count() == 5
    assert read.count("bad.zarr.zip") == 1
    read.clear()
    shutil.copytree(own_archives, tmp_path / "copy")  # not the archive's fault, but the catalogue's test
    os.utime(bad)
    assert list(catalog.broken()) == ["bad.zarr.zip"]
    bad.rename(own_archives / "other.zarr.zip")
    assert "other.zarr.zip" in catalog.broken()["other.zarr.zip"]
    assert "BOUNDCRS" in catalog.broken()["other.zarr.zip"]
    catalog.close()
    os.utime(own_archives / "other.zarr.zip")
    again = SqliteCatalog([own_archives], tmp_path / "catalog.sqlite", 0)
    assert list(again.broken()) == ["other.zarr.zip"]
    assert read == []
    size = (own_archives / "other.zarr.zip").stat().st_size
    (own_archives / "other.zarr.zip").write_bytes(bytes(size))  # other bytes of that size are read
    assert list(again.broken()) == ["other.zarr.zip"]
    assert read == ["other.zarr.zip"]


def test_an_archive_that_was_replaced_is_not_read_by_the_server(
    own_archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = SqliteCatalog([own_archives], tmp_path / "catalog.sqlite", 0)
    record = catalog.get("optical", "old")
    assert record is not None
    put_bound_crs(own_archives / "old.zarr.zip", "/dev/ptmx")
    monkeypatch.setattr("comeo.archive.reader.Archive", pytest.fail)
    with pytest.raises(BusyError), Scenes.open(Settings(workers=1), catalog).lease(record):
        pass


def test_folders_are_remembered_by_their_metadata(own_archives: Path, tmp_path: Path) -> None:
    from comeo.compression import compress
    from tests.tileserver.conftest import optical_scene

    compress(optical_scene("folder", 3), own_archives / "folder.zarr", step=20.0)
    document = own_archives / "folder.zarr" / GROUP
    document.write_text(document.read_text().replace('"proj:code":"EPSG:32632"', '"proj:code":"EPSG:1"'))
    catalog = SqliteCatalog([own_archives], tmp_path / "catalog.sqlite", 0)
    assert list(catalog.broken()) == ["folder.zarr"]
    assert READER.digest(str(own_archives / "folder.zarr"))
    assert len(find_archives([own_archives])) == 6


def test_a_server_with_many_open_files_reads_on(archives: Path) -> None:
    with contextlib.ExitStack() as left:
        for _ in range(1100):  # more than select() can name
            left.callback(os.close, os.dup(0))
        process = ArchiveReaderProcess()
        left.callback(process.close)
        paths = list(find_archives((archives,)))
        assert all(one.row for one in process.read(paths))


def test_the_process_that_reads_archives_begins_with_little() -> None:
    """It is started whenever there is something to read; what decodes pixels takes a second to load."""
    heavy = {"numba", "pandas", "rio_tiler", "xarray"}
    loaded = "{name for name, module in sys.modules.items() if module}"
    script = f"import sys, tileserver.catalog.child; print({heavy} & {loaded} or '')"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == ""


def test_a_process_that_is_kept_ready_reads_what_comes_next(own_archives: Path) -> None:
    reader = ArchiveReaderProcess()
    try:
        reader.keep_ready()
        process = reader._process
        assert process is not None
        (reading,) = reader.read([str(next(own_archives.glob("*.zarr.zip")))])
        assert reading.row is not None
        assert reader._process is process
        with reader._turn:  # somebody reads for long: nobody waits for that
            reader.keep_ready()
    finally:
        reader.close()
