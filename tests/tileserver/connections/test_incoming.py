"""Where a request ends: the same however it is cut up, and where gunicorn's own parser sees its end."""

from __future__ import annotations

from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http import RequestParser  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from tileserver.connections.incoming import HEAD_BYTES, Incoming, Stage

LIMIT = 1000
BODIES = st.binary(max_size=60)
FIELDS = st.lists(st.sampled_from([b"A: b", b"X-Content-Length: 7", b"Accept: */*"]), max_size=3)
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A request, and its body."""
    fields = b"".join(field + b"\r\n" for field in draw(FIELDS))
    if draw(st.booleans()):
        body = draw(BODIES)
        return HEAD + fields + b"content-length:%d\r\n\r\n" % len(body) + body, body
    chunks = draw(st.lists(BODIES.filter(len), max_size=4))
    extension = draw(st.sampled_from([b"", b";a=b", b" ; a"]))
    trailers = draw(st.sampled_from([b"", b"T: 1\r\n"]))
    coded = b"".join(b"%X%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    whole = HEAD + fields + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n" + trailers + b"\r\n"
    return whole, b"".join(chunks)


@given(requests(), st.data())
def test_a_request_is_whole_at_its_last_byte_however_it_is_cut(
    request: tuple[bytes, bytes], data: st.DataObject
) -> None:
    whole, body = request
    incoming = Incoming(LIMIT)
    rest = whole
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        assert incoming.stage in (Stage.EMPTY, Stage.HEAD, Stage.BODY)
        incoming.feed(rest[:size])
        rest = rest[size:]
    assert incoming.stage is Stage.WHOLE
    parsed: Any = next(RequestParser(Config(), iter([bytes(incoming.buffer)]), ("127.0.0.1", 1)))
    assert parsed.body.read() == body


@given(st.binary(max_size=200))
def test_no_bytes_are_a_crash(data: bytes) -> None:
    for head in (b"", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", HEAD + b"Content-Length: "):
        incoming = Incoming(LIMIT)
        incoming.feed(head + data)
        assert incoming.stage in Stage


@pytest.mark.parametrize(
    ("data", "stage"),
    [
        (b"", Stage.EMPTY),
        (b"G", Stage.HEAD),
        (b"GET / HTTP/1.0\n", Stage.WHOLE),
        (b"G" * (HEAD_BYTES + 1), Stage.OVERLONG),
        (HEAD + b"Content-Length: 1000\r\n\r\n", Stage.BODY),
        (HEAD + b"Content-Length: 1001\r\n\r\n", Stage.OVERSIZED),
        (HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", Stage.OVERSIZED),
        (HEAD + b"Content-Length: -1\r\n\r\n", Stage.WHOLE),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", Stage.TORN),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 9000, Stage.TORN),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX", Stage.TORN),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nT: " + b"a" * 9000, Stage.TORN),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", Stage.OVERSIZED),
    ],
)
def test_what_is_not_a_request(data: bytes, stage: Stage) -> None:
    incoming = Incoming(LIMIT)
    incoming.feed(data)
    assert incoming.stage is stage
