"""Metrics for Prometheus.

prometheus_client writes them as text. Its own way for several processes is files mapped into memory, and on a
full disk the system kills a process that writes into such a file; here the numbers are in `Table`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric

from comeo.codecs import codec_names
from tileserver.metrics.kinds import Counter, Gauge, Histogram, Labels, Latest
from tileserver.metrics.table import Table

LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
METHODS = Labels("method", ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))
STATUSES = Labels(
    "status",
    (str(status.value) for status in HTTPStatus if status.value >= 200),  # 1xx are no answers
)
ROUTES = Labels("route", ("unmatched",), room=192)
BOUNDS = Labels("bound", ("color_formula", "heavy_requests"), room=128)
CACHES = Labels("cache", ("blocks", "tiles", "documents"))
CODECS = Labels("codec", codec_names())

TABLE = Table()
REQUESTS = Counter(TABLE, "comeo_requests_total", "Requests answered.", (ROUTES, METHODS, STATUSES))
LATENCY = Histogram(TABLE, "comeo_request_seconds", "Time to answer.", (ROUTES,), LATENCY_BUCKETS)
RESPONSE_BYTES = Counter(TABLE, "comeo_response_bytes_total", "Bytes of bodies sent.", (ROUTES,))
CACHE_HITS = Counter(
    TABLE, "comeo_cache_hits_total", "Values found, or computed just then by others.", (CACHES,)
)
CACHE_MISSES = Counter(TABLE, "comeo_cache_misses_total", "Values that had to be computed.", (CACHES,))
CACHE_BYTES = Gauge(TABLE, "comeo_cache_bytes", "Bytes kept.", (CACHES,))
DECODED_BLOCKS = Counter(TABLE, "comeo_decoded_blocks_total", "Blocks decoded.", (CODECS,))
DECODE_SECONDS = Counter(TABLE, "comeo_decode_seconds_total", "Time spent in decoding blocks.", (CODECS,))
ARCHIVES = Latest(TABLE, "comeo_archives", "Archives in the catalogue.")
BROKEN_ARCHIVES = Latest(TABLE, "comeo_broken_archives", "Archives that cannot be read.")
ODD_SCENES = Latest(TABLE, "comeo_odd_scenes", "Scenes that differ from most of their collection.")
REFUSED = Counter(TABLE, "comeo_refused_total", "Requests refused before any work.", (BOUNDS,))
_ALL = (
    REQUESTS, LATENCY, RESPONSE_BYTES, CACHE_HITS, CACHE_MISSES, CACHE_BYTES, DECODED_BLOCKS, DECODE_SECONDS,
    ARCHIVES, BROKEN_ARCHIVES, ODD_SCENES, REFUSED,
)  # fmt: skip


class _Collector:
    """All metrics, as prometheus_client asks for them."""

    def __init__(self, others: Iterable[Metric]) -> None:
        self._others = others

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        for family in _ALL:
            yield family.collect()
        yield from self._others


def prepare(routes: Iterable[str], bounds: Iterable[str], processes: int) -> None:
    """Make ready to count, before the processes part.

    Args:
        routes: Of the application.
        bounds: Names of bounds that requests may exceed.
        processes: That count at once, besides this one.
    """
    ROUTES.add(routes)
    BOUNDS.add(bounds)
    TABLE.open(processes)


def exposition(others: Iterable[Metric] = ()) -> bytes:
    """Metrics of all processes of the server, and others, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(others))
    return generate_latest(registry)


def count_request(route: str, method: str, status: int, seconds: float, size: int) -> None:
    """Count an answer.

    Args:
        route: The pattern that it was asked by, or `unmatched`.
        method: As the client spelled it.
        status: Of the answer.
        seconds: That it took.
        size: Bytes of its body.
    """
    REQUESTS.inc(route, method, str(status))
    LATENCY.observe(route, value=seconds)
    RESPONSE_BYTES.inc(route, by=size)


def count_refused(bound: str) -> None:
    """Count a request that exceeded a bound."""
    REFUSED.inc(bound)


def watch_cache(name: str) -> Callable[[int, int, int], None]:
    """Make a watch of a cache that counts under a name."""

    def watch(found: int, missing: int, kept: int) -> None:
        CACHE_HITS.inc(name, by=found)
        CACHE_MISSES.inc(name, by=missing)
        CACHE_BYTES.set(name, to=kept)

    return watch


def count_archives(served: int, broken: int, odd: int) -> None:
    """Set the numbers of archives."""
    now = time.monotonic()
    ARCHIVES.set(served, now)
    BROKEN_ARCHIVES.set(broken, now)
    ODD_SCENES.set(odd, now)


def count_decoded(codec: str, blocks: int, seconds: float) -> None:
    """Count a batch of decoded blocks."""
    DECODED_BLOCKS.inc(codec, by=blocks)
    DECODE_SECONDS.inc(codec, by=seconds)
