"""Indicators as styles: of a folder, by version, in languages, with masks and classes, and known by ETags."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from comeo.compression import compress
from comeo.indicators.catalogue import predefined
from comeo.indicators.problems import DocumentError
from tests.scenes import array_classes, array_group, array_scene, landscape, patchy
from tests.tileserver.conftest import FINE
from tileserver import Settings, create_app
from tileserver.render.documents import catalogue_of, install

ITEM = "/collections/fields/items/field"
OWN = """pof = 1
id = "greenness"
version = "{version}"
title = {{ en = "Greenness", fr = "Verdure" }}
[inputs.scene]
constellation = "sentinel-2"
bands = {{ red = "B04", nir = "B08" }}
{mask}
[value]
formula = "focal_mean(nd(nir, red), 2) * {factor}"
valid = "red > 0"
range = [-1, 1]
floor_uncertainty = 0.02
[[classes]]
to = 0.1
color = "#c0392b"
title = {{ en = "bare", fr = "nu" }}
[[classes]]
from = 0.1
to = 1
color = "#27ae60"
title = {{ en = "green", fr = "vert" }}
"""


def own(version: str = "1.0.0", factor: float = 1, mask: str = "") -> str:
    return OWN.format(version=version, factor=factor, mask=mask)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fields")
    values = landscape(4, 240, 240)
    group = array_group(values, names=["B02", "B03", "B04", "B08"], transform=FINE)
    scene = array_scene(group, scene_id="field", collection="fields", classes=array_classes(patchy(120, 120)))
    compress(scene, folder / "field.zarr.zip", step=2.0)
    return folder


@pytest.fixture
def served(archives: Path, tmp_path: Path) -> Iterator[Any]:
    def serve(**files: str) -> FlaskClient:
        for name, text in files.items():
            (tmp_path / f"{name}.toml").write_text(text)
        return create_app(Settings(paths=(archives,), pof=tmp_path)).test_client()

    yield serve
    install(predefined())


def values(client: FlaskClient, query: str, path: str = "preview.npy?max_size=240") -> np.ndarray[Any, Any]:
    answer = client.get(f"{ITEM}/{path}&{query}")
    assert answer.status_code == 200, answer.text
    value, mask = np.load(io.BytesIO(answer.data))
    return np.where(mask, value, np.nan)


def test_a_folders_documents_are_styles_by_id_and_version(served: Any) -> None:
    client = served(one=own(), two=own("1.2.0", 0.5))
    newest, old = (values(client, f"style={name}") for name in ("greenness", "greenness@1.0.0"))
    both = np.isfinite(newest) & np.isfinite(old)
    np.testing.assert_allclose(newest[both], old[both] * 0.5, atol=1e-6)
    assert both.mean() > 0.9
    np.testing.assert_array_equal(newest, values(client, "style=greenness@1.2.0"))
    answer = client.get(f"{ITEM}/preview.png?style=greenness@3.0.0")
    assert answer.status_code == 422
    assert "unknown" in answer.get_json()["detail"]


def test_an_etag_is_of_the_documents_content(served: Any) -> None:
    tile = f"{ITEM}/preview.png?style=greenness@1.0.0"
    first = served(one=own()).get(tile).headers["ETag"]
    assert served(one=own()).get(tile).headers["ETag"] == first
    assert served(one=own(factor=0.9)).get(tile).headers["ETag"] != first


def test_its_mask_hides_pixels_and_its_words_have_languages(served: Any) -> None:
    client = served(one=own(), two=own("2.0.0", mask='mask = { keep = ["land"], buffer_m = 100 }'))
    plain, masked = (values(client, f"style=greenness@{name}") for name in ("1.0.0", "2.0.0"))
    hidden = np.isnan(masked)
    assert 0 < hidden.sum() < hidden.size
    np.testing.assert_array_equal(masked[~hidden], plain[~hidden])
    styles = client.get(f"{ITEM}/info?lang=fr-FR").get_json()["styles"]
    found = next(each for each in styles if each["id"] == "greenness")
    assert found["title"] == "Verdure"
    assert [each["title"] for each in found["classes"]] == ["nu", "vert"]
    legends = [client.get(f"{ITEM}/styles/greenness/legend.png?lang={lang}").data for lang in ("fr", "en")]
    assert legends[0] != legends[1]


def test_classes_are_shown_in_their_colours(served: Any) -> None:
    client = served(one=own())
    shown = values(client, "style=greenness")
    picture = client.get(f"{ITEM}/preview.png?style=greenness&max_size=240&resampling=nearest")
    from PIL import Image

    colours = np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGBA"))
    for inside, colour in ((shown < 0.1, (0xC0, 0x39, 0x2B)), (shown >= 0.1, (0x27, 0xAE, 0x60))):
        assert (colours[inside][:, :3] == colour).all()
    assert (colours[np.isnan(shown)][:, 3] == 0).all()


def test_a_point_has_its_value_and_uncertainty(served: Any) -> None:
    client = served(one=own())
    west, south, east, north = client.get(f"{ITEM}/info").get_json()["bbox"]
    place = f"{(west + east) / 2},{(south + north) / 2}"
    (result,) = client.get(f"{ITEM}/point/{place}?style=greenness@1.0.0").get_json()["results"]
    assert result["expression"] == "greenness@1.0.0"
    assert -1 <= result["value"] <= 1
    assert 0.02 <= result["expected_error"] < 0.1


def test_a_folder_with_a_wrong_document_is_refused_at_the_start(served: Any) -> None:
    with pytest.raises(DocumentError, match=r"one.toml: .*did you mean nir"):
        served(one=own().replace("nd(nir", "nd(nr"))


def test_two_different_documents_of_one_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(own())
    (tmp_path / "b.toml").write_text(own(factor=2))
    with pytest.raises(DocumentError, match="two different"):
        catalogue_of(Settings(pof=tmp_path))
