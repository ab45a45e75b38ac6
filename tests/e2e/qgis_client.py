"""Run by the Python that QGIS has, in a process of its own: adds a WMTS layer as a user does, and renders it.

The first argument is JSON: `uri` of the layer, `crs`, `extent` (left, bottom, right, top), `size` in
pixels, the `picture` to write and optionally a `point` to identify at. The answer is JSON in the last line
of the output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsRaster,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QSize


def render(layer: QgsRasterLayer, wanted: dict[str, Any]) -> list[str]:
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem(wanted["crs"]))
    settings.setExtent(QgsRectangle(*wanted["extent"]))
    settings.setOutputSize(QSize(*wanted["size"]))
    settings.setTransformContext(QgsProject.instance().transformContext())
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(wanted["picture"])
    return [error.message for error in job.errors()]


def identify(layer: QgsRasterLayer, wanted: dict[str, Any]) -> dict[str, str]:
    left, bottom, right, top = wanted["extent"]
    found = layer.dataProvider().identify(
        QgsPointXY(*wanted["point"]),
        QgsRaster.IdentifyFormatHtml,
        QgsRectangle(left, bottom, right, top),
        *wanted["size"],
    )
    return {str(key): str(value) for key, value in found.results().items()}


def main() -> None:
    wanted = json.loads(sys.argv[1])
    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsRasterLayer(wanted["uri"], "layer", "wms")
    answer = {"version": Qgis.QGIS_VERSION, "valid": layer.isValid()}
    if layer.isValid():
        extent = layer.extent()
        answer["extent"] = [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()]
        answer["crs"] = layer.crs().authid()
        answer["errors"] = render(layer, wanted)
        if "point" in wanted:
            answer["identified"] = identify(layer, wanted)
    print(json.dumps(answer), flush=True)
    application.exitQgis()


main()
