from pathlib import Path
from typing import Any

import pytest

from comeo.compression import compress
from tests.tileserver.conftest import Server, optical_scene
from tests.tileserver.ingest.products import QUICK, document, ingest, name_of

FINE = '[[quality]]\nname = "fine"\ncodec = "dct"\nstep = 20\ncollection = "fine"\n'


def alternates(client: Any, collection: str, item: str) -> list[str]:
    links = client.get(f"/stac/collections/{collection}/items/{item}").json["links"]
    return [link["href"].partition("/stac/")[2] for link in links if link["rel"] == "alternate"]


def test_qualities_lead_to_each_other_as_far_as_they_are_there(tmp_path: Path, server: Server) -> None:
    ingest(document(tmp_path, quality=QUICK + FINE, filled=1))
    client, name = server(tmp_path / "out"), name_of(0)
    assert alternates(client, "sentinel-2-l2a", name) == [f"collections/fine/items/{name}-fine"]
    assert alternates(client, "fine", f"{name}-fine") == [f"collections/sentinel-2-l2a/items/{name}"]
    next((tmp_path / "out").glob("*-fine.*")).unlink()
    assert alternates(client, "sentinel-2-l2a", name) == []


@pytest.mark.parametrize("stated", ["x", [1], [{}], [{"collection": 1, "id": "a"}], {"id": "a"}, None])
def test_whatever_an_archive_states_is_served(tmp_path: Path, server: Server, stated: Any) -> None:
    from dataclasses import replace

    scene = optical_scene("odd", 1)
    odd = replace(scene, properties={**scene.properties, "comeo:alternates": stated})
    compress(odd, tmp_path / "odd.zarr.zip", codec="dct", step=60)
    assert alternates(server(tmp_path), "optical", "odd") == []
