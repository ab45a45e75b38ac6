"""The application factory."""

from __future__ import annotations

import atexit
import logging
import os
import time
from types import ModuleType
from typing import cast

from flask import Flask, Response, g, request
from flask_openapi3.models.info import Info
from flask_openapi3.models.server import Server
from flask_openapi3.openapi import OpenAPI

from comeo.codecs.decoder import decoder_in_use
from comeo.settings import SettingsError, current
from tileserver import metrics
from tileserver.api import changes, operations
from tileserver.api.kml import routes as kml
from tileserver.api.ogc import routes as ogc
from tileserver.api.pof import hyperlooks, importing, publishing
from tileserver.api.pof import routes as pof
from tileserver.api.scenes import (
    archive,
    certificates,
    clear,
    collections,
    extracts,
    items,
    jobs,
    legends,
    series,
    statistics,
)
from tileserver.api.stac import routes as stac
from tileserver.api.viewer import routes as viewer
from tileserver.api.wmts import routes as wmts
from tileserver.catalog import open_catalog, placed
from tileserver.catalog.finding import check_bucket
from tileserver.http import addresses, compression, documents, problems, sharing
from tileserver.http.bodies import StrictJson
from tileserver.http.context import EXTENSION, State, scenes
from tileserver.http.forwarded import trust
from tileserver.jobs.queue import Jobs
from tileserver.pages import templates_folder
from tileserver.relay.indexing.index import bucket_index
from tileserver.render.fingerprint import SOFTWARE_VERSION
from tileserver.render.observations import check_file
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.temporary import Lifeline, temporary_folder

log = logging.getLogger(__name__)
EXPOSED = (
    "ETag, Location, Content-Range, Accept-Ranges, Content-Disposition, Server-Timing, Retry-After, "
    "Comeo-Codec, Comeo-Model, Comeo-Ratio, Comeo-Expected-RMSE, Comeo-Clouds, Comeo-Damaged, "
    "Comeo-Estimated-Bytes, Comeo-Next, Comeo-Completeness"
)
# The star is for all but Authorization, which clients send to a proxy before this server.
ALLOWED = "Content-Type, If-None-Match, If-Match, If-Range, Range, Authorization, *"
DESCRIPTION = (
    "Sentinel-1 and Sentinel-2 scenes, compressed a hundredfold and decoded on the fly. "
    "Parameters carry TiTiler's names; errors are application/problem+json."
)


def create_app(settings: Settings | None = None) -> OpenAPI:
    """Make the Flask application. Logging and threads of the process stay as they are: see `cli.gunicorn`.

    Args:
        settings: By default those of the environment.

    Raises:
        SettingsError: If a setting of the environment has a value that is not allowed, or a path is missing.
        ComeoError: If the catalogue cannot be opened, or blocks cannot be decoded as the environment says.
    """
    settings = settings or Settings.from_environment()
    _check(settings)
    app = OpenAPI(
        "tileserver",
        info=Info(title="COMEO tile server", version=SOFTWARE_VERSION, description=DESCRIPTION),
        servers=[Server(url=settings.public_url or "/")],
        doc_ui=False,
        static_folder=None,
        template_folder=str(templates_folder()),
        validation_error_callback=problems.invalid_parameters,
        validation_error_model=documents.Problem,
    )
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json = StrictJson(app)
    app.json.sort_keys = False
    app.json.compact = True
    settings = placed(settings)
    catalog = open_catalog(settings, metrics.count_archives, index=bucket_index(settings))
    catalog.refresh(force=True)
    catalog.close()
    app.extensions[EXTENSION] = State.open(Scenes.open(settings, catalog), _jobs(settings))
    modules = (
        viewer, stac, archive, collections, series, statistics, items, certificates, clear, extracts, kml,
        jobs, legends, wmts, ogc, pof, publishing, importing, hyperlooks, changes, operations,
    )  # fmt: skip
    for module in (
        *modules,
        *(_geoservices(settings) if settings.database else ()),
        *(_relay(settings) if settings.relay else ()),
        *(_relay_status(settings) if settings.relay_definition else ()),
        *(_compressions(settings) if settings.compressions else ()),
    ):
        app.register_api(module.api)
    documents.register(app)
    problems.register(app)
    if settings.relay_definition:
        _watch(app, settings)
    app.before_request(_start_timer)
    app.before_request(addresses.checker(lambda: app.api_doc))
    app.after_request(_add_headers_and_log)
    app.after_request(compression.compress)  # the last one runs first: bytes are counted as sent
    app.wsgi_app = addresses.TidyAddresses(app.wsgi_app, documents.PREFIX)  # type: ignore[method-assign]
    routes = (rule.rule for rule in app.url_map.iter_rules())
    metrics.prepare(
        routes, Settings.model_fields, 2 * settings.workers
    )  # twice: while processes are replaced
    app.wsgi_app = trust(app.wsgi_app, settings)  # type: ignore[assignment, method-assign]
    return app


