"""Production: gunicorn with several processes, each with threads, one catalogue for all."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits

from comeo.codecs.decoder import decoder_in_use
from comeo.errors import ComeoError
from comeo.settings import configure as configure_codecs
from tileserver import metrics
from tileserver.logs import configure
from tileserver.settings import Settings
from tileserver.temporary import end_with_parent

if TYPE_CHECKING:
    from flask import Flask

    from tileserver.render.scenes import Scenes

ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - compared with, not listened on
MAPPED_BYTES = 4 << 20
"""Arrays from here on are mappings of their own, which go back to the system when they are freed."""
KEPT_BYTES = 16 << 20
"""Free memory at the end of a heap (one a thread) that is kept; a cold tile needs about 6 MB."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's <malloc.h>
log = logging.getLogger(__name__)


class ServerApplication(BaseApplication):  # type: ignore[misc]
    """The tile server under gunicorn. The archives are indexed once, before the processes part.

    Args:
        settings: Of the server; `log_format` is set.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn up."""
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        own = {"bind": f"{host}:{settings.port}", "when_ready": partial(_announce, settings)}
        for name, value in {**options(settings), **own}.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the WSGI application."""
        from tileserver.app import create_app  # noqa: PLC0415 - a quick start for the command's other uses

        return create_app(self.settings)


def options(settings: Settings) -> dict[str, Any]:
    """Options of gunicorn, by their names there, for all but where to listen.

    Args:
        settings: Of the server.
    """
    chosen: dict[str, Any] = {
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_class": "tileserver.connections.worker.Worker",
        "preload_app": True,
        "timeout": 120,
        "graceful_timeout": 15,
        "keepalive": 75,
        "control_socket_disable": True,
        "limit_request_line": 8190,
        "loglevel": "warning",
        "errorlog": "-",
        # gunicorn would take scheme and path from headers of any client on this machine, and so of those
        # whose headers a proxy passes on. What is trusted the application's settings say.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "when_ready": _close_catalogue,
        "pre_fork": _assign_row,
        "post_fork": _begin_worker,
        "post_worker_init": _prepare_worker,
        "child_exit": _forget_worker,
    }
    if os.path.isdir("/dev/shm"):  # noqa: S108, PTH112 - heartbeats belong in memory
        chosen["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
    return chosen


def _close_catalogue(arbiter: Any) -> None:
    """Close the catalogue before the processes part."""
    _scenes(arbiter.app).catalog.close()


def _announce(settings: Settings, arbiter: Any) -> None:
    """Say that the server listens: to a person with the address, to a program as an event."""
    catalog = _scenes(arbiter.app).catalog
    count, broken = catalog.count(), catalog.broken()
    odd = [one.oddity for one in catalog.collections() if one.oddity]
    _close_catalogue(arbiter)
    address = str(arbiter.LISTENERS[0])
    decoder = decoder_in_use()
    if settings.log_format == "text":
        notes = [*odd, *([decoder.slow] if decoder.slow else [])]
        click.echo(greeting(settings.public_url or address, count, broken, notes), err=True)
        return
    fields: dict[str, Any] = {"address": address, "workers": arbiter.num_workers, "scenes": count}
    fields |= {"broken": len(broken), "decoder": decoder.words}
    log.info("listening", extra={"fields": fields})


def _assign_row(_arbiter: Any, worker: Any) -> None:
    """Choose, before the process begins, where it counts."""
    worker.metrics_row = metrics.TABLE.assign_row()


def _begin_worker(_arbiter: Any, worker: Any) -> None:
    """Begin a process: it ends with the server, however that ends."""
    end_with_parent(worker.ppid)
    metrics.TABLE.use_row(worker.metrics_row)


def _prepare_worker(worker: Any) -> None:
    """Set up a process that answers requests.

    Requests run in threads, which threads of BLAS would only hinder. A block is decoded by each codec in
    use, so that no client waits for kernels to be compiled. That goes on in a thread: a signal that ends the
    process waits for it, since a compiler that an exception interrupts leaves halves of modules behind.
    """
    from tileserver.render.scenes import warm_up  # noqa: PLC0415 - see `load`

    threadpool_limits(1, user_api="blas")
    _keep_memory()
    with ThreadPoolExecutor(1) as own:
        own.submit(warm_up, _scenes(worker.app)).result()


def _keep_memory() -> None:
    """Let the C library keep what one tile has freed for the next.

    glibc gives memory back to the system as soon as some 2 MB at the end of a heap are free, as they are
    after each tile, and the system hands it out again page by page, zeroed: a fifth of the processor time of
    cold tiles. Larger arrays, of extracts, still go back at once. Other C libraries do as they like.
    """
    with contextlib.suppress(AttributeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_MMAP_THRESHOLD, MAPPED_BYTES)
        set_option(_TRIM_THRESHOLD, KEPT_BYTES)


def _forget_worker(_arbiter: Any, worker: Any) -> None:
    metrics.TABLE.release_row(worker.metrics_row)


def _scenes(application: BaseApplication) -> Scenes:
    from tileserver.app import scenes_of  # noqa: PLC0415 - see `load`

    return scenes_of(application.wsgi())


def run(settings: Settings) -> None:
    """Serve until stopped.

    Raises:
        ComeoError: If the server cannot listen on the address.
    """
    log_format = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    settings = settings.model_copy(update={"log_format": log_format})
    configure(log_format)
    configure_codecs(settings.codecs)
    _check_address(settings.host, settings.port)
    ServerApplication(settings).run()


def greeting(address: str, scenes: int, broken: Mapping[str, str], notes: Sequence[str] = ()) -> str:
    """Text for a person at a terminal: where the map is, what is on it, and how to stop.

    Args:
        address: Of the server.
        scenes: How many are served.
        broken: Reasons by names of archives that cannot be read.
        notes: Sentences, no full stops: scenes that differ from most of their collection, a slow decoder.
    """
    for anywhere in ANYWHERE:
        address = address.replace(f"//{anywhere}", "//localhost")
    shown = f"{scenes} scene{'' if scenes == 1 else 's'}" if scenes else "no scenes yet"
    lines = [f"The map is at {address.rstrip('/')}/ with {shown}."]
    if broken:
        lines.append(f"{len(broken)} archive{'' if len(broken) == 1 else 's'} cannot be read:")
        lines += [f"  {name}: {reason}" for name, reason in broken.items()]
    elif not scenes:
        lines.append("Archives that `comeo compress` writes into the folder will appear by themselves.")
    lines += [f"{sentence}." for sentence in notes]
    lines.append("Press Ctrl+C to stop.")
    return "\n".join(lines)


def _check_address(host: str, port: int) -> None:
    """Say at once what gunicorn would say after five attempts."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ComeoError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); "
            "choose another address with --host or --port"
        ) from error
