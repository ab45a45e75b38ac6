"""Clouds coded more coarsely: which pixels, what an archive says of it, and what readers make of that."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

import comeo
from comeo.archive import Archive, open_archive
from comeo.archive.clear import classes_under
from comeo.cache import array_cache
from comeo.compression import compress
from comeo.errors import ArchiveError, CodecError, SourceError
from comeo.grid import Grid
from comeo.missions.clear import CLOUD, SHADOW, THIN
from comeo.quality.clouds import CloudClasses
from comeo.quality.results import Qualification
from comeo.scene import Scene, Window
from comeo.view.propagation import error_layers, mean_errors
from comeo.view.reader import ArchiveReader
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import UTM32, array_classes, array_group, array_scene, landscape

ROWS, COLS = 192, 384  # of 10 m


def cloudy_scene(number: int = CLOUD) -> Scene:
    """10 and 20 m bands under a cloud on the left, whose class has some number, and classes at 20 m."""
    fine = landscape(3, ROWS, COLS, seed=2)
    fine[:, :, :180] = np.clip(fine[:, :, :180] * 2.0 + 3000, 1, 12000).astype(np.uint16)
    coarse = fine[:2].reshape(2, ROWS // 2, 2, COLS // 2, 2).mean(axis=(2, 4)).astype(np.uint16)
    classes = np.ones((ROWS // 2, COLS // 2), np.uint8)
    classes[:, :90] = number
    twenty = Affine(20, 0, 472_480, 0, -20, 5_257_490)
    return array_scene(
        array_group(fine, names=("B02", "B03", "B04")),
        array_group(coarse, names=("B11", "B12"), transform=twenty),
        classes=array_classes(classes),
    )


def errors_of(scene: Scene, archive: Archive, group: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Errors (bands, y, x) of a group, and where its clouds are."""
    source = scene.groups[group]
    window = Window(0, 0, source.height, source.width)
    level = archive.groups[source.name].levels[0]
    error = archive.read(level, window).astype(np.float64) - source.read(window).values
    cloud = np.zeros((source.height, source.width), bool)
    cloud[:, : 180 >> group] = True
    return error, cloud


def written(tmp_path: Path, name: str, **options: Any) -> Path:
    return compress(cloudy_scene(), tmp_path / f"{name}.zarr.zip", **{"codec": "dct", "step": 80, **options})


def rms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.square(values).mean(axis=-1)))


@pytest.mark.parametrize("codec", ["dct", "learned"])
def test_an_archive_says_what_its_clouds_lost_apart_from_its_ground(tmp_path: Path, codec: str) -> None:
    scene = cloudy_scene()
    with open_archive(written(tmp_path, "a", codec=codec, clouds="coarse")) as archive:
        facts, certificate = archive.clouds, archive.certificate
        assert facts is not None
        assert certificate is not None
        assert (facts.coding, facts.weight) == ("coarse", 1 / 16)
        assert facts.share == pytest.approx(100 * 90 / 192, abs=1e-3)
        assert archive.info()["clouds"] == facts.model_dump()
        assert archive.item["properties"]["comeo:clouds"] == "coarse"
        for number, (name, errors) in enumerate(certificate.groups.items()):
            error, cloud = errors_of(scene, archive, number)
            bands = [band.name for band in scene.groups[number].bands]
            np.testing.assert_allclose(errors.rmse, rms(error[:, ~cloud]), rtol=2e-3)
            np.testing.assert_allclose(errors.maximum, np.abs(error[:, ~cloud]).max(axis=1), rtol=2e-3)
            stated = np.array([facts.rmse[band] for band in bands], float)
            np.testing.assert_allclose(stated, rms(error[:, cloud]), rtol=1e-3)
            tops = np.abs(error[:, cloud]).max(axis=1)
            stated = np.array([facts.maximum[band] for band in bands], float)
            np.testing.assert_allclose(stated, tops, rtol=1e-3)
            assert (rms(error[:, cloud]) > 1.3 * rms(error[:, ~cloud])).all(), name


