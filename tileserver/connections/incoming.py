"""Where a request ends, found as its bytes arrive.

Only its end: gunicorn's parser, which then has all of it at hand, is the judge of what it says. What cannot
be right is called whole, too, so that the parser refuses it at once.
"""

from __future__ import annotations

import enum
import re
from typing import Final

HEAD_BYTES: Final = 64 << 10
LINE_BYTES: Final = 8190
"""Of a chunk's size with its extensions, and of a trailer section: gunicorn's own bound of a line."""
_HEAD_END: Final = re.compile(rb"\r\n\r\n|(?<!\r)\n")
_FIELD: Final = re.compile(rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*)", re.IGNORECASE)
_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[\t -~\x80-\xff]*)?\r\n")


class Stage(enum.Enum):
    """How far a request has come.

    WHOLE means that a thread can answer it without waiting for its client; OVERLONG that the head has no end
    within `HEAD_BYTES`; OVERSIZED that the body is larger than may be; TORN that its chunks are malformed.
    """

    EMPTY = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    WHOLE = enum.auto()
    OVERLONG = enum.auto()
    OVERSIZED = enum.auto()
    TORN = enum.auto()


class Incoming:
    """One request as it arrives.

    Args:
        body_limit: Most bytes of a body that are waited for.
    """

    def __init__(self, body_limit: int) -> None:
        self.buffer = bytearray()
        self.stage = Stage.EMPTY
        self.expects_continue = False
        self._limit = body_limit
        self._searched = 0
        self._end = 0  # of the body, or of the part of a chunked one that is understood
        self._chunked = False

    def feed(self, data: bytes) -> None:
        """Take bytes in. `stage` says what has become of the request."""
        self.buffer += data
        if self.stage is Stage.EMPTY and self.buffer:
            self.stage = Stage.HEAD
        if self.stage is Stage.HEAD:
            self._look_for_head()
        if self.stage is Stage.BODY:
            self._look_for_body()

    def _look_for_head(self) -> None:
        found = _HEAD_END.search(self.buffer, self._searched)
        if found is None:
            self._searched = max(0, len(self.buffer) - 3)
            if len(self.buffer) > HEAD_BYTES:
                self.stage = Stage.OVERLONG
        elif found.group() == b"\n":
            self.stage = Stage.WHOLE  # a bare LF, which the parser refuses
        else:
            self._end = found.end()
            self.stage = Stage.BODY
            self._read_head(bytes(self.buffer[: self._end]))

    def _read_head(self, head: bytes) -> None:
        fields: dict[bytes, bytes] = {}
        for name, value in _FIELD.findall(head):
            fields.setdefault(name.lower(), value.strip(b" \t"))
        self.expects_continue = fields.get(b"expect", b"").lower() == b"100-continue"
        self._chunked = b"transfer-encoding" in fields
        length = fields.get(b"content-length", b"0")
        if not self._chunked and length.isdigit():
            # More than nineteen digits are more than any limit, and Python refuses to read thousands.
            size = int(length) if len(length) < 20 else self._limit + 1
            if size > self._limit:
                self.stage = Stage.OVERSIZED
            self._end += size

    def _look_for_body(self) -> None:
        if self._chunked:
            self._look_for_chunks()
        elif len(self.buffer) >= self._end:
            self.stage = Stage.WHOLE

    def _look_for_chunks(self) -> None:
        """Go from chunk to chunk, up to the last and the trailers behind it."""
        while len(self.buffer) > self._end:
            line_end = self.buffer.find(b"\r\n", self._end, self._end + LINE_BYTES)
            size = _SIZE.match(self.buffer, self._end)
            if line_end < 0:
                if len(self.buffer) - self._end >= LINE_BYTES:
                    self.stage = Stage.TORN
                return
            if size is None:
                self.stage = Stage.TORN
                return
            length = int(size.group(1), 16)
            if length == 0:
                if self.buffer.find(b"\r\n\r\n", line_end, line_end + LINE_BYTES) >= 0:
                    self.stage = Stage.WHOLE
                elif len(self.buffer) - line_end >= LINE_BYTES:
                    self.stage = Stage.TORN
                return
            following = line_end + 2 + length
            if not b"\r\n".startswith(self.buffer[following : following + 2]):
                self.stage = Stage.TORN
                return
            self._end = following + 2
            if self._end > self._limit + HEAD_BYTES:
                self.stage = Stage.OVERSIZED
                return
