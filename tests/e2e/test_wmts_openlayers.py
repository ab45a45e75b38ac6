"""OpenLayers in a real browser reads the capabilities and the OGC API's tilesets, and draws the scene."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.e2e import gis
from tests.e2e.conftest import STATIC

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

LIBRARY = STATIC / "node_modules" / "ol" / "dist" / "ol.js"
SIDE = 400
ZOOM = 14
DRAW = """
async ({server, kind, matrixSet, time, center, resolution, side}) => {
  document.body.innerHTML = `<div id="map" style="width:${side}px;height:${side}px"></div>`;
  let source;
  if (kind === "wmts") {
    const answer = await fetch(`${server}/wmts/1.0.0/WMTSCapabilities.xml`);
    const document = new ol.format.WMTSCapabilities().read(await answer.text());
    const options = ol.source.WMTS.optionsFromCapabilities(document, {
      layer: "gis", matrixSet, style: "true-color", crossOrigin: "anonymous",
    });
    if (time) options.dimensions.Time = time;
    window.encoding = options.requestEncoding;
    source = new ol.source.WMTS(options);
  } else {
    const url = `${server}/ogc/collections/gis/map/tiles/${matrixSet}`;
    source = new ol.source.OGCMapTile({url, crossOrigin: "anonymous"});
    await new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("no tileset within 20 s")), 20_000);
      const look = () => source.getState() === "ready" ? resolve()
        : source.getState() === "error" ? reject(source.getError()) : source.once("change", look);
      look();
    });
  }
  const failed = [];
  source.on("tileloaderror", (event) => failed.push(event.tile.src_));
  const map = new ol.Map({
    target: "map", controls: [], pixelRatio: 1,
    layers: [new ol.layer.Tile({source})],
    view: new ol.View({projection: source.getProjection(), center, resolution, constrainResolution: false}),
  });
  await new Promise((resolve, reject) => {
    map.once("rendercomplete", resolve);
    setTimeout(() => reject(new Error(`not drawn within 20 s; failed: ${failed}`)), 20_000);
  });
  const canvas = document.querySelector("#map canvas");
  return {picture: canvas.toDataURL("image/png"), failed, encoding: window.encoding};
}
"""


@pytest.fixture
def page(browser: Browser, gis_server: str) -> Iterator[Page]:
    """A page with OpenLayers. Any page of the server will do, once what it forbids to load is let pass."""
    if not LIBRARY.is_file():
        pytest.skip("OpenLayers is not installed: run `make install`")
    viewport: ViewportSize = {"width": 600, "height": 600}
    context = browser.new_context(viewport=viewport, device_scale_factor=1, bypass_csp=True)
    made = context.new_page()
    made.goto(f"{gis_server}/healthz")
    made.add_script_tag(path=str(LIBRARY))
    yield made
    context.close()


def drawn(page: Page, server: str, view: gis.View, **options: Any) -> NDArray[Any]:
    left, bottom, right, top = view.bounds
    found = page.evaluate(
        DRAW,
        {
            "server": server, "center": [(left + right) / 2, (bottom + top) / 2],
            "resolution": view.transform.a, "side": SIDE, "time": None, **options,
        },
    )  # fmt: skip
    assert found["failed"] == []
    picture = Image.open(io.BytesIO(base64.b64decode(found["picture"].split(",")[1]))).convert("RGB")
    return np.moveaxis(np.asarray(picture), -1, 0)


@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad"])
@pytest.mark.parametrize("kind", ["wmts", "ogc"])
def test_the_map_lies_where_the_scene_is(page: Page, gis_server: str, kind: str, tms: str) -> None:
    view = gis.View.of_matrix(tms, ZOOM if tms == "WebMercatorQuad" else 13, SIDE)
    picture = drawn(page, gis_server, view, kind=kind, matrixSet=tms)
    assert gis.shift(picture, gis.expected(gis.NEWEST, view)) < 0.5


@pytest.mark.parametrize("day", gis.DAYS)
def test_a_day_can_be_chosen(page: Page, gis_server: str, day: str) -> None:
    view = gis.View.of_matrix("WebMercatorQuad", ZOOM, SIDE)
    picture = drawn(page, gis_server, view, kind="wmts", matrixSet="WebMercatorQuad", time=day)
    assert gis.day_of(picture, view) == day
