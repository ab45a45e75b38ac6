"""What is believed of where a request comes from: what the settings name, and nothing else."""

from __future__ import annotations

import os
import re
import ssl
from typing import TYPE_CHECKING
from urllib.parse import quote

from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix

from tileserver.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_STANDARD_PORTS = {"http": ":80", "https": ":443"}
# Wider than Werkzeug, which answers others with no host at all: networks of containers have names with `_`.
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PREFIX = re.compile(r"|(/[^/\\\x00-\x1f]+)+/?")


def root_address(environ: WSGIEnvironment) -> str:
    """Where the client of a request reaches this server, without a slash at the end.

    Raises:
        BadRequest: If its Host, or the prefix that a proxy has told, cannot be one: links made of it would be
            wrong, and kept by whoever caches them.
    """
    scheme = environ["wsgi.url_scheme"]
    host = environ.get("HTTP_HOST")
    if host is None:  # of HTTP/1.0
        name = environ["SERVER_NAME"]
        host = f"[{name}]:{environ['SERVER_PORT']}" if ":" in name else f"{name}:{environ['SERVER_PORT']}"
    prefix = environ.get("SCRIPT_NAME", "")
    if not (_HOST.fullmatch(host) and _PREFIX.fullmatch(prefix)):
        raise BadRequest("the request's Host (or the proxy's prefix) is not valid; name the server it is for")
    host = host.removesuffix(_STANDARD_PORTS.get(scheme, ""))
    return f"{scheme}://{host}{quote(prefix.encode('latin-1'), safe='/%')}".rstrip("/")


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
