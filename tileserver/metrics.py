"""Metrics for Prometheus."""

from __future__ import annotations

import os
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.registry import REGISTRY

LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

REQUESTS = Counter("comeo_requests_total", "Requests answered.", ["route", "method", "status"])
LATENCY = Histogram("comeo_request_seconds", "Time to answer.", ["route"], buckets=LATENCY_BUCKETS)
RESPONSE_BYTES = Counter("comeo_response_bytes_total", "Bytes of bodies sent.", ["route"])
CACHE_HITS = Counter("comeo_cache_hits_total", "Values found, or computed just then by others.", ["cache"])
CACHE_MISSES = Counter("comeo_cache_misses_total", "Values that had to be computed.", ["cache"])
CACHE_BYTES = Gauge("comeo_cache_bytes", "Bytes kept.", ["cache"], multiprocess_mode="livesum")
DECODED_BLOCKS = Counter("comeo_decoded_blocks_total", "Blocks decoded.", ["codec"])
DECODE_SECONDS = Counter("comeo_decode_seconds_total", "Time spent in decoding blocks.", ["codec"])
ARCHIVES = Gauge("comeo_archives", "Archives in the catalogue.", multiprocess_mode="mostrecent")
BROKEN_ARCHIVES = Gauge(
    "comeo_broken_archives", "Archives that cannot be read.", multiprocess_mode="mostrecent"
)
ODD_SCENES = Gauge(
    "comeo_odd_scenes", "Scenes that differ from most of their collection.", multiprocess_mode="mostrecent"
)
REFUSED = Counter("comeo_refused_total", "Requests refused before any work.", ["bound"])


def exposition() -> bytes:
    """Metrics of all processes of the server in Prometheus' text format."""
    if os.environ.get(MULTIPROCESS_VARIABLE):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(REGISTRY)


def watch_cache(name: str) -> Callable[[int, int, int], None]:
    """Make a watch of a cache that counts under a name."""
    hits, misses, size = CACHE_HITS.labels(name), CACHE_MISSES.labels(name), CACHE_BYTES.labels(name)

    def watch(found: int, missing: int, kept: int) -> None:
        hits.inc(found)
        misses.inc(missing)
        size.set(kept)

    return watch


def count_archives(served: int, broken: int, odd: int) -> None:
    """Set the numbers of archives."""
    ARCHIVES.set(served)
    BROKEN_ARCHIVES.set(broken)
    ODD_SCENES.set(odd)


def count_decoded(codec: str, blocks: int, seconds: float) -> None:
    """Count a batch of decoded blocks."""
    DECODED_BLOCKS.labels(codec).inc(blocks)
    DECODE_SECONDS.labels(codec).inc(seconds)