def test_ground_is_no_worse_and_the_archive_smaller(tmp_path: Path) -> None:
    scene, found = cloudy_scene(), {}
    for clouds in (None, "coarse"):
        path = written(tmp_path, str(clouds), clouds=clouds)
        with open_archive(path) as archive:
            error, cloud = errors_of(scene, archive, 0)
            found[clouds] = archive.archive_bytes, float(rms(error[:, ~cloud].ravel()))
    assert found["coarse"][0] < 0.9 * found[None][0]
    assert found["coarse"][1] < 1.02 * found[None][1]


def test_it_is_never_the_default(tmp_path: Path) -> None:
    with open_archive(written(tmp_path, "a")) as archive:
        assert archive.clouds is None
        assert archive.info()["clouds"] is None
        assert "comeo:clouds" not in archive.item["properties"]


@pytest.mark.parametrize("number", [SHADOW, THIN])
def test_thin_clouds_and_shadows_are_coded_as_the_ground(tmp_path: Path, number: int) -> None:
    scene, blocks = cloudy_scene(number), []
    for clouds in (None, "coarse"):
        path = compress(scene, tmp_path / f"{clouds}.zarr.zip", codec="dct", step=80, clouds=clouds)
        with open_archive(path) as archive:
            level = archive.groups["r10m"].levels[0]
            blocks.append([bytes(each or b"") for each in archive.payloads(level, [(0, 0), (0, 1)])])
            assert clouds is None or archive.clouds.rmse == dict.fromkeys(archive.clouds.rmse)  # type: ignore[union-attr]
    assert blocks[0] == blocks[1]


def test_a_ratio_is_that_of_the_whole_file_and_its_bytes_go_to_the_ground(tmp_path: Path) -> None:
    steps = []
    for clouds in (None, "coarse"):
        with open_archive(written(tmp_path, str(clouds), step=None, ratio=15, clouds=clouds)) as archive:
            assert archive.ratio == pytest.approx(15, rel=0.016)
            steps.append(archive.step)
    assert steps[1] < 0.97 * steps[0]


def test_what_cannot_be_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"give --clear scl .* --clear s2cloudless .* leave --clouds out"):
        written(tmp_path, "a", clouds="coarse", clear="none")
    with pytest.raises(CodecError, match="jpeg2000 codes clouds and ground alike; take learned or dct"):
        written(tmp_path, "a", clouds="coarse", codec="jpeg2000")
    with pytest.raises(SourceError, match="clouds is coarse or left out, not 'fine'"):
        written(tmp_path, "a", clouds="fine")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        (("clouds", "rmse", "B99"), 3.0, "they tell of other bands than there are"),
        (("clouds", "weight"), 0, "weight: Input should be greater than 0"),
        (("clouds", "rmse", "B02"), -1, "B02: Input should be greater than or equal to 0"),
        (("clouds", "coding"), "fine", "coding: Input should be 'coarse'"),
    ],
)
def test_what_an_archive_says_of_clouds_is_checked(
    tmp_path: Path, member: tuple[str, ...], value: Any, message: str
) -> None:
    path = compress(cloudy_scene(), tmp_path / "a.zarr.zip", codec="dct", step=200, clouds="coarse")
    change_document(path, "zarr.json", put("attributes", "comeo", *member, value=value))
    with open_archive(path) as archive:
        assert message in archive.damaged["clouds"]
        assert archive.clouds is None
        assert archive.certificate is None  # it would tell of the ground alone
        assert np.isnan(archive.means["r10m"]).all()


def test_facts_of_clouds_without_classes_count_as_damaged(tmp_path: Path) -> None:
    path = compress(cloudy_scene(), tmp_path / "a.zarr.zip", codec="dct", step=200, clouds="coarse")

    def without_classes(document: Any) -> Any:
        comeo = document["attributes"]["comeo"]
        shards = base64.b64decode(comeo["shards"])
        comeo |= {"clear": None, "shards": base64.b64encode(shards[:-4]).decode()}
        return document

    change_document(path, "zarr.json", without_classes)
    with open_archive(path) as archive:
        assert "no classes say where they are" in archive.damaged["clouds"]
        assert archive.clouds is None


def test_clouds_and_ground_are_not_judged_together_where_the_classes_are_damaged(tmp_path: Path) -> None:
    path = compress(cloudy_scene(), tmp_path / "a.zarr.zip", codec="dct", step=200, clouds="coarse")
    change_document(path, "zarr.json", put("attributes", "comeo", "clear", value={}))
    with open_archive(path) as archive, pytest.raises(ArchiveError, match="cloud is unknown"):
        CloudClasses.of(archive)


