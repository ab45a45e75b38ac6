"""What sources answer: no more of it is read than an answer may have."""

from __future__ import annotations

import httpx2

from comeo.errors import SourceError


def place_of(request: httpx2.Request) -> str:
    """Where a request goes, for messages: without its query, which may have a secret."""
    return f"{request.url.scheme}://{request.url.host}{request.url.path}"


def answer_of(client: httpx2.Client, request: httpx2.Request, most: int) -> tuple[httpx2.Response, bytes]:
    """An answer, whatever its status, and its body.

    Args:
        client: Sends the request.
        request: It.
        most: Bytes of the body.

    Raises:
        SourceError: If there is none, or it is larger.
    """
    where = place_of(request)
    try:
        answer = client.send(request, stream=True)
        try:
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > most:
                    raise SourceError(f"{where} answers with more than {most} bytes")
        finally:
            answer.close()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise SourceError(f"{where} does not answer: {error or type(error).__name__}") from error
    return answer, bytes(body)
