"""Bytes on the wire of a connection, as the system has counted them.

Linux counts what TCP carried for each connection, handshakes of TLS included, in `struct tcp_info`
(linux/tcp.h, since 4.2), and its packets, each with headers of IP and TCP. Elsewhere the bytes of requests
and answers are taken, and a share for what is around them.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final, NamedTuple

_TCP_INFO: Final = struct.Struct("<8B24I2Q2Q2I")
"""Up to the packets: 8 bytes, 24 numbers, two rates, bytes acknowledged and received, packets out and in."""
_HEADERS_V4: Final = 52
_HEADERS_V6: Final = 72
"""Of IP and TCP, with the timestamps that Linux sends."""
AROUND: Final = 1.04
"""Bytes on the wire over those of HTTP, where they cannot be counted."""


@dataclass(slots=True)
class Wire:
    """Bytes so far, headers and handshakes included as they can be known."""

    sent: int = 0
    received: int = 0

    @property
    def total(self) -> int:
        """Both ways together, which is what links are paid by."""
        return self.sent + self.received


class Counted(NamedTuple):
    """Bytes of a connection since it was made."""

    sent: int
    received: int


def counted(connection: socket.socket) -> Counted | None:
    """What the system has counted of a connection; None where it does not count."""
    if sys.platform != "linux":
        return None
    try:
        raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return None
    if len(raw) < _TCP_INFO.size:
        return None
    *_, acknowledged, received, packets_out, packets_in = _TCP_INFO.unpack(raw)
    headers = _HEADERS_V6 if connection.family == socket.AF_INET6 else _HEADERS_V4
    return Counted(acknowledged + headers * packets_out, received + headers * packets_in)
