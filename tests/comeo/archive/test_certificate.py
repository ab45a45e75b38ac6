"""A certificate tells what was lost, as precisely as it says, in its share of the archive."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comeo.archive import Archive, open_archive
from comeo.archive import certificate as cert
from comeo.archive.certificate import DETAILS, GroupErrors, Layout
from comeo.compression import compress
from comeo.compression.measure import ErrorAccumulator, block_errors
from comeo.compression.plan import plan
from comeo.export.extract import extract
from comeo.scene import Pixels, Scene, Window
from comeo.sources import open_source
from tests.scenes import array_group, array_scene, corner_cut, landscape

STEP = 80.0
ONE_FIGURE = 2 ** (0.5 / 1024) - 1 + 1e-6
ONE_BLOCK = 0.05


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Two groups; in the fine one a swath's edge, blocks without a pixel, a saturated and an even one."""
    fine = landscape(3, 1100, 1300, 3)
    fine[:, :256, :256] = 65535
    fine[:, 256:512, :256] = 1234
    coarse = landscape(2, 300, 320, 4)
    valid = corner_cut(fine.shape)
    valid[2, 300:400, 300:400] = False
    groups = array_group(fine, valid), array_group(coarse, names=["B11", "B12"])
    return array_scene(groups[0], type(groups[1])(**_renamed(groups[1], "r20m")))


