"""`comeo extract` and the server answer one request with one raster: pixels, grid, bands and tags."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from flask.testing import FlaskClient
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from comeo.archive import open_archive
from comeo.view.resampling import RESAMPLINGS
from tests.tileserver.conftest import SIZE, Server, serving
from tests.tileserver.places import position
from tileserver.cli.main import cli

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
REQUESTS = 50
# Share of a scene's side that an area takes.
SHARES = (0.02, 0.1)


class Asked(NamedTuple):
    """A request: a scene, and the parameters that both ways understand."""

    archive: Path
    bbox: tuple[float, ...]
    polygon: dict[str, Any] | None
    parameters: dict[str, str]


class Raster(NamedTuple):
    """Everything that has to be equal."""

    values: NDArray[Any]
    mask: NDArray[Any]
    facts: tuple[Any, ...]
    tags: dict[str, str]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client of a server of the bundled samples."""
    return serving(SAMPLES, tmp_path_factory.mktemp("samples"))


@pytest.mark.parametrize("seed", range(REQUESTS))
def test_the_command_and_the_server_agree(samples: FlaskClient, tmp_path: Path, seed: int) -> None:
    asked = _random_request(random.Random(seed))
    _assert_equal(_by_command(asked, tmp_path), _by_server(samples, asked))


def test_coarser_bands_are_the_same_and_say_how_they_got_there(
    server: Server, archives: Path, tmp_path: Path
) -> None:
    """They were not: one way interpolated, the other took the nearest, and neither said so."""
    west, south = position(0.3, 0.6)
    east, north = position(0.6, 0.3)
    archive = archives / "middle.zarr.zip"
    client = server(archives)
    for resampling in (None, *RESAMPLINGS):
        given = {"resampling": resampling} if resampling else {}
        asked = Asked(archive, (west, south, east, north), None, {"bands": "B04,B11", **given})
        command = _by_command(asked, tmp_path)
        _assert_equal(command, _by_server(client, asked))
        assert command.tags["COMEO_RESAMPLING"] == (resampling or "nearest")
    assert command.values.shape[0] == 2
    assert max(command.values.shape) < SIZE


def test_pixels_of_one_resolution_are_not_resampled(server: Server, archives: Path, tmp_path: Path) -> None:
    west, south = position(0.3, 0.6)
    east, north = position(0.6, 0.3)
    asked = Asked(archives / "middle.zarr.zip", (west, south, east, north), None, {"bands": "B04,B08"})
    for raster in (_by_command(asked, tmp_path), _by_server(server(archives), asked)):
        assert "COMEO_RESAMPLING" not in raster.tags


def _random_request(chance: random.Random) -> Asked:
    several_groups = SAMPLES / "S2A_T32TMT_20190530_L2A.zarr.zip"
    archive = chance.choice([several_groups, several_groups, *sorted(SAMPLES.glob("*.zarr.zip"))])
    with open_archive(archive) as opened:
        west, south, east, north = opened.item["bbox"]
        bands = [band.name for group in opened.groups.values() for band in group.bands]
        codes = [*{group.crs.to_string() for group in opened.groups.values()}, "EPSG:3857", "EPSG:4326"]
    across, up = east - west, north - south
    # Corners of the box in degrees lie outside the scene where its rows lean.
    left, bottom = west + across * chance.uniform(0.15, 0.75), south + up * chance.uniform(0.15, 0.75)
    bbox = (left, bottom, left + across * chance.uniform(*SHARES), bottom + up * chance.uniform(*SHARES))
    parameters = {}
    if chance.random() < 0.3:
        first, second = chance.sample(bands, 2)
        parameters["expression"] = chance.choice(
            [f"({first}-{second})/({first}+{second})", f"{first};{second}*2", f"sqrt({second})+1"]
        )
    elif chance.random() < 0.85:
        parameters["bands"] = ",".join(chance.sample(bands, chance.randint(1, 3)))
    if chance.random() < 0.5:
        parameters["crs"] = chance.choice(codes)
    if chance.random() < 0.3:
        parameters["max_size"] = str(chance.randint(3, 60))
    if chance.random() < 0.5:
        parameters["resampling"] = chance.choice(RESAMPLINGS)
    return Asked(archive, bbox, _triangle(bbox) if chance.random() < 0.3 else None, parameters)


def _triangle(bbox: tuple[float, ...]) -> dict[str, Any]:
    west, south, east, north = bbox
    ring = [[west, south], [east, south], [(west + east) / 2, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _by_command(asked: Asked, folder: Path) -> Raster:
    output = folder / "command.tif"
    arguments = ["extract", str(asked.archive), "--output", str(output), "--force"]
    for name, value in asked.parameters.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    if asked.polygon:
        file = folder / "polygon.json"
        file.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": asked.polygon}))
        arguments += ["--polygon", str(file)]
    else:
        arguments += ["--bbox", *map(repr, asked.bbox)]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with rasterio.open(output) as dataset:
        return _read(dataset)


def _by_server(client: FlaskClient, asked: Asked) -> Raster:
    with open_archive(asked.archive) as opened:
        item = f"/collections/{opened.collection}/items/{opened.id}"
    query = {{"crs": "dst_crs"}.get(name, name): value for name, value in asked.parameters.items()}
    if asked.polygon:
        answer = client.post(f"{item}/feature.tif", query_string=query, json=asked.polygon)
    else:
        answer = client.get(f"{item}/bbox/{','.join(map(repr, asked.bbox))}.tif", query_string=query)
    assert answer.status_code == 200, answer.data
    with MemoryFile(answer.data) as memory, memory.open() as dataset:
        return _read(dataset)


def _read(dataset: Any) -> Raster:
    facts = (
        dataset.crs, dataset.transform, dataset.dtypes, dataset.nodata, dataset.descriptions, dataset.scales,
        dataset.offsets, dataset.units, dataset.colorinterp,
    )  # fmt: skip
    tags = {name: value for name, value in dataset.tags().items() if name.startswith("COMEO_")}
    return Raster(dataset.read(), dataset.dataset_mask(), tuple(map(repr, facts)), tags)


def _assert_equal(first: Raster, second: Raster) -> None:
    assert first.facts == second.facts
    assert first.tags == second.tags
    assert first.tags["COMEO_ARCHIVE"]
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.mask, second.mask)
