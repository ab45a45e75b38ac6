"""Radar in STAC: extensions are declared where what they require is known; collections sum them up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pystac
import pytest
from flask.testing import FlaskClient
from pystac.extensions.sar import Polarization, SarExtension
from pystac.extensions.sat import OrbitState, SatExtension

from comeo.compression import compress
from tests.scenes import array_group, array_scene
from tests.tileserver.api.stac.asking import get
from tests.tileserver.conftest import serving

REQUIRED = {"sar:instrument_mode", "sar:frequency_band", "sar:polarizations", "sar:product_type"}
"""Of an Item, by version 1.0.0 of the `sar` extension; version 1.3.0 requires nothing."""
WHOLE = {
    "platform": "sentinel-1a", "constellation": "sentinel-1", "instruments": ["c-sar"],
    "sar:instrument_mode": "IW", "sar:frequency_band": "C", "sar:polarizations": ["VV", "VH"],
    "sar:product_type": "GRD", "sat:orbit_state": "descending", "sat:relative_orbit": 22,
    "sat:absolute_orbit": 41070, "processing:software": {"Sentinel-1 IPF": "003.40"},
    "comeo:quantity": "gamma0", "comeo:dem": "glo30.vrt",
}  # fmt: skip
IN_PART = {"sar:frequency_band": "C", "sar:polarizations": ["VV", "VH"], "sat:relative_orbit": 117}


@pytest.fixture(scope="module")
def radar(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("radar")
    values = np.random.default_rng(0).normal(-10, 2, (2, 64, 64)).astype(np.float32)
    for name, properties in (("whole", WHOLE), ("in-part", IN_PART)):
        scene = array_scene(array_group(values, names=["VV", "VH"]), scene_id=name, collection="radar")
        scene = replace(scene, properties=properties)
        compress(scene, folder / f"{name}.zarr.zip", step=2, codec="dct")
    return serving(folder, folder.parent)


def of_radar(document: dict[str, Any]) -> list[str]:
    return [address for address in document["stac_extensions"] if address.split("/")[3] in ("sar", "sat")]


@pytest.mark.parametrize(("name", "version"), [("whole", "v1.0.0"), ("in-part", "v1.3.0")])
def test_items_declare_the_version_whose_requirements_they_meet(
    radar: FlaskClient, name: str, version: str
) -> None:
    item = get(radar, f"/stac/collections/radar/items/{name}")
    declared = {tuple(address.split("/")[3:5]) for address in of_radar(item)}
    assert declared == {("sar", version), ("sat", "v1.0.0")}
    assert (item["properties"].keys() >= REQUIRED) == (version == "v1.0.0")


def test_pystac_reads_what_a_product_says(radar: FlaskClient) -> None:
    item = pystac.Item.from_dict(get(radar, "/stac/collections/radar/items/whole"))
    sar, sat = SarExtension.ext(item), SatExtension.ext(item)
    assert (sar.instrument_mode, sar.product_type, sar.frequency_band.value) == ("IW", "GRD", "C")
    assert sar.polarizations == [Polarization.VV, Polarization.VH]
    assert (sat.orbit_state, sat.relative_orbit, sat.absolute_orbit) == (OrbitState.DESCENDING, 22, 41070)
    for name in ("comeo:quantity", "comeo:dem", "processing:software", "platform"):
        assert item.properties[name] == WHOLE[name]


def test_collections_sum_up_what_can_be_searched_for(radar: FlaskClient) -> None:
    document = get(radar, "/stac/collections/radar")
    summaries = document["summaries"]
    assert summaries["sat:relative_orbit"] == [22, 117]
    assert summaries["sat:orbit_state"] == ["descending"]
    assert summaries["sar:polarizations"] == ["VH", "VV"]
    assert (summaries["sar:instrument_mode"], summaries["sar:product_type"]) == (["IW"], ["GRD"])
    assert summaries["comeo:quantity"] == ["gamma0"]
    assert len(of_radar(document)) == 2
    summary = SarExtension.summaries(pystac.Collection.from_dict(document))
    assert summary.instrument_mode == ["IW"]


def test_a_collection_without_radar_declares_none_of_it(client: FlaskClient) -> None:
    assert of_radar(get(client, "/stac/collections/optical")) == []
    assert of_radar(get(client, "/stac/collections/optical/items/old")) == []
