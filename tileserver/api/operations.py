"""For those who run the server: health and metrics."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, jsonify
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric

from tileserver import metrics
from tileserver.http.context import scenes

api = APIBlueprint("operations", __name__)
TAG = Tag(name="Operations", description="Health and metrics.")


@api.get("/healthz", tags=[TAG])
def healthz() -> Response:
    """Whether the process answers."""
    return jsonify({"status": "ok"})


@api.get("/readyz", tags=[TAG])
def readyz() -> Response:
    """Whether there is something to serve; which archives cannot be read, and why."""
    catalog = scenes().catalog
    catalog.check()
    broken = catalog.broken()
    served = catalog.count()
    ready = served > 0 or not broken
    response = jsonify({"status": "ready" if ready else "failing", "archives": served, "broken": broken})
    response.status_code = 200 if ready else 503
    response.headers["Cache-Control"] = "no-store"
    return response


@api.get("/metrics", tags=[TAG])
def prometheus() -> Response:
    """Metrics in Prometheus' text format."""
    response = Response(metrics.exposition(_followed()), content_type=CONTENT_TYPE_LATEST)
    response.headers["Cache-Control"] = "no-store"
    return response


def _followed() -> Sequence[Metric]:
    """Metrics of geoservices, where the server has any."""
    if scenes().settings.database is None:
        return ()
    from tileserver.http.database import database  # noqa: PLC0415 (an extra)
    from tileserver.store.counts import families  # noqa: PLC0415

    with database().reading() as connection:
        return list(families(connection))