@pytest.fixture(scope="module")
def path(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its archive."""
    return compress(scene, tmp_path_factory.mktemp("archive") / "a.zarr.zip", codec="dct", step=300.0)


def _renamed(group: Any, name: str) -> dict[str, Any]:
    return {**{key: getattr(group, key) for key in group.__slots__}, "name": name}


@pytest.mark.parametrize(("codec", "step"), [("dct", 100.0), ("jpeg2000", 60.0)])
def test_it_equals_figures_recomputed_from_the_source(
    scene: Scene, tmp_path: Path, codec: str, step: float
) -> None:
    path = compress(scene, tmp_path / "a.zarr.zip", codec=codec, step=step)
    with open_archive(path) as archive:
        assert archive.certificate is not None
        assert archive.certificate.detail == DETAILS[0]
        for group in scene.groups:
            _compare(archive, group.name, *_errors(archive, scene, group.name))


def test_radar_in_decibels_has_one_too(tmp_path: Path) -> None:
    values = landscape(2, 600, 520, 5, np.float32)
    scene = array_scene(array_group(values, corner_cut(values.shape), names=["VV", "VH"]))
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", step=0.3)) as archive:
        _compare(archive, "r10m", *_errors(archive, scene, "r10m"))


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "wish"), [("dct", {"ratio": 100.0}), ("jpeg2000", {"step": 1220.0})])
def test_real_blocks_are_told_within_five_percent(
    shared_data: Path, tmp_path: Path, codec: str, wish: dict[str, float]
) -> None:
    scene = open_source(shared_data / "scenes/S2A_20190530_T32TMT_L2A_10bands.tif")
    with open_archive(compress(scene, tmp_path / "a.zarr.zip", codec=codec, **wish)) as archive:  # type: ignore[arg-type]
        assert archive.ratio == pytest.approx(100, rel=0.02 if "ratio" in wish else 0.1)
        assert archive.certificate is not None
        assert archive.certificate.detail == DETAILS[0]
        for group in scene.groups:
            _compare(archive, group.name, *_errors(archive, scene, group.name))


def _errors(archive: Archive, scene: Scene, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Errors of the archive's pixels, read as anybody would, and where they count."""
    group = next(group for group in scene.groups if group.name == name)
    window = Window(0, 0, group.height, group.width)
    original = group.read(window)
    decoded = archive.read(archive.groups[name].levels[0], window)
    return decoded.astype(np.float64) - original.values, original.valid


def _compare(archive: Archive, name: str, errors: NDArray[np.float64], valid: NDArray[np.bool_]) -> None:
    assert archive.certificate is not None
    told = archive.certificate.groups[name]
    for band in range(len(errors)):
        own = errors[band][valid[band]]
        rmse = np.sqrt(np.mean(own**2))
        assert told.rmse[band] == pytest.approx(rmse, rel=ONE_FIGURE)
        assert told.maximum[band] == pytest.approx(np.abs(own).max(), rel=ONE_FIGURE)
        assert told.bias[band] == pytest.approx(own.mean(), abs=4e-4 * rmse)
        _compare_blocks(told, band, errors[band], valid[band])
    shared = valid.all(axis=0)
    products = errors[:, shared] @ errors[:, shared].T
    scale = np.sqrt(np.outer(np.diag(products), np.diag(products)))
    assert told.correlation is not None
    np.testing.assert_allclose(told.correlation, products / scale, atol=0.005)


def _compare_blocks(
    told: GroupErrors, band: int, errors: NDArray[np.float64], valid: NDArray[np.bool_]
) -> None:
    assert told.block_rmse is not None
    assert told.block_maximum is not None
    assert told.block_bias is not None
    rows, cols = told.block_rmse.shape[1:]
    assert (rows, cols) == (-(-errors.shape[0] // 256), -(-errors.shape[1] // 256))
    for row in range(rows):
        for col in range(cols):
            place = np.s_[row * 256 : row * 256 + 256, col * 256 : col * 256 + 256]
            own = errors[place][valid[place]]
            cell = band, row, col
            if not own.size:
                assert np.isnan(
                    [told.block_rmse[cell], told.block_maximum[cell], told.block_bias[cell]]
                ).all()
                continue
            rmse, greatest = np.sqrt(np.mean(own**2)), np.abs(own).max()
            assert told.block_rmse[cell] == pytest.approx(rmse, rel=ONE_BLOCK, abs=1e-9)
            assert greatest * (1 - 1e-6) <= told.block_maximum[cell] <= greatest * 1.13
            assert told.block_bias[cell] == pytest.approx(own.mean(), abs=0.05 * rmse + 1e-9)


def test_it_takes_at_most_a_hundredth_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    """The smaller the archive, the less its certificate tells, down to nothing at all."""
    details = []
    for bands, height, step in ((4, 520, 12.0), (13, 300, 900.0), (12, 40, 1e5)):
        notes: list[str] = []
        scene = array_scene(array_group(landscape(bands, height, height)))
        path = compress(
            scene, tmp_path / "a.zarr.zip", codec="dct", step=step, force=True, progress=_Notes(notes)
        )
        with open_archive(path) as archive:
            text = archive._comeo.certificate
            assert len(text or "") <= 0.01 * archive.archive_bytes
            details.append(archive.certificate.detail if archive.certificate else None)
            assert bool(notes) == (details[-1] != DETAILS[0])
            if archive.certificate and not archive.certificate.by_block:
                group = archive.certificate.groups["r10m"]
                grid = archive.groups["r10m"].levels[0].grid
                np.testing.assert_allclose(group.expected(*grid)[:, -1, -1], group.rmse, rtol=1e-6)
    assert details == [DETAILS[0], 0, None]


def test_a_smaller_archive_is_told_less_of() -> None:
    scene = array_scene(array_group(landscape(4, 1500, 1500)))
    tally = ErrorAccumulator(plan(scene, STEP), STEP)
    rng = np.random.default_rng(0)
    for row, col in np.ndindex(6, 6):
        original = Pixels(rng.integers(1, 9, (4, 16, 16), np.uint16), np.ones((4, 16, 16), bool))
        tally.add("r10m", row, col, block_errors(original, original.values + np.uint16(row + col)), b"")
    details, sizes = [], np.geomspace(1e6, 100, 200)
    for size in sizes:
        found = tally.certificate(int(size))
        details.append(-1 if found is None else found[1])
        assert found is None or len(found[0]) < 0.01 * size
    assert list(dict.fromkeys(details)) == [*DETAILS, -1]


class _Notes:
    def __init__(self, notes: list[str]) -> None:
        self.note = notes.append

    def start(self, stage: str, total: int) -> None: ...
    def advance(self) -> None: ...


figures = st.one_of(st.just(0.0), st.floats(1e-3, 6e4))


@given(st.data(), st.sampled_from(DETAILS))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(data: st.DataObject, detail: int) -> None:
    layouts = [Layout("a", 2, 2, 3), Layout("b", 1, 1, 1)]
    errors = {}
    for layout in layouts:
        shape = (layout.bands, layout.rows, layout.cols)
        rmse = np.array(data.draw(st.lists(figures, min_size=layout.cells, max_size=layout.cells)))
        blocks = rmse.reshape(shape).astype(np.float32)
        share = data.draw(st.floats(-1, 1))
        scene = blocks.max(axis=(1, 2)).astype(np.float64)
        errors[layout.name] = GroupErrors(
            scene, scene * 3, scene * share, np.eye(layout.bands), blocks, blocks * 5, blocks * share
        )
    read = cert.decode(cert.encode(errors, layouts, STEP, detail), layouts, STEP)
    assert read.detail == detail
    for layout in layouts:
        told, true = read.groups[layout.name], errors[layout.name]
        np.testing.assert_allclose(told.rmse, true.rmse, rtol=ONE_FIGURE)
        np.testing.assert_allclose(told.bias, true.bias, atol=4e-4 * true.rmse.max())
        single = layout.rows * layout.cols == 1
        assert (told.block_rmse is None) == (not detail & cert.BLOCK_RMSE and not single)
        if told.block_rmse is not None and true.block_rmse is not None:
            atol = 1e-6 * float(true.block_rmse.max())
            np.testing.assert_allclose(told.block_rmse, true.block_rmse, rtol=0.03, atol=atol)


def test_a_perfect_copy_has_no_error(tmp_path: Path) -> None:
    values = np.full((2, 300, 300), 4321, np.uint16)
    with open_archive(
        compress(array_scene(array_group(values)), tmp_path / "a.zarr.zip", codec="dct", step=1.0)
    ) as archive:
        facts = archive.info()["certificate"]["groups"]["r10m"]
        assert facts["bands"]["B01"] == {"rmse": 0.0, "maximum": 0.0, "bias": 0.0, "psnr": None}
        assert facts["psnr"] is None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_read_as_finite_numbers(data: bytes) -> None:
    layouts = [Layout("a", 3, 2, 2)]
    try:
        read = cert.decode(base64.b64encode(data).decode(), layouts, STEP)
    except ValueError:
        return
    for array in (read.groups["a"].rmse, read.groups["a"].maximum, read.groups["a"].expected(2, 2)):
        assert not np.isinf(array).any()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: "no Base64!", "Base64"),
        (lambda _: "", "version"),
        (lambda _: base64.b64encode(b"\xff" * 90).decode(), "version"),
        (lambda data: base64.b64encode(data[:9]).decode(), "shorter"),
        (lambda data: base64.b64encode(data[:-9]).decode(), "as many blocks"),
        (lambda data: base64.b64encode(data + b"more").decode(), "as many blocks"),
        (lambda data: base64.b64encode(data[:25] + b"\xff" * 40).decode(), "inflated|as many|shorter"),
        (lambda _: 7, "valid string"),
        (lambda _: "A" * (5 << 19), "at most"),
    ],
)  # fmt: skip
def test_a_hostile_certificate_counts_as_unknown(
    path: Path, tmp_path: Path, spoil: Callable[[bytes], object], message: str
) -> None:
    spoilt = tmp_path / "b.zarr.zip"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(spoilt, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename == "zarr.json":
                root = json.loads(data)
                attribute = root["attributes"]["comeo"]
                attribute["certificate"] = spoil(base64.b64decode(attribute["certificate"]))
                data = json.dumps(root).encode()
            target.writestr(info.filename, data)
    with open_archive(spoilt) as archive:
        assert archive.info()["certificate"] is None
        assert re.search(message, archive.damaged["certificate"])
        assert archive.read(archive.groups["r10m"].levels[0], Window(0, 0, 8, 8)).any()


def test_extracts_tell_it_in_a_tag(path: Path, tmp_path: Path) -> None:
    with open_archive(path) as archive:
        extract(archive, tmp_path / "a.tif", bands=["B01"])
        assert archive.certificate is not None
        rmse = archive.certificate.groups["r10m"].rmse
    with rasterio.open(tmp_path / "a.tif") as dataset:
        told = dict(part.split("=") for part in dataset.tags()["COMEO_EXPECTED_RMSE"].split(","))
    assert list(told) == ["B01"]
    assert float(told["B01"]) == pytest.approx(rmse[0], rel=1e-3)


def test_archives_without_one_still_open(scene: Scene, tmp_path: Path) -> None:
    path = compress(scene, tmp_path / "a.zarr", step=300.0)
    root = json.loads((path / "zarr.json").read_text())
    del root["attributes"]["comeo"]["certificate"]
    (path / "zarr.json").write_text(json.dumps(root))
    with open_archive(path) as archive:
        assert archive.certificate is None
        assert archive.info()["certificate"] is None
    shutil.rmtree(path)


def test_a_claim_of_very_many_blocks_costs_nothing() -> None:
    layouts = [Layout("a", 64, 1 << 10, 1 << 10)]
    text = base64.b64encode(bytes([1 << 4 | 3]) + bytes(64 * 6 + 64 * 63 // 2 + 100)).decode()
    with pytest.raises(ValueError, match="more than"):
        cert.decode(text, layouts, STEP)
