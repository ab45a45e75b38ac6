import os
import threading
import time
from pathlib import Path

import pytest

from tests.tileserver.ingest.products import archives, document, ingest, write_product
from tileserver.ingest.document import FolderSource, read_source
from tileserver.ingest.finding import Look
from tileserver.ingest.folder import FolderFinder


def found(folder: Path, text: str = "") -> tuple[list[str], bool]:
    source = read_source(document(folder, text))
    assert isinstance(source, FolderSource)
    look = Look()
    names = sorted(each.scene for each in FolderFinder(source).products(look))
    return names, look.complete


def test_what_is_a_product(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_product(folder / "one.tif")
    write_product(folder / "bands" / "B04.tif")
    write_product(folder / "2024" / "05" / "two.tif")  # is a folder of bands, by what is in it
    for name in (
        "S2A_X.SAFE/manifest.safe",
        "zipped.zip",
        "item.json",
        "notes.txt",
        ".hidden.tif",
        "half.tif.part",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert found(tmp_path) == (
        ["2024/05", "S2A_X.SAFE", "bands", "item.json", "one.tif", "zipped.zip"], True
    )  # fmt: skip
    assert found(tmp_path, 'match = ["*.SAFE", "*.zip"]')[0] == ["S2A_X.SAFE", "zipped.zip"]


def test_what_is_still_being_copied_is_left_until_it_is_still(tmp_path: Path) -> None:
    write_product(tmp_path / "in" / "copied.tif")
    assert found(tmp_path, "still_seconds = 30".replace("still", "#still")) == (["copied.tif"], True)
    path = document(tmp_path)
    path.write_text(path.read_text().replace("still_seconds = 0", "still_seconds = 30"))
    source = read_source(path)
    assert isinstance(source, FolderSource)
    os.utime(tmp_path / "in" / "copied.tif", (0, 0))  # as programs that copy set it
    look = Look()
    assert list(FolderFinder(source).products(look)) == []
    assert not look.complete


def test_files_under_an_unfinished_name_hold_a_product_back(tmp_path: Path) -> None:
    write_product(tmp_path / "in" / "S2A_X.SAFE" / "B04.tif")
    (tmp_path / "in" / "S2A_X.SAFE" / "B08.tif.part").write_bytes(b"x")
    assert found(tmp_path) == ([], False)


def test_a_product_that_grows_meanwhile_is_made_of_all_of_it(tmp_path: Path) -> None:
    whole = write_product(tmp_path / "whole.tif").read_bytes()
    path = document(tmp_path)
    path.write_text(path.read_text().replace("still_seconds = 0", "still_seconds = 0.6"))
    (tmp_path / "in").mkdir()
    growing = tmp_path / "in" / "S2A_32TMT_20200501_0_L2A.tif"

    def copy() -> None:
        with growing.open("wb") as file:
            for start in range(0, len(whole), len(whole) // 8):
                file.write(whole[start : start + len(whole) // 8])
                file.flush()
                time.sleep(0.1)

    thread = threading.Thread(target=copy)
    thread.start()
    while not growing.exists():
        time.sleep(0.01)
    journal = ingest(path)
    thread.join()
    assert archives(tmp_path) == [growing.stem]
    assert all(row.tries == 0 for row in journal.versions(journal.in_state(*journal.counts())[0]))


def test_what_was_left_unfinished_long_ago_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_product(tmp_path / "in" / "S2A_X.SAFE" / "B04.tif")
    (tmp_path / "in" / "S2A_X.SAFE" / "B08.tif.part").write_bytes(b"x")
    monkeypatch.setattr("tileserver.ingest.folder.ABANDONED_SECONDS", 0.0)
    assert found(tmp_path) == ([], True)


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_is_no_file_is_no_product(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "x.tif"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(tmp_path / "nowhere.tif")
    assert found(tmp_path) == ([], False)
