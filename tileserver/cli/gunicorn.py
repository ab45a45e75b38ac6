"""Production: gunicorn with several processes, each with threads, one catalogue for all."""

from __future__ import annotations

import logging
import os
import socket
import struct
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from comeo.errors import ComeoError
from tileserver.logs import configure
from tileserver.settings import Settings
from tileserver.temporary import temporary_folder

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PATIENCE_SECONDS = 15
log = logging.getLogger(__name__)


class ServerApplication(BaseApplication):  # type: ignore[misc]
    """The tile server under gunicorn. The archives are indexed once, before the processes part.

    Args:
        settings: Of the server.
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
            "when_ready": _announce,
            "post_worker_init": _warm_up,
            "child_exit": _forget_process,
        }
        if os.path.isdir("/dev/shm"):  # noqa: S108, PTH112 - heartbeats belong in memory
            options["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the WSGI application."""
        from tileserver.app import create_app  # noqa: PLC0415 - after Prometheus' folder is set

        return create_app(self.settings)


def run(
    settings: Settings, *, host: str | None = None, port: int | None = None, workers: int | None = None
) -> None:
    """Serve until stopped.

    Args:
        settings: Of the server.
        host: Instead of the settings' own.
        port: Likewise.
        workers: Likewise.

    Raises:
        ComeoError: If the address can't be had.
    """
    given = {"host": host, "port": port, "workers": workers}
    settings = settings.model_copy(update={key: value for key, value in given.items() if value is not None})
    configure()
    _check_address(settings.host, settings.port)
    if settings.workers > 1 and not os.environ.get(MULTIPROCESS_VARIABLE):
        os.environ[MULTIPROCESS_VARIABLE] = str(temporary_folder("comeo-metrics-"))
    ServerApplication(settings).run()


def _check_address(host: str, port: int) -> None:
    """Say at once what gunicorn would say after five attempts."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ComeoError(
            f"can't listen on {host}:{port} ({error.strerror or error}); choose another with --host or --port"
        ) from error


def _announce(arbiter: Any) -> None:
    patience = struct.pack("@ll", PATIENCE_SECONDS, 0)
    for listener in arbiter.LISTENERS:
        # Connections inherit it. gunicorn itself waits for ever in the middle of a request, holding a thread.
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        log.info("listening", extra={"fields": {"address": str(listener), "workers": arbiter.num_workers}})


def _warm_up(worker: Any) -> None:
    """Decode a block by each codec in use, so that compiling it is nobody's first tile."""
    from tileserver.http.context import EXTENSION  # noqa: PLC0415 - see `load`
    from tileserver.render.scenes import warm_up  # noqa: PLC0415

    warm_up(worker.wsgi.extensions[EXTENSION].scenes)


def _forget_process(_: Any, worker: Any) -> None:
    if os.environ.get(MULTIPROCESS_VARIABLE):
        from prometheus_client import multiprocess  # noqa: PLC0415 - see `load`

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
