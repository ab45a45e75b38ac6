"""Small documents over http(s)."""

from __future__ import annotations

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
    _check_scheme(url)
    headers = {"Accept": "application/geo+json, application/json", "User-Agent": "comeo"}
    request = Request(url, headers=headers)  # noqa: S310 - the scheme is checked
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310 - likewise
            _check_scheme(response.url)
            content: bytes = response.read(max_bytes + 1)
    except HTTPError as error:
        error.close()
        raise SourceError(f"{url} answers {error.code} {error.reason}") from error
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceError(f"{url} cannot be reached: {reason}") from error
    if len(content) > max_bytes:
        raise SourceError(f"{url} has more than {max_bytes} bytes")
    return content


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise SourceError(f"{url} is not an http(s) URL")
