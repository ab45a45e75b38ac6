"""A bad line on loopback: slow, far, cut again and again, stalled, half closed, and not always truthful.

It stands between a client and a server as a TCP port of its own, and counts what it has carried. All of its
connections share its rate, as they would share a link.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

PIECE: Final = 1460
"""Bytes that travel together."""
_LATE: Final = 0.02
"""Seconds by which timers may be late without costing the line its rate: a link has no timers."""
_BUFFER: Final = 1 << 14  # of the kernel, on the client's side: what is cut off is soon noticed


@dataclass(frozen=True, slots=True)
class Weather:
    """What a line is like.

    Attributes:
        kbps: 1 000 bits a second, each way; None for no limit.
        latency: Seconds from one end to the other.
        cut_every: All connections are reset after so many seconds, again and again; None: never.
        down: Seconds that nothing can connect after a cut.
        stall_after: A connection carries so many bytes to the client, and then nothing more, without a word.
        half_close_after: A connection is closed in good order towards the client after so many bytes.
        flips: Share of bytes to the client of which a bit is turned.
        seed: Of chance.
    """

    kbps: float | None = None
    latency: float = 0.0
    cut_every: float | None = None
    down: float = 0.0
    stall_after: int | None = None
    half_close_after: int | None = None
    flips: float = 0.0
    seed: int = 0


@dataclass(slots=True)
class BadLine:
    """A line that is up.

    Attributes:
        target: Port of the server on 127.0.0.1.
        weather: What the line is like now; it may be changed.
        port: Its own.
        down_bytes: Carried to clients.
        up_bytes: Carried to the server.
        connections: Made so far.
        cuts: Made so far.
        flipped: Bytes that were changed.
        resumed: Of each cut, seconds from when one could connect again to the first byte that a client got.
    """

    target: int
    weather: Weather
    port: int = 0
    down_bytes: int = 0
    up_bytes: int = 0
    connections: int = 0
    cuts: int = 0
    flipped: int = 0
    resumed: list[float] = field(default_factory=list)
    _waiting: bool = False
    _free: dict[str, float] = field(default_factory=lambda: {"down": 0.0, "up": 0.0})
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _down_until: float = 0.0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.weather.seed)

    @property
    def address(self) -> str:
        """URL of the server, over this line."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset all connections, and let nobody connect for a while."""
        self.cuts += 1
        self._waiting = True
        self._down_until = time.monotonic() + self.weather.down
        for each in list(self._open):
            with suppress(OSError):
                each.transport.abort()

    async def _serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        cutting = asyncio.create_task(self._cut_often())
        ready.set()
        async with server:
            await ended.wait()
        cutting.cancel()
        for each in list(self._open):
            each.transport.abort()

    async def _cut_often(self) -> None:
        while True:
            await asyncio.sleep(self.weather.cut_every or 0.1)
            if self.weather.cut_every is not None:
                self.cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if time.monotonic() < self._down_until:
            writer.transport.abort()
            return
        self.connections += 1
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        writer.transport.set_write_buffer_limits(high=0)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        own = {writer, to_server}
        self._open |= own
        pumps = [
            asyncio.create_task(self._carry("up", reader, to_server)),
            asyncio.create_task(self._carry("down", from_server, writer)),
        ]
        try:
            with suppress(asyncio.CancelledError):  # the line goes down
                await asyncio.wait(pumps)
        finally:
            self._open -= own
            for each in own:
                each.transport.abort()

    async def _carry(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction of a connection to its end; what is late waits in a queue that is bounded."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        arriving = asyncio.create_task(self._arrive(way, waiting, writer))
        with suppress(OSError):
            while not writer.is_closing() and (data := await reader.read(PIECE)):
                await self._pay(way, len(data))
                await waiting.put((time.monotonic() + self.weather.latency, data))
        await waiting.put((time.monotonic() + self.weather.latency, b""))
        await arriving

    async def _pay(self, way: str, size: int) -> None:
        """Wait until the line, which all share, has room."""
        if self.weather.kbps is not None:
            begins = max(time.monotonic() - _LATE, self._free[way])
            self._free[way] = begins + size * 8 / (self.weather.kbps * 1000)
            await asyncio.sleep(self._free[way] - time.monotonic())

    async def _arrive(
        self, way: str, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        carried, weather = 0, self.weather
        never = float("inf")
        closes, stalls = (
            never if way == "up" or each is None else each
            for each in (weather.half_close_after, weather.stall_after)
        )
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(due - time.monotonic())
            if data and (writer.is_closing() or carried >= min(closes, stalls)):
                if closes <= stalls:
                    writer.close()
                await self._swallow(waiting)
                return
            with suppress(OSError):
                if not data:
                    writer.write_eof()
                    return
                carried += len(data)
                writer.write(self._told(way, data))
                await writer.drain()

    async def _swallow(self, waiting: asyncio.Queue[tuple[float, bytes]]) -> None:
        while (await waiting.get())[1]:
            pass

    def _told(self, way: str, data: bytes) -> bytes:
        """What arrives of what was sent."""
        if way == "up":
            self.up_bytes += len(data)
            return data
        self.down_bytes += len(data)
        if self._waiting:
            self._waiting = False
            self.resumed.append(time.monotonic() - self._down_until)
        if not self.weather.flips:
            return data
        changed = bytearray(data)
        for place in range(len(changed)):
            if self._chance.random() < self.weather.flips:
                changed[place] ^= 1 << self._chance.randrange(8)
                self.flipped += 1
        return bytes(changed)


@contextmanager
def bad_line(target: int, weather: Weather) -> Iterator[BadLine]:
    """A line to a server's port, while it is needed."""
    line = BadLine(target, weather)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    ended = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(line._serve(ready, ended))
        left = asyncio.all_tasks(loop)
        for each in left:
            each.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=run, name="bad line")
    thread.start()
    ready.wait(10)
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
