"""Coding groups that are predicted from a finer one: in strips, at a ratio, or apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from affine import Affine

from comeo.archive import open_archive
from comeo.compression import compress
from comeo.compression.plan import plan
from comeo.progress import Silent
from comeo.scene import BandGroup, Pixels, Scene, Window
from tests.comeo.archive.pairs import COARSE, FINE, cropped_scene, pair_of_groups, pair_scene
from tests.scenes import array_group, array_scene, landscape


class Notes(Silent):
    """Keeps what is said, and the stages begun."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)

    def start(self, stage: str, total: int) -> None:
        self.stages.append(stage)


@pytest.mark.parametrize("codec", ["dct", "learned"])
def test_a_ratio_is_met_in_few_passes(codec: str, tmp_path: Path) -> None:
    scene, notes = pair_scene(760, 700, masked=False), Notes()
    path = compress(scene, tmp_path / "a.zarr.zip", codec=codec, ratio=40, progress=notes)
    assert scene.raw_bytes / path.stat().st_size == pytest.approx(40, rel=0.02)
    assert notes.stages.count("coding") <= 2


def test_groups_may_be_kept_apart(tmp_path: Path) -> None:
    scene, sizes = pair_scene(600, 520), {}
    for apart in (False, True):
        path = tmp_path / f"{apart}.zarr.zip"
        compress(scene, path, codec="dct", step=60.0, independent_groups=apart)
        sizes[apart] = path.stat().st_size
        with open_archive(path) as archive:
            groups = archive.info()["groups"]
            assert groups["r10m"]["predicted_from"] is None
            assert groups["r20m"]["predicted_from"] == (None if apart else "r10m")
    assert sizes[False] < 0.9 * sizes[True]


@pytest.mark.parametrize(
    "transform",
    [
        COARSE @ Affine.translation(0.25, 0),  # beside the finer pixels
        FINE @ Affine.scale(3),
        COARSE @ Affine.translation(4, 4),  # another corner
    ],
)
def test_groups_that_do_not_nest_are_coded_apart_and_it_is_said(transform: Affine, tmp_path: Path) -> None:
    fine, coarse = pair_of_groups(300, 280, transform=transform)
    notes = Notes()
    scene = array_scene(fine, coarse)
    path = compress(scene, tmp_path / "a.zarr.zip", codec="dct", step=60.0, progress=notes)
    said = [each for each in notes.said if "coded by itself" in each]
    assert said == [f"{coarse.name} is coded by itself: no group has pixels half as large that fit into it"]
    with open_archive(path) as archive:
        assert archive.groups[coarse.name].levels[0].reference is None
        level = archive.groups[coarse.name].levels[0]
        assert archive.read(level, Window(0, 0, level.height, level.width)).any()


def test_nothing_is_said_of_groups_that_nest_or_are_to_be_apart(tmp_path: Path) -> None:
    for apart, scene in ((False, pair_scene(300, 280)), (True, _apart())):
        notes = Notes()
        compress(
            scene, tmp_path / f"{apart}.zarr.zip", codec="dct", step=60.0, progress=notes,
            independent_groups=apart,
        )  # fmt: skip
        assert not [each for each in notes.said if "coded by itself" in each]


def _apart() -> Scene:
    return array_scene(*pair_of_groups(300, 280, transform=FINE @ Affine.scale(3)))


def test_only_a_group_that_stands_by_itself_is_predicted_from() -> None:
    """No chains: a block never needs more than one other group."""
    groups = [
        array_group(landscape(1, 512 >> k, 512 >> k), names=[f"B{k}"], transform=FINE @ Affine.scale(2**k))
        for k in range(3)
    ]
    found = [group.levels[0].reference for group in plan(array_scene(*groups), 1.0)]
    assert found[0] is None
    assert found[1] is not None
    assert found[1].group == "r10m"
    assert found[2] is None


@pytest.mark.parametrize(("top", "height"), [(0, 6200), (1, 6198)])
def test_strips_of_both_groups_follow_each_other(top: int, height: int, tmp_path: Path) -> None:
    """The finer group is never read further ahead than one strip, so neither is held as a whole."""
    reads: list[tuple[str, int]] = []
    scene = cropped_scene((top, height), (0, 40), masked=False)
    fine, coarse = (_watched(group, reads) for group in scene.groups)
    compress(array_scene(fine, coarse), tmp_path / "a.zarr.zip", codec="dct", step=60.0)
    strips = [each for each in reads if each[1] > 1]
    known, ahead = {"r10m": 0, "r20m": 0}, []
    for name, count in strips:
        known[name] += count
        ahead.append(known["r10m"] - 2 * known["r20m"])
    assert known == {"r10m": height, "r20m": 3100}
    assert max(ahead) <= 3 * 1024


def _watched(group: BandGroup, reads: list[tuple[str, int]]) -> BandGroup:
    def read(window: Window) -> Pixels:
        reads.append((group.name, window.height))
        return group.read(window)

    return replace(group, read=read)
