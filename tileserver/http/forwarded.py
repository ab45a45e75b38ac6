"""What is believed of where a request comes from: what the settings name, and nothing else."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from tileserver.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def trust(app: WSGIApplication, settings: Settings) -> WSGIApplication:
    """Wrap an application: it believes each header of as many proxies as the setting of its name says.

    Args:
        app: To wrap.
        settings: Of the server.
    """
    fixed = ProxyFix(
        app, x_for=settings.proxy_for, x_proto=settings.proxy_proto, x_host=settings.proxy_host,
        x_prefix=settings.proxy_prefix,
    )  # fmt: skip

    def trusting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _undo(environ)
        return fixed(environ, start_response)

    return trusting


def _undo(environ: WSGIEnvironment) -> None:
    """Take back what gunicorn, as it is set up by default, has believed of clients on its own machine."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return
    environ["wsgi.url_scheme"] = "https" if isinstance(connection, ssl.SSLSocket) else "http"
    if "HTTP_SCRIPT_NAME" in environ:
        root = os.environ.get("SCRIPT_NAME", "")  # where an operator sets it
        path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        environ["SCRIPT_NAME"] = root
        environ["PATH_INFO"] = path.removeprefix(root)
