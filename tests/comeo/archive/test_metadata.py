"""An archive's metadata: read without its codec, by one read, of versions that are known."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from affine import Affine

from comeo.archive import open_archive
from comeo.archive.stores.file import LocalFile
from comeo.compression import compress
from comeo.errors import ArchiveError
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import array_group, array_scene, landscape

SAMPLE = Path(__file__).parents[3] / "samples" / "S2_UTM37N_lake.zarr.zip"
HEAVY = ("numba", "scipy", "imagecodecs", "onnxruntime", "zarr", "zarr_cm", "xarray", "httpx2", "skimage")


def test_info_imports_no_codec() -> None:
    program = (
        "import sys\n"
        "from comeo.archive import open_archive\n"
        f"with open_archive({str(SAMPLE)!r}) as archive:\n"
        "    assert archive.info()['groups'] and archive.certificate\n"
        f"print([name for name in {HEAVY!r} if sys.modules.get(name)])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("version", [3, 99])
def test_a_version_to_come_is_refused_with_a_sentence(tmp_path: Path, version: int) -> None:
    """Whatever else has changed with it."""
    path = Path(shutil.copy(SAMPLE, tmp_path / "a.zarr.zip"))

    def later(root: Any) -> Any:
        root["attributes"] = {"comeo": {"format_version": version, "unheard": 1}}
        return root

    change_document(path, "zarr.json", later)
    with pytest.raises(ArchiveError, match=rf"a.zarr.zip: .*version {version} .* install a newer comeo"):
        open_archive(path)


@pytest.mark.parametrize("version", [0, -1, "2", 1.5, None, True])
def test_what_is_no_version_is_refused(tmp_path: Path, version: object) -> None:
    path = Path(shutil.copy(SAMPLE, tmp_path / "a.zarr.zip"))
    change_document(path, "zarr.json", put("attributes", "comeo", "format_version", value=version))
    with pytest.raises(ArchiveError, match="format_version"):
        open_archive(path)


def test_what_is_looked_at_first_stands_at_the_end(tmp_path: Path) -> None:
    """Native levels, then overviews, then metadata, the root's last."""
    fine, coarse = landscape(1, 2100, 64), landscape(1, 1050, 32, seed=1)
    wide = Affine(20, 0, 472_480, 0, -20, 5_257_490)
    groups = array_group(fine), array_group(coarse, names=["C"], transform=wide)
    path = compress(array_scene(*groups), tmp_path / "a.zarr.zip", codec="dct", step=50.0)
    with zipfile.ZipFile(path) as archive:
        keys = [info.filename for info in sorted(archive.infolist(), key=lambda info: info.header_offset)]
    assert keys[:3] == ["r10m/0/data/c/0/0/0", "r20m/0/data/c/0/0/0", "r10m/3/data/c/0/0/0"]
    assert all(key.endswith("zarr.json") for key in keys[3:])
    assert keys[-1] == "zarr.json"
    with open_archive(path) as written:
        assert written.format_version == written.info()["format_version"] == 2


def test_a_file_is_opened_by_one_read_of_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one of each header that lies before it."""
    reads: list[int] = []
    real = LocalFile._fetch

    def fetch(file: LocalFile, offset: int, length: int) -> bytes:
        reads.append(length)
        return real(file, offset, length)

    monkeypatch.setattr(LocalFile, "_fetch", fetch)
    with open_archive(SAMPLE):
        assert reads == [SAMPLE.stat().st_size]
