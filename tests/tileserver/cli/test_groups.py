"""The command's option about groups that are predicted from finer ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from click.testing import CliRunner

from comeo.scene import BandGroup, Window
from tests.comeo.archive.pairs import pair_of_groups
from tileserver.cli.main import cli


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of GeoTIFFs: three bands at 10 m, two at 20 m."""
    folder = tmp_path_factory.mktemp("source") / "S2A_T32TMT_20200501"
    folder.mkdir()
    for group in pair_of_groups(300, 280, masked=False):
        write_bands(group, folder)
    return folder


def write_bands(group: BandGroup, folder: Path) -> None:
    values = group.read(Window(0, 0, group.height, group.width)).values
    for band, plane in zip(group.bands, values, strict=True):
        with rasterio.open(
            folder / f"T32TMT_20200501T103021_{band.name}.tif", "w", driver="GTiff", dtype="uint16", count=1,
            height=group.height, width=group.width, crs=group.crs, transform=group.transform,
        ) as target:  # fmt: skip
            target.write(plane, 1)


def comeo(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("apart", [False, True])
def test_info_says_what_is_predicted(source: Path, tmp_path: Path, apart: bool) -> None:
    path = tmp_path / "a.zarr.zip"
    option = ["--independent-groups"] if apart else []
    comeo("compress", source, "-o", path, "--codec", "dct", "--step", 60, "--offset", 0, *option)
    lines = {line[:4]: line for line in comeo("info", path).splitlines()}
    assert lines["r20m"].endswith("levels [0]" if apart else "levels [0], predicted from r10m")
    assert lines["r10m"].endswith("levels [0]")
