"""Clients that ask as fast as they are answered, and what they were answered."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from benchmarks.soak.requests import Known, draw

_TIMEOUT: Final = 120.0
_PAUSE_WHEN_TOLD: Final = 0.5  # seconds after a 503: its Retry-After is meant for people, not for a soak
SAMPLES: Final = 200


@dataclass
class Answers:
    """What has been answered so far. Threads share it.

    Attributes:
        seconds: How long each answer took.
        statuses: How many answers by status; 503 with Retry-After is "503 with Retry-After".
        bad: The first requests that should have been answered otherwise, with their answers.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    wrong: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, path: str, status: str, seconds: float, excerpt: str) -> None:
        """Note an answer."""
        is_wrong = status.startswith("5") and "Retry-After" not in status
        with self._lock:
            self.seconds.append(seconds)
            self.statuses[status] += 1
            self.by_kind[kind] += 1
            if is_wrong or status == "no answer":
                self.wrong += 1
                if len(self.bad) < SAMPLES:
                    self.bad.append(f"{time.strftime('%H:%M:%S')} {status} {path}: {excerpt}")

    def snapshot(self) -> tuple[list[float], Counter[str]]:
        """Copies that no thread changes."""
        with self._lock:
            return list(self.seconds), Counter(self.statuses)


def run_client(known: Known, seed: int, answers: Answers, stop: threading.Event) -> None:
    """Ask until told to stop, over one connection as long as the server keeps it."""
    chance = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", known.port, timeout=_TIMEOUT)
    etags: dict[str, str] = {}
    while not stop.is_set():
        kind, path = draw(known.places, chance)
        headers = {"If-None-Match": etags[path]} if path in etags and chance.random() < 0.5 else {}
        began = time.perf_counter()
        try:
            status, excerpt, etag = _ask(connection, path, headers)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if began + 0.05 > time.perf_counter() and isinstance(error, http.client.RemoteDisconnected):
                continue  # a kept connection that the server has closed meanwhile: clients ask again
            status, excerpt, etag = "no answer", repr(error), None
        answers.add(kind, path, status, time.perf_counter() - began, excerpt)
        if etag and len(etags) < SAMPLES:
            etags[path] = etag
        if status.startswith("503"):
            stop.wait(_PAUSE_WHEN_TOLD)
    connection.close()


def _ask(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str]
) -> tuple[str, str, str | None]:
    """Ask once; return the status, the beginning of an error's body, and the ETag."""
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    status = str(response.status)
    if response.status == 503 and response.headers["Retry-After"]:
        status = "503 with Retry-After"
    return (
        status,
        body[:300].decode("utf-8", "replace") if response.status >= 400 else "",
        response.headers["ETag"],
    )
