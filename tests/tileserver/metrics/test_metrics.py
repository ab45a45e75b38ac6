"""Metrics: closed sets of labels, and memory that several processes share."""

from __future__ import annotations

import os

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tileserver import metrics
from tileserver.metrics.kinds import Counter, Gauge, Histogram, Labels, Latest
from tileserver.metrics.table import Table


def test_every_label_of_every_metric_has_few_values() -> None:
    before = _series(metrics.exposition())
    for number in range(500):
        odd = f"odd-{number}"
        metrics.count_request(odd, odd, 1000 + number, 0.1, 1)
        metrics.count_refused(odd)
        metrics.watch_cache(odd)(1, 1, 1)
        metrics.count_decoded(odd, 1, 0.1)
    after = _series(metrics.exposition())
    assert len(after) < len(before) + 30
    assert not any("odd" in value for _, labels in after for _, value in labels)


def test_a_set_has_room_for_so_many_and_the_rest_is_other() -> None:
    labels = Labels("route", ("a",), room=3)
    labels.add(["b", "c", "d"])
    assert labels.values() == ["other", "a", "b"]
    assert labels.index("c") == labels.index("never heard of") == 0


def test_processes_count_together_and_gauges_end_with_theirs() -> None:
    table = Table()
    counted = Counter(table, "c_total", "A counter.", (Labels("x", ("a", "b")),))
    gauge = Gauge(table, "g", "A gauge.", (Labels("x", ("a",)),))
    latest = Latest(table, "l", "The latest.")
    timed = Histogram(table, "h", "A histogram.", (Labels("x", ("a",)),), (1.0, 2.0))
    counted.inc("a")
    table.open(2)  # what was counted before stays
    rows = []
    for moment in (2.0, 1.0):
        row = table.assign_row()
        rows.append(row)
        _in_a_child(table, row, counted, gauge, latest, timed, moment)
    assert table.assign_row() is None
    found = _values(counted, gauge, latest, timed)
    assert found["c_total", ("a",)] == 3.0
    assert ("c_total", ("b",)) not in found
    assert found["g", ("a",)] == 10.0
    assert found["l", ()] == 2.0
    assert found["h_bucket", ("1.0", "a")] == 2.0
    assert found["h_bucket", ("+Inf", "a")] == 4.0
    assert found["h_sum", ("a",)] == 21.0
    table.release_row(rows[0])
    found = _values(counted, gauge, latest, timed)
    assert found["c_total", ("a",)] == 3.0
    assert found["g", ("a",)] == 5.0
    assert table.assign_row() == rows[0]


def test_metrics_are_declared_before_any_is_counted() -> None:
    table = Table()
    Counter(table, "a_total", "A.").inc()
    with pytest.raises(RuntimeError, match="declared before"):
        Counter(table, "b_total", "B.")


def _in_a_child(
    table: Table,
    row: int | None,
    counted: Counter,
    gauge: Gauge,
    latest: Latest,
    timed: Histogram,
    moment: float,
) -> None:
    child = os.fork()
    if child == 0:
        table.use_row(row)
        counted.inc("a")
        gauge.set("a", to=5.0)
        latest.set(moment, moment)
        timed.observe("a", value=0.5)
        timed.observe("a", value=10.0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


class _Collector:
    def __init__(self, families: tuple[Counter | Gauge | Latest | Histogram, ...]) -> None:
        self.families = families

    def collect(self) -> list[object]:
        """See prometheus_client."""
        return [family.collect() for family in self.families]


def _values(*families: Counter | Gauge | Latest | Histogram) -> dict[tuple[str, tuple[str, ...]], float]:
    registry = CollectorRegistry()
    registry.register(_Collector(families))  # type: ignore[arg-type]
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _series(text: bytes) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
