"""Addresses that users may have the server connect to: none that only the server can reach.

Which addresses are public is the registries' to say (RFC 6890, by Python's `ipaddress`), less those that
carry another address inside, and less what clouds answer their own machines at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from comeo.errors import ParameterError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
MOST_URL: Final = 2000
PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST: Final = IPv6Network("2000::/3")  # all of IPv6 that has been given out
_NEVER: Final[Sequence[Network]] = tuple(
    ip_network(each)
    for each in (
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # what Azure answers its machines at
        "2001::/32",  # Teredo: IPv4 inside
        "2002::/16",  # 6to4: IPv4 inside
        "3fff::/20",  # of examples
    )
)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}\.?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_PLAIN: Final = re.compile(r"[!-\[\]-~]+", re.ASCII)  # no space, control character or backslash


@dataclass(frozen=True, slots=True)
class Target:
    """Where a user wants something to be sent.

    Attributes:
        scheme: `http` or `https`.
        host: Name, or address without brackets.
        port: Of TCP.
        path: With the query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> Address | None:
        """The address, if the host is one."""
        return _literal(self.host)

    @property
    def authority(self) -> str:
        """The host as a header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def read_target(url: str) -> Target:
    """Parse an address, strictly: what programs read differently is refused.

    Raises:
        ParameterError: Saying what is wrong with it.
    """
    if len(url) > MOST_URL:
        raise ParameterError(f"the address has more than {MOST_URL} characters; shorten it")
    if not _PLAIN.fullmatch(url):
        raise ParameterError(
            "the address has a space, a backslash or another character that is not plain ASCII; write "
            "hosts as xn--…, other characters as %…"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ParameterError("the address cannot be read; write it as https://host/path") from error
    if parts.scheme not in PORTS or not host:
        raise ParameterError("the address is not of the form https://host/path")
    if "@" in parts.netloc or "#" in url:
        raise ParameterError("the address has a user name or a #; leave them out")
    if _literal(host) is None and (not _NAME.fullmatch(host) or _NUMBER.fullmatch(_last_label(host))):
        raise ParameterError(f"{host[:80]} is neither the name of a host nor an address in its usual form")
    if port == 0:
        raise ParameterError("the address has port 0, which cannot be connected to; name another or none")
    port = port or PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks with a comma between them: `10.1.0.0/16,fd00:7::/64`.

    Raises:
        ValueError: If one is none.
    """
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def is_public(address: Address) -> bool:
    """Whether an address is one of the Internet at large, to which one connects."""
    address = _inner(address)
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    if any(address in each for each in _NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks."""
    address = _inner(address)
    return any(address in each for each in networks)


def _inner(address: Address) -> Address:
    """The IPv4 address that packets to an IPv6 address go to in the end."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def _literal(host: str) -> Address | None:
    if "%" in host:  # a scope
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None


def _last_label(host: str) -> str:
    return host.rstrip(".").rpartition(".")[2]
