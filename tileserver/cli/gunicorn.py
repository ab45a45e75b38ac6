"""Production: gunicorn with several processes, each with threads, one catalogue for all."""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits

from comeo.errors import ComeoError
from comeo.settings import configure as configure_codecs
from tileserver.logs import configure
from tileserver.settings import Settings
from tileserver.temporary import temporary_folder

if TYPE_CHECKING:
    from flask import Flask

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PATIENCE_SECONDS = 15
ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - compared with, not listened on
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
        options: dict[str, Any] = {
            "bind": f"{host}:{settings.port}",
            "workers": settings.workers,
            "threads": settings.threads,
            "worker_class": "gthread",
            "preload_app": True,
            "timeout": 120,
            "graceful_timeout": 15,
            "keepalive": 75,
            "control_socket_disable": True,
            "limit_request_line": 8190,
            "loglevel": "warning",
            "errorlog": "-",
            "when_ready": self._announce,
            "post_worker_init": self._prepare_worker,
            "child_exit": _forget_process,
        }
        if os.path.isdir("/dev/shm"):  # noqa: S108, PTH112 - heartbeats belong in memory
            options["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the WSGI application."""
        from tileserver.app import create_app, scenes_of  # noqa: PLC0415 - after Prometheus' folder is set

        app = create_app(self.settings)
        self._scenes = scenes_of(app)
        return app

    def _announce(self, arbiter: Any) -> None:
        """Say that the server listens: to a person with the address, to a program as an event."""
        patience = struct.pack("@ll", PATIENCE_SECONDS, 0)
        for listener in arbiter.LISTENERS:
            # Connections inherit it. In the middle of a request gunicorn's threads would wait for ever.
            listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        catalog = self._scenes.catalog
        count, broken = catalog.count(), catalog.broken()
        odd = [one.oddity for one in catalog.collections() if one.oddity]
        catalog.close()  # before the processes part
        address = str(arbiter.LISTENERS[0])
        if self.settings.log_format == "text":
            click.echo(greeting(self.settings.public_url or address, count, broken, odd), err=True)
            return
        fields = {
            "address": address, "workers": arbiter.num_workers, "scenes": count, "broken": len(broken)
        }  # fmt: skip
        log.info("listening", extra={"fields": fields})

    def _prepare_worker(self, _worker: Any) -> None:
        """Set up a process that answers requests.

        Requests run in threads, which threads of BLAS would only hinder. A block is decoded by each codec in
        use, so that no client waits for kernels to be compiled.
        """
        from tileserver.render.scenes import warm_up  # noqa: PLC0415 - see `load`

        threadpool_limits(1, user_api="blas")
        warm_up(self._scenes)


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
    if settings.workers > 1 and not os.environ.get(MULTIPROCESS_VARIABLE):
        os.environ[MULTIPROCESS_VARIABLE] = str(temporary_folder("comeo-metrics-"))
    ServerApplication(settings).run()


def greeting(address: str, scenes: int, broken: Mapping[str, str], odd: Sequence[str] = ()) -> str:
    """Text for a person at a terminal: where the map is, what is on it, and how to stop.

    Args:
        address: Of the server.
        scenes: How many are served.
        broken: Reasons by names of archives that cannot be read.
        odd: Sentences that name scenes which differ from most of their collection.
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
    lines += [f"{sentence}." for sentence in odd]
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


def _forget_process(_: Any, worker: Any) -> None:
    if os.environ.get(MULTIPROCESS_VARIABLE):
        from prometheus_client import multiprocess  # noqa: PLC0415 - see `load`

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