def test_a_scene_that_is_all_cloud_has_no_ground_to_tell_of(tmp_path: Path) -> None:
    scene = cloudy_scene()
    classes = array_classes(np.full((ROWS // 2, COLS // 2), CLOUD, np.uint8))
    path = tmp_path / "a.zarr.zip"
    compress(replace(scene, classes=classes), path, codec="dct", step=80, clouds="coarse")
    with open_archive(path) as archive:
        assert archive.clouds is not None
        assert archive.clouds.share == 100
        assert archive.certificate is not None
        assert np.isnan(archive.certificate.groups["r10m"].rmse).all()
        grid = archive.groups["r10m"].native_grid
        reader = ArchiveReader(archive, array_cache(1 << 26))
        everywhere = np.ones((grid.height, grid.width), bool)
        assert 0 < mean_errors(reader, ["B02"], everywhere, grid)[0] < archive.clouds.rmse["B02"]


def test_expected_errors_of_cloud_pixels_are_those_of_clouds(tmp_path: Path) -> None:
    with open_archive(written(tmp_path, "a", clouds="coarse")) as archive:
        reader = ArchiveReader(archive, array_cache(1 << 26))
        grid = archive.groups["r10m"].native_grid
        layers = error_layers(reader, grid, ["B02", "B12"])
        facts = archive.clouds
        assert facts is not None
        for row, band in enumerate(("B02", "B12")):
            assert (layers[row, :, :180] == np.float32(facts.rmse[band])).all()
            assert (layers[row, :, 180:] < 0.9 * np.float32(facts.rmse[band])).all()
        found = []
        for col, width in ((64, 16), (280, 16), (164, 32), (64, 32), (280, 32), (20, 128)):
            part = grid.part(Window(32, col, 128 if width == 128 else 32, width))
            found.append(float(mean_errors(reader, ["B02"], np.ones((part.height, width), bool), part)[0]))
    cloud, ground, both, more_cloud, more_ground, most_cloud = found
    assert both == pytest.approx(np.hypot(cloud / 2, ground / 2), rel=1e-5)
    assert more_cloud == pytest.approx(4 * more_ground, rel=1e-5)
    assert most_cloud == pytest.approx(more_cloud, rel=1e-5)


def test_a_qualification_tells_ground_and_clouds_apart(tmp_path: Path) -> None:
    scene = cloudy_scene()
    with open_archive(written(tmp_path, "a", clouds="coarse")) as archive:
        found = comeo.qualify(archive, scene, classifiers=False)
        assert isinstance(found, Qualification)
        for number, figures in enumerate(found.clouds):
            error, cloud = errors_of(scene, archive, number)
            ground = float(np.sqrt(np.square(error[:, ~cloud]).mean()))
            assert figures.ground_rmse == pytest.approx(ground, rel=1e-6)
            assert figures.ground_psnr == pytest.approx(20 * np.log10(1e4 / ground), abs=1e-6)
            assert figures.cloud_psnr < figures.ground_psnr
            assert figures.share == pytest.approx(180 / COLS)
        assert [each["group"] for each in found.figures()["clouds"]] == ["r10m", "r20m"]
    with open_archive(written(tmp_path, "b")) as archive:
        assert "clouds" not in comeo.qualify(archive, scene, classifiers=False).figures()


@pytest.mark.parametrize("shift", [0.0, -30.0, 1e6])
def test_classes_are_found_by_where_pixels_lie(shift: float) -> None:
    classes = np.arange(1, 7, dtype=np.uint8).reshape(2, 3)
    grid = Grid(UTM32, Affine(60, 0, 4e5, 0, -60, 5e6), 2, 3)
    found = classes_under(classes, grid, Affine(10, 0, 4e5 + shift, 0, -10, 5e6), Window(3, 6, 7, 8))
    for row in range(7):
        for col in range(8):
            x, y = shift + 10 * (col + 6.5), 10 * (row + 3.5)
            inside = 0 <= x < 180 and y < 120
            assert found[row, col] == (classes[int(y // 60), int(x // 60)] if inside else 0)
