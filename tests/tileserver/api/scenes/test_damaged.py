"""Of a scene a part is damaged that pixels do not need: pixels are shown, what needs the part says so."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comeo.archive import open_archive
from comeo.archive.clear_model import SHARD
from comeo.compression import compress
from tests.comeo.archive.rewriting import change_document, put
from tests.scenes import array_classes, array_group, array_scene, landscape, patchy
from tests.tileserver.conftest import FINE, SIZE, Server
from tests.tileserver.places import position
from tileserver.cli.main import cli

ITEM = "/collections/test/items/hurt"
TILE = "preview.tif?bands=B04"


def comeo(name: str, value: Any) -> Callable[[Path], None]:
    return lambda path: change_document(path, "zarr.json", put("attributes", "comeo", name, value=value))


def in_shard(path: Path) -> None:
    """Change a byte of the classes, so that checksums do not match any more."""
    content = bytearray(path.read_bytes())
    with open_archive(path) as archive:
        assert archive.clear is not None
        size = archive.clear.size
    content[content.index(SHARD.encode()) + len(SHARD) + size // 2 - 12] ^= 1
    path.write_bytes(content)


SPOILT = base64.b64encode(bytes(99)).decode()
CASES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "certificate": ("certificate", comeo("certificate", SPOILT)),
    "a certificate that is none": ("certificate", comeo("certificate", 7)),
    "percentiles": ("histograms", comeo("histograms", SPOILT)),
    "percentiles that are none": ("histograms", comeo("histograms", [1])),
    "factors of means": ("means", comeo("means", "AQ==")),
    "facts of classes": ("clear", comeo("clear", {"source": "<b>"})),
    "classes that are none": ("clear", comeo("clear", "SCL")),
    "metadata of classes": (
        "clear", lambda path: change_document(path, "clear/data/zarr.json", put("data_type", value="int8"))
    ),
    "a block of classes": ("clear", in_shard),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    group = array_group(landscape(2, SIZE, SIZE), names=["B04", "B08"], transform=FINE)
    scene = array_scene(group, scene_id="hurt", classes=array_classes(patchy(SIZE // 2, SIZE // 2)))
    return compress(scene, tmp_path_factory.mktemp("whole") / "hurt.zarr.zip", codec="dct", step=40.0)


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def hurt(request: pytest.FixtureRequest, whole: Path, tmp_path: Path) -> tuple[str, Path]:
    part: str
    part, spoil = request.param
    path = tmp_path / "hurt" / whole.name
    path.parent.mkdir()
    path.write_bytes(whole.read_bytes())
    spoil(path)
    return part, path


def detail(client: FlaskClient, url: str) -> str:
    answer = client.get(f"{ITEM}/{url}")
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    return str(answer.json["detail"])  # type: ignore[index]


def test_pixels_are_shown_and_what_needs_the_part_says_so(
    hurt: tuple[str, Path], whole: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    part, path = hurt
    with open_archive(path) as archive, open_archive(whole) as sound:
        level = archive.groups["r10m"].levels[0]
        assert archive.payload(level, 0, 0) == sound.payload(level, 0, 0)
    client = server(path.parent)
    assert any(part[:5] in str(record.__dict__.get("fields", "")) for record in caplog.records)
    info = client.get(f"{ITEM}/info").json
    assert info is not None
    assert list(info["damaged"]) == [part]
    assert info["damaged"][part].startswith("hurt.zarr.zip")
    answer = client.get(f"{ITEM}/{TILE}")
    assert answer.status_code == 200
    lon, lat = position(0.5, 0.5)
    point = client.get(f"{ITEM}/point/{lon},{lat}").json
    statistics = client.get(f"{ITEM}/statistics?bands=B04").json
    assert point is not None
    assert statistics is not None
    assert (point["bands"][0]["expected_error"] is None) == (part == "certificate")
    assert (statistics["B04"]["mean_uncertainty"] is None) == (part == "means")
    if part == "certificate":
        for url in ("certificate", "preview.png?style=error"):
            assert "damaged quality certificate" in detail(client, url)
    if part == "clear":
        for url in ("clear", "preview.png?style=clear", "preview.png?bands=B04&rescale=0,1&mask=clear"):
            assert "clear" in detail(client, url)
            assert "damaged" in detail(client, url)


def test_headers_and_tags_name_the_part(whole: Path, tmp_path: Path, server: Server) -> None:
    path = tmp_path / "one" / whole.name
    path.parent.mkdir()
    path.write_bytes(whole.read_bytes())
    tile = f"{ITEM}/tiles/WebMercatorQuad/14/8556/5723.png?bands=B04&rescale=0,3000"
    assert "Comeo-Damaged" not in server(path.parent).get(tile).headers
    comeo("certificate", SPOILT)(path)
    comeo("means", [])(path)
    answer = server(path.parent).get(tile)
    assert answer.headers["Comeo-Damaged"] == "certificate,means"
    assert "Comeo-Expected-RMSE" not in answer.headers


def test_the_command_names_every_part(hurt: tuple[str, Path]) -> None:
    from click.testing import CliRunner

    part, path = hurt
    result = CliRunner().invoke(cli, ["info", str(path)])
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.output.splitlines() if line.startswith("damaged"))
    assert "copy the archive again" in line
    assert part[:5] in line
