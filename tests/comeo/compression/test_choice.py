"""Which model a scene is coded with, and that its archive says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the learned codec needs the extra `cpu` or `gpu`")

from comeo.archive import open_archive
from comeo.codecs.learned import find_model, models
from comeo.codecs.learned.model import DEFAULT
from comeo.compression import compress
from comeo.compression.choice import codec_for
from comeo.missions import MISSIONS, SENTINEL1
from comeo.scene import BandGroup
from tests.comeo.codecs.blocks import backscatter
from tests.scenes import array_group, array_scene, landscape


def radar(bands: int, mission: str = "sentinel-1") -> BandGroup:
    names = ["VV", "VH", "HH", "HV", "L"][:bands]
    group = array_group(backscatter(bands, 64, 80), names=names)
    return replace(group, bands=tuple(replace(band, mission=mission) for band in group.bands))


def test_missions_name_models_that_there_are() -> None:
    named = [mission.default_model for mission in MISSIONS.values() if mission.default_model]
    assert set(named) <= set(models())
    assert len(named) == len(set(named)) == 2


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("mission", ["sentinel-1", ""])
def test_backscatter_takes_the_model_of_radar(bands: int, mission: str) -> None:
    scene = array_scene(radar(bands, mission))
    assert codec_for(scene, "learned").model_digest == models()[SENTINEL1.default_model].digest
    assert codec_for(scene, "dct").model_digest is None


def test_other_scenes_and_mixed_ones_take_the_codecs_own() -> None:
    optical = array_group(landscape(3, 64, 80))
    for scene in (array_scene(optical), array_scene(optical, replace(radar(2), name="r10m_db"))):
        assert codec_for(scene, "learned").model_digest == models()[DEFAULT].digest


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_archives_name_it_and_decode_to_what_was_coded(tmp_path: Path, bands: int) -> None:
    group = radar(bands)
    path = compress(array_scene(group), tmp_path / "radar.zarr.zip", step=2.0)
    with open_archive(path) as archive:
        model = find_model(archive.model or "")
        assert model is not None
        assert model.name == SENTINEL1.default_model
        level = archive.groups["r10m"].levels[0]
        (block,) = archive.decode_blocks(level, [(0, 0)])
    original = backscatter(bands, 64, 80)
    assert block is not None
    assert np.sqrt(np.square(block - original).mean()) < 1.2
