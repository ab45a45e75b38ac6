"""Small documents, and small parts of large files, over http(s)."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from comeo.errors import SourceError

_TIMEOUT_S: Final = 30


def fetch(url: str, max_bytes: int) -> bytes:
    """Fetch a document.

    Raises:
        SourceError: If it cannot be fetched, or is larger than allowed.
    """
    _, content = _get(url, {"Accept": "application/geo+json, application/json"}, max_bytes + 1)
    if len(content) > max_bytes:
        raise SourceError(f"{url} has more than {max_bytes} bytes")
    return content


def fetch_part(url: str, offset: int, length: int) -> bytes:
    """Fetch a part of a file, fewer bytes where the file ends; a server may send more, from the start.

    Raises:
        SourceError: If it cannot be fetched.
    """
    status, content = _get(url, {"Range": f"bytes={offset}-{offset + length - 1}"}, offset + length)
    part = {HTTPStatus.PARTIAL_CONTENT: content, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: b""}
    return part.get(HTTPStatus(status), content[offset:])[:length]


def _get(url: str, headers: dict[str, str], most: int) -> tuple[int, bytes]:
    """Status of an answer, and so many bytes of its body."""
    _check_scheme(url)
    request = Request(url, headers={"User-Agent": "comeo", **headers})  # noqa: S310 - the scheme is checked
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310 - likewise
            _check_scheme(response.url)
            return response.status, response.read(most)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error.code, b""
        raise SourceError(f"{url} answers {error.code} {error.reason}") from error
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceError(f"{url} cannot be reached: {reason}") from error


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise SourceError(f"{url} is not an http(s) URL")
