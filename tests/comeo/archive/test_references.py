"""What archives claim to be predicted from: levels of the same ground, or a sentence."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comeo.archive import open_archive
from comeo.errors import ArchiveError
from comeo.scene import Window
from tests.comeo.archive.rewriting import put, rewritten
from tools.format_vectors import FOLDER

PREDICTED = FOLDER / "dct_predicted.zarr.zip"
READER = FOLDER.parent / "reader" / "main.mjs"
ARRAY = "r20m/0/data/zarr.json"
REFERENCE = ("codecs", 0, "configuration", "codecs", 0, "configuration", "reference")


def dropped(document: Any) -> Any:
    node = document
    for part in REFERENCE[:-1]:
        node = node[part]
    del node[REFERENCE[-1]]
    return document


@pytest.mark.parametrize(
    ("key", "change", "sentence"),
    [
        (ARRAY, put(*REFERENCE, value="r60m/0/data"), "'r60m/0/data', which is no finer level"),
        (ARRAY, put(*REFERENCE, value="r20m/0/data"), "'r20m/0/data', which is no finer level"),
        (ARRAY, put(*REFERENCE, value=7), "7, which is no finer level"),
        ("r20m/zarr.json", put("attributes", "spatial:transform", 2, value=472_500), "no finer level"),
        ("r20m/zarr.json", put("attributes", "spatial:transform", 0, value=10), "no finer level"),
        ("r10m/zarr.json", put("attributes", "proj:code", value="EPSG:32633"), "no finer level"),
        (ARRAY, put("shape", 1, value=271), "no finer level"),
    ],
)
def test_what_is_no_reference_is_refused(
    tmp_path: Path, key: str, change: Callable[[Any], Any], sentence: str
) -> None:
    path = tmp_path / "a.zarr.zip"
    path.write_bytes(rewritten(PREDICTED.read_bytes(), key, change))
    with pytest.raises(ArchiveError, match=sentence):
        open_archive(path)
    assert refused_by_the_second_reader(path)


def test_a_predicted_block_of_a_level_without_reference_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr.zip"
    path.write_bytes(rewritten(PREDICTED.read_bytes(), ARRAY, dropped))
    with open_archive(path) as archive:
        level = archive.groups["r20m"].levels[0]
        with pytest.raises(ArchiveError, match=r"block \(0, 0\).*predicted from a finer group"):
            archive.read(level, Window(0, 0, level.height, level.width))
    assert refused_by_the_second_reader(path)


def refused_by_the_second_reader(path: Path) -> bool:
    node = shutil.which("node")
    if node is None:
        return True
    done = subprocess.run(
        [node, READER, "archive", path, path.with_suffix(".pixels")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode == 1 and bool(done.stderr.strip())
