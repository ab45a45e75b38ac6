"""The benchmark of `comeo qualify`: what it says of certificates is measured apart from them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.qualify import check, kept, page
from comeo.compression import compress
from comeo.sources import open_source
from tests.tileserver.cli.test_qualify import comeo, write


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("qualify")
    source, figures = write(folder / "S2A_20200501_fields.tif"), folder / "q.json"
    scene = open_source(source)
    archive = compress(scene, folder / "a.zarr.zip", codec="dct", step=100)
    scene.close()
    done = comeo("qualify", archive, "--reference", source, "--no-lpips", "--json", figures)
    assert done.exit_code == 0, done.output
    return {
        "codec": "dct", "asked": 50, "compress_s": 1.0, "qualify_s": 2.0, "memory_gb": 0.5,
        **kept(json.loads(figures.read_text())), "certificate": check(archive, source),
    }  # fmt: skip


def test_a_certificate_is_held_against_the_source(measured: dict[str, Any]) -> None:
    found = measured["certificate"]
    assert 0 < found["share"] <= 0.01
    assert 0 < found["bands_off"] < 4e-4
    assert found["blocks"] == 3 * 4  # the fourth block of four bands has no valid pixel
    assert 1e-4 < found["blocks_off"] < 0.03


def test_tables_have_a_cell_for_every_heading(measured: dict[str, Any]) -> None:
    without: dict[str, Any] = {**measured, "codec": "jpeg2000", "certificate": None, "lpips": None}
    text = page([measured, without], "fields.tif")
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert [len(lines) for lines in tables] == [4, 4]
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1
    assert " | none | " in text


def test_a_missing_figure_is_a_dash(measured: dict[str, Any]) -> None:
    assert f" | {measured['spectral_angle']:.2f}° | – | " in page([measured], "fields.tif")
