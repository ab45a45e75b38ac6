"""No way of writing an address leads to one that only the server can reach."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comeo.errors import ParameterError
from tileserver.outgoing.addresses import is_in, is_public, read_networks, read_target
from tileserver.outgoing.guard import ForbiddenTargetError, Guard

INSIDE = [
    IPv4Network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
]  # fmt: skip
"""What is no public address of IPv4, from RFC 6890 and clouds' manuals."""


@st.composite
def inside(draw: st.DrawFn) -> IPv4Address:
    network = draw(st.sampled_from(INSIDE))
    return network[draw(st.integers(0, network.num_addresses - 1))]


def forms(address: IPv4Address) -> list[str]:
    """How programs let an address be written, those that few know of included."""
    number, (a, b, c, d) = int(address), address.packed
    return [
        str(address), f"{number}", f"0x{number:x}", f"0{number:o}", f"{a}.{b}.{c * 256 + d}",
        f"{a}.{number & 0xFFFFFF}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a:03}.{b:03}.{c:03}.{d:03}", f"{address}.", f"[::ffff:{address}]", f"[64:ff9b::{address}]",
        f"[::{address}]", f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]",
        f"[2001:0:{a:02x}{b:02x}:{c:02x}{d:02x}::]", f"[64:ff9b:1::{address}]",
    ]  # fmt: skip


GUARD = Guard()


def system(host: str) -> list[str]:
    """What the system takes a host for, without asking anybody."""
    try:
        found = socket.getaddrinfo(host, 443, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(each[4][0]) for each in found]


@given(inside())
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("169.254.169.254"))
def test_no_form_of_an_inner_address_is_taken(address: IPv4Address) -> None:
    for form in forms(address):
        with pytest.raises((ParameterError, ForbiddenTargetError)):
            GUARD.check(read_target(f"https://{form}/hook"))


@given(st.ip_addresses(v=4))
def test_what_is_public_is_none_of_the_inner_networks(address: IPv4Address) -> None:
    if is_public(address):
        assert not any(address in each for each in INSIDE)
        assert is_public(ip_address(f"::ffff:{address}"))
        assert is_public(ip_address(f"64:ff9b::{address}"))


@given(st.ip_addresses(v=6))
def test_public_addresses_of_ipv6_are_unicast(address: IPv6Address) -> None:
    if is_public(address) and address.ipv4_mapped is None:
        assert int(address) >> 125 == 1 or address in IPv6Network("64:ff9b::/96")


@given(st.text(alphabet="0123456789abcdefx.:[]%", min_size=1, max_size=24))
@example("127.1")
@example("0x7f.1")
@example("[::1%25lo]")
def test_what_the_system_takes_for_an_inner_address_is_refused(host: str) -> None:
    """The parser of addresses and that of the system may differ in anything but this."""
    try:
        target = read_target(f"https://{host}/")
        GUARD.check(target)
    except (ParameterError, ForbiddenTargetError):
        return
    for each in system(target.host):
        assert is_public(ip_address(each.partition("%")[0]))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:4700::6810:84e5", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)  # fmt: skip
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))
    GUARD.check(read_target(f"https://{'[' + address + ']' if ':' in address else address}/"))


@pytest.mark.parametrize(
    "address",
    [
        "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1",
        "5f00::1", "100::1", "2002:808:808::1", "2001::1", "192.88.99.1", "224.0.0.1", "255.255.255.255",
        "100.100.100.200", "192.0.0.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://example.org/", "not of the form https"),
        ("https:///x", "not of the form https"),
        ("https://user@example.org/", "user name"),
        ("https://user:secret@example.org/", "user name"),
        ("https://example.org/#x", "user name or a #"),
        ("https://example.org@127.0.0.1/", "user name"),
        ("https://example.org:port/", "cannot be read"),
        ("https://example.org:99999/", "cannot be read"),
        ("https://example.org:0/", "port 0"),
        ("https://[::1/", "cannot be read"),
        ("https://exa mple.org/", "plain ASCII"),
        ("https://example.org\\@127.0.0.1/", "backslash"),
        ("https://example.org/\r\nX: y", "plain ASCII"),
        ("https://１２７.0.0.1/", "plain ASCII"),
        ("https://bücher.example/", "xn--"),
        ("https://-bad.example/", "neither the name"),
        ("https://a..b/", "neither the name"),
        ("https://1.2.3/", "neither the name"),
        ("https://0x7f000001/", "neither the name"),
        ("https://" + "a" * 2000, "more than 2000"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(url: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence) as told:
        read_target(url)
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_parts_of_an_address() -> None:
    target = read_target("https://Hook.Example.org:8443/a%20b?x=1")
    assert (target.scheme, target.host, target.port, target.path) == (
        "https", "hook.example.org", 8443, "/a%20b?x=1",
    )  # fmt: skip
    assert target.authority == "hook.example.org:8443"
    assert read_target("https://[2606:4700::1]").authority == "[2606:4700::1]"


@pytest.mark.parametrize(
    ("url", "networks", "sentence"),
    [
        ("http://example.org/", "", "by https"),
        ("http://8.8.8.8/", "10.0.0.0/8", "by https"),
        ("https://example.org:8443/", "", "port 8443"),
        ("https://10.0.0.1/", "", "no public address"),
        ("http://10.0.0.1:8080/", "192.168.0.0/16", "by https"),
        ("http://10.0.0.1:8080/", "10.0.0.0/8", None),
        ("http://[::ffff:10.0.0.1]:8080/", "10.0.0.0/8", None),
        ("https://8.8.8.8:80/", "", None),
    ],
)  # fmt: skip
def test_ports_and_schemes(url: str, networks: str, sentence: str | None) -> None:
    guard = Guard(read_networks(networks))
    if sentence is None:
        guard.check(read_target(url))
        return
    with pytest.raises(ForbiddenTargetError, match=sentence):
        guard.check(read_target(url))


def test_networks() -> None:
    networks = read_networks("10.0.0.0/8, fd00:7::/64")
    assert is_in(ip_address("10.1.2.3"), networks)
    assert is_in(ip_address("fd00:7::1"), networks)
    assert not is_in(ip_address("11.0.0.1"), networks)
    with pytest.raises(ValueError, match="host bits"):
        read_networks("10.0.0.1/8")
