"""Whatever a host's name server and its machine answer, only what was judged is reached, and not for long."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from tileserver.outgoing.addresses import Address, read_networks, read_target
from tileserver.outgoing.guard import Answer, ForbiddenTargetError, Guard, look_up

HERE = read_networks("127.0.0.0/8")
OK = b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"


def always(*addresses: str) -> Callable[[str, int], Sequence[Address]]:
    return lambda _host, _port: [ip_address(each) for each in addresses]


@contextlib.contextmanager
def machine(
    talk: Callable[[socket.socket, threading.Event], None], context: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """A server at a port of this machine; what it heard first of each connection."""
    heard: list[bytes] = []
    ended = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with contextlib.suppress(OSError):
                    if context:
                        connection = context.wrap_socket(connection, server_side=True)
                    with connection:
                        heard.append(connection.recv(65536))
                        talk(connection, ended)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], heard
    finally:
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def says(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    return lambda connection, _ended: connection.sendall(answer)


def post(guard: Guard, port: int, host: str = "127.0.0.1", body: bytes = b"{}") -> Answer:
    return guard.post(read_target(f"http://{host}:{port}/hook?a=1"), {"X-Own": "1"}, body)


def test_what_is_sent_and_answered() -> None:
    with machine(says(OK)) as (port, heard):
        answer = post(Guard(HERE), port)
    assert (answer.status, answer.headers["x-a"]) == (204, "b")
    head = heard[0].decode()
    assert head.startswith("POST /hook?a=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n" in head
    assert "X-Own: 1" in head
    assert "Content-Length: 2" in head


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with machine(says(OK)) as (port, _):
        assert post(Guard(HERE), port).status == 204


def test_a_name_that_leads_elsewhere_the_second_time() -> None:
    """DNS rebinding: a public address while it is judged, this machine when it is connected to."""
    asked: list[str] = []
    answers = iter(["203.0.113.1", "127.0.0.1", "127.0.0.1"])

    def rebinding(host: str, _port: int) -> Sequence[Address]:
        asked.append(host)
        return [ip_address(next(answers))]

    with machine(says(OK)) as (port, heard):
        guard = Guard(read_networks("203.0.113.0/24"), rebinding, seconds=0.5)
        with pytest.raises(OSError, match=r"."):
            post(guard, port, "rebind.example")
        assert asked == ["rebind.example"], "looked up once"
        assert heard == [], "the machine behind the second answer hears nothing"
        with pytest.raises(ForbiddenTargetError):
            post(guard, port, "rebind.example")
        assert heard == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "::1"])
def test_names_that_lead_inside(address: str) -> None:
    with machine(says(OK)) as (_port, heard):
        with pytest.raises(ForbiddenTargetError, match="no public address"):
            Guard((), always(address)).post(read_target("https://inside.example/"), {}, b"")
        assert heard == []


def test_only_public_ones_of_several_addresses_are_reached() -> None:
    guard = Guard((), always("127.0.0.1", "10.0.0.1", "8.8.8.8"))
    target = read_target("https://both.example/")
    assert guard._allowed(target, guard.resolve("", 0)) == [ip_address("8.8.8.8")]


def test_the_next_address_is_tried() -> None:
    with machine(says(OK)) as (port, _):
        guard = Guard(HERE, always("127.0.0.2", "127.0.0.1"))
        assert post(guard, port, "two.example").status == 204


def test_no_redirect_is_followed() -> None:
    with machine(says(OK)) as (other, heard):
        moved = f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{other}/\r\nContent-Length: 0\r\n\r\n"
        with machine(says(moved.encode())) as (port, _):
            assert post(Guard(HERE), port).status == 307
        assert heard == []


def drip(connection: socket.socket, ended: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not ended.wait(0.02):
        connection.sendall(b"X-A: b\r\n")


def hints(connection: socket.socket, ended: threading.Event) -> None:
    while not ended.wait(0.02):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def silence(_connection: socket.socket, ended: threading.Event) -> None:
    ended.wait(20)


@pytest.mark.parametrize("talk", [drip, hints, silence])
def test_slow_answers_end(talk: Callable[[socket.socket, threading.Event], None]) -> None:
    with machine(talk) as (port, _), pytest.raises(TimeoutError):
        post(Guard(HERE, seconds=0.4), port)


def test_a_receiver_that_reads_slowly_ends() -> None:
    """More than the buffers of both sides hold."""
    with machine(silence) as (port, _), pytest.raises(TimeoutError):
        post(Guard(HERE, seconds=0.4), port, body=b"x" * (64 << 20))


def test_large_answers_are_not_read() -> None:
    ended_early = threading.Event()

    def flood(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        try:
            while not ended.is_set():
                connection.sendall(b"x" * 65536)
        except OSError:
            ended_early.set()

    with machine(flood) as (port, _):
        assert post(Guard(HERE), port).status == 200
        assert ended_early.wait(20), "the connection is closed"


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH\r\n", b"", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, b"\0" * 100]
)
def test_what_is_no_answer(answer: bytes) -> None:
    with machine(says(answer)) as (port, _), pytest.raises(OSError, match=r"no HTTP|closed|reset"):
        post(Guard(HERE), port)


def test_names_that_nobody_answers_for() -> None:
    free = threading.Event()

    def never(_host: str, _port: int) -> Sequence[Address]:
        free.wait(20)
        return []

    def unknown(_host: str, _port: int) -> Sequence[Address]:
        raise socket.gaierror(-2, "Name or service not known")

    target = read_target("https://slow.example/")
    with pytest.raises(TimeoutError, match="could not be looked up in time"):
        Guard((), never, seconds=0.1).post(target, {}, b"")
    free.set()
    with pytest.raises(OSError, match=r"slow\.example is unknown"):
        Guard((), unknown).post(target, {}, b"")
    assert ip_address("127.0.0.1") in look_up("localhost", 80)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-keyout", str(key), "-out", str(made), "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


def test_certificates_are_checked_against_the_name(tmp_path: Path) -> None:
    """Though an address is connected to."""
    made, key = certificate(tmp_path, "hook.example")
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    of_server.load_cert_chain(made, key)
    trusting = ssl.create_default_context(cafile=str(made))
    with machine(says(OK), of_server) as (port, heard):
        guard = Guard(HERE, always("127.0.0.1"), trusting)
        assert guard.post(read_target(f"https://hook.example:{port}/"), {}, b"").status == 204
        assert f"Host: hook.example:{port}".encode() in heard[0]
        with pytest.raises(OSError, match="Hostname mismatch"):
            guard.post(read_target(f"https://other.example:{port}/"), {}, b"")
        with pytest.raises(OSError, match="self-signed"):
            Guard(HERE, always("127.0.0.1")).post(read_target(f"https://hook.example:{port}/"), {}, b"")
        assert len(heard) == 1


def test_a_handshake_that_never_ends() -> None:
    def stall(connection: socket.socket, ended: threading.Event) -> None:
        while not ended.wait(0.02):
            connection.sendall(b"\x16")

    with machine(stall) as (port, _):
        guard = Guard(HERE, always("127.0.0.1"), seconds=0.5)
        with pytest.raises(OSError, match=r"."):
            guard.post(read_target(f"https://h.example:{port}/"), {}, b"")