def _check(settings: Settings) -> None:
    """Refuse at the start, whatever WSGI server there is, what would else fail with the first tile.

    Raises:
        ComeoError: See `create_app`.
    """
    for path in settings.paths:
        if not path.exists():
            raise SettingsError(f"{path} does not exist; name folders of archives, or archives (COMEO_PATHS)")
    for place in settings.buckets if settings.bucket_index == "listing" else ():
        check_bucket(place)
    if settings.observations is not None:
        check_file(settings.observations)
    if settings.oidc_issuer and not settings.oidc_client_id:
        raise SettingsError("the provider knows this server by an id; set it (COMEO_OIDC_CLIENT_ID)")
    if current() != settings.codecs:
        raise SettingsError(
            f"codecs run with {current()} here, and the server's settings say {settings.codecs}: "
            "call comeo.settings.configure(settings.codecs) first"
        )
    decoder_in_use()


def _geoservices(settings: Settings) -> tuple[ModuleType, ...]:
    """Routes of geoservices, whose libraries are an extra; another one is OpenID Connect."""
    from tileserver.api.geoservices import (  # noqa: PLC0415
        account,
        alerts,
        audits,
        bulletins,
        failures,
        feeds,
        lifecycle,
        links,
        maps,
        people,
        previews,
        queue,
        relays,
        series,
        services,
        shares,
        sites,
    )
    from tileserver.api.viewer import follow  # noqa: PLC0415

    own = (
        follow, links, account, sites, services, lifecycle, series, maps, alerts, bulletins, feeds,
        people, previews, queue, relays, shares, audits, failures,
    )  # fmt: skip
    if settings.relays is not None:
        relays.read_relays(settings.relays)  # refused at the start if it cannot be read
    if not settings.oidc_issuer:
        return own
    from tileserver.api.geoservices import oidc  # noqa: PLC0415

    return (*own, oidc)


def _relay(settings: Settings) -> tuple[ModuleType, ...]:
    """Routes of an origin, whose library is an extra."""
    from tileserver.api.relay import routes, verification  # noqa: PLC0415
    from tileserver.relay.feed.origin import relay_folder  # noqa: PLC0415

    relay_folder(settings)  # refused at the start where there is none
    return routes, verification


def _relay_status(settings: Settings) -> tuple[ModuleType, ...]:
    """The route that says how a relay stands; its definition is refused at the start if it cannot be read."""
    from tileserver.api.relay import status  # noqa: PLC0415
    from tileserver.relay.keeping.serving import relay_of  # noqa: PLC0415

    relay_of(settings)
    return (status,)


def _watch(app: Flask, settings: Settings) -> None:
    """Have what people look at written down for the relay, where that fetches on demand."""
    from tileserver.http import looking  # noqa: PLC0415
    from tileserver.relay.keeping.serving import Watching  # noqa: PLC0415 - its libraries are an extra

    watching = Watching(settings)
    if watching.on_demand:
        looking.register(app, watching)


def _compressions(settings: Settings) -> tuple[ModuleType, ...]:
    """Routes of compressions that people order, if they may.

    Raises:
        SettingsError: If nobody can sign in, or there is no folder for the archives.
    """
    if not settings.database:
        raise SettingsError("compressions are for who is signed in; give a database too (COMEO_DATABASE)")
    _ = settings.compressions_folder
    from tileserver.api.compressions import orders, uploads  # noqa: PLC0415

    return orders, uploads


def scenes_of(app: Flask) -> Scenes:
    """Scenes that an application serves."""
    return cast("State", app.extensions[EXTENSION]).scenes


def _jobs(settings: Settings) -> Jobs:
    """Jobs in the folder of the settings, or in a temporary one that ends, with its jobs, with the server."""
    if settings.jobs is not None:
        return Jobs(settings.jobs, settings)
    jobs = Jobs(temporary_folder("jobs"), settings, Lifeline())
    owner = os.getpid()
    atexit.register(lambda: jobs.stop() if os.getpid() == owner else None)
    return jobs


def _start_timer() -> None:
    g.started = time.perf_counter()


def _add_headers_and_log(response: Response) -> Response:
    """Add headers that every answer has; count it, and log it if that is set: see `_counted`."""
    headers = response.headers
    headers.setdefault("Cache-Control", "no-cache")
    if g.get(sharing.BARE):
        return _counted(response)
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if sharing.shield(response):
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Access-Control-Expose-Headers"] = EXPOSED
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = headers.get("Allow", "GET, HEAD, OPTIONS")
        headers["Access-Control-Allow-Headers"] = ALLOWED
        headers["Access-Control-Max-Age"] = "86400"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    headers["Server-Timing"] = f"total;dur={1000 * seconds:.1f}"
    return _counted(response)


def _counted(response: Response) -> Response:
    """Count an answer, and log it if that is set."""
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = request.url_rule.rule if request.url_rule else "unmatched"
    size = response.content_length or 0
    metrics.count_request(route, request.method, response.status_code, seconds, size)
    if not scenes().settings.access_log:
        return response
    path = sharing.logged_path(request.full_path.rstrip("?"))
    fields = {
        "method": request.method, "path": path, "status": response.status_code,
        "bytes": size, "milliseconds": round(1000 * seconds, 1), "client": request.remote_addr,
    }  # fmt: skip
    log.info("request", extra={"fields": fields})
    return response
