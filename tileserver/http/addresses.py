"""Addresses as clients write them: slashes at the end, a second `?`, stray `&`, keys given twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from flask import request

from comeo.errors import RequestError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Known = Mapping[str, bool]
"""Parameters of an operation by name, and whether each is a list."""
# What begins a parameter in the wrong way: `?map=x?service=WMTS`, `??a=b`, `&amp;` copied out of XML. In a
# value a `?` is written %3F by whoever encodes values at all.
_SEPARATOR = re.compile(r"\?+(?=$|&|[A-Za-z][\w.:-]*=)|&amp;(?=[A-Za-z])")
_VARIABLE = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")
_METHODS = {"HEAD": "get"}
SLASHED: Final = "comeo.slashed"
"""In the environment of a request whose address had a slash at the end."""


class TidyAddresses:
    """Answers addresses with a slash at the end or odd separators as those without.

    Not by a redirect: a browser's preflight follows none.

    Args:
        app: The application.
        left: Paths that are left as they are, with all below: pages with relative links.
    """

    def __init__(self, app: WSGIApplication, left: str) -> None:
        self._app = app
        self._left = left

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """See WSGI."""
        path = environ.get("PATH_INFO", "")
        if path.endswith("/") and not f"{path}/".startswith(f"{self._left}/"):
            environ["PATH_INFO"] = path.rstrip("/") or "/"
            environ[SLASHED] = True
        if query := environ.get("QUERY_STRING"):
            environ["QUERY_STRING"] = tidy_query(query)
        return self._app(environ, start_response)


def tidy_query(query: str) -> str:
    """A query with one `&` between parameters, and none elsewhere."""
    return "&".join(part for part in _SEPARATOR.sub("&", query).split("&") if part)


def checker(document: Callable[[], Mapping[str, Any]]) -> Callable[[], None]:
    """A check of each request's parameters against an OpenAPI document.

    Args:
        document: Makes the document; called once, at the first request.

    Returns:
        Raises RequestError for a parameter that comes with different values and takes one, or whose name has
        another case than the one that is known: to leave one out would answer something else.
    """
    operations: dict[tuple[str, str], Known] = {}

    def check() -> None:
        if not request.args or request.url_rule is None:
            return
        if not operations:
            operations.update(_operations(document()))
        path = _VARIABLE.sub(r"{\1}", request.url_rule.rule)
        known = operations.get((path, _METHODS.get(request.method, request.method.lower())), {})
        if known:
            _check(known)

    return check


def _check(known: Known) -> None:
    for name, values in request.args.lists():
        if name in known:
            if not known[name] and len(set(values)) > 1:
                raise RequestError(f"{name} is given more than once, with different values; give it once")
        elif name.lower() in known:
            raise RequestError(f"there is no parameter {name[:40]}, but {name.lower()}: case matters")


def _operations(document: Mapping[str, Any]) -> dict[tuple[str, str], Known]:
    return {
        (path, method): {
            parameter["name"]: _is_list(parameter["schema"])
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _is_list(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" or any(_is_list(choice) for choice in schema.get("anyOf", ()))
