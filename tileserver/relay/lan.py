"""Origins and relays of a local network: one says that it is there, others find it.

That is DNS-SD (RFC 6763) over mDNS (RFC 6762). Nothing is believed that is said that way: an address is asked
for its index, which its key has signed, and a relay takes lines by the key that its own configuration states.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from zeroconf import InterfaceChoice, NonUniqueNameException
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from comeo.errors import ComeoError
from tileserver.relay.feed.lines import Index
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream.server import HttpUpstream

SERVICE: Final = "_comeo-relay._tcp.local."
_MOST: Final = 50
"""Services that are looked at: more would be somebody's flood."""
_RESOLVE_MILLISECONDS: Final = 2000
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,1990}")
"""What goes onto a terminal: anybody in the network may say anything."""
Interfaces = list[str] | InterfaceChoice


@dataclass(frozen=True, slots=True)
class Found:
    """A server that was found.

    Attributes:
        address: Where it is.
        index: That it gave, signed by the key in it; None if it could not be read.
        problem: Why not.
    """

    address: str
    index: Index | None
    problem: str = ""


def index_of(address: str) -> Index:
    """Ask a server for its index.

    Raises:
        ComeoError: If there is no answer, or none that its own key has signed.
    """
    upstream = HttpUpstream(address, Trust())
    try:
        return upstream.index()
    finally:
        upstream.close()


@asynccontextmanager
async def announced(
    address: str, index: Index, interfaces: Interfaces = InterfaceChoice.Default
) -> AsyncIterator[None]:
    """Say in the local network that a server is there, for as long as the context lasts.

    Args:
        address: http(s) address with the name or number that others reach it by.
        index: Of its feed.
        interfaces: Addresses of the network interfaces to say it on.

    Raises:
        ComeoError: If the name cannot be resolved, or the network refuses.
    """
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        resolved = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ComeoError(f"{parts.hostname} cannot be resolved; give the address that others use") from error
    service = AsyncServiceInfo(
        SERVICE, f"{index.origin}.{SERVICE}", port=port, properties={"url": address, "key": index.key},
        parsed_addresses=sorted({str(each[4][0]) for each in resolved}), server=f"{index.origin}.local.",
    )  # fmt: skip
    async with _network(interfaces) as network:
        try:
            await (await network.async_register_service(service))
        except NonUniqueNameException as error:
            raise ComeoError(f"{index.origin} is announced already in this network") from error
        try:
            yield
        finally:
            await (await network.async_unregister_service(service))


def find(seconds: float = 3.0, interfaces: Interfaces = InterfaceChoice.Default) -> list[Found]:
    """The servers that say that they are in this network, each asked for its index.

    Args:
        seconds: To listen.
        interfaces: Addresses of the network interfaces to listen on.

    Raises:
        ComeoError: If the network refuses.
    """
    services = asyncio.run(_heard(seconds, interfaces))
    addresses = {each.decoded_properties.get("url") or "" for each in services}
    return [_asked(address) for address in sorted(filter(_ADDRESS.fullmatch, addresses))]


async def _heard(seconds: float, interfaces: Interfaces) -> list[AsyncServiceInfo]:
    names: set[str] = set()

    def heard(name: str, **_: object) -> None:
        if len(names) < _MOST:
            names.add(name)

    async with _network(interfaces) as network:
        async with AsyncServiceBrowser(network.zeroconf, SERVICE, handlers=[heard]):
            await asyncio.sleep(seconds)
        services = [AsyncServiceInfo(SERVICE, name) for name in sorted(names)]
        told = [await each.async_request(network.zeroconf, _RESOLVE_MILLISECONDS) for each in services]
    return [each for each, known in zip(services, told, strict=True) if known]


def _asked(address: str) -> Found:
    try:
        return Found(address, index_of(address))
    except ComeoError as error:
        return Found(address, None, str(error))


@asynccontextmanager
async def _network(interfaces: Interfaces) -> AsyncIterator[AsyncZeroconf]:
    try:
        network = AsyncZeroconf(interfaces=interfaces)
    except OSError as error:
        raise ComeoError(f"the local network cannot be used: {error.strerror or error}") from error
    async with network:
        yield network
