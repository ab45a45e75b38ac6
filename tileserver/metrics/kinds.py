"""Kinds of metrics, whose labels come from sets that are closed before anything is counted."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

from tileserver.metrics.table import Table

OTHER: Final = "other"


class Labels:
    """The values that a label can have. All others are counted together as `other`.

    Args:
        name: Of the label.
        values: Known from the start.
        room: For so many values in all; those added beyond are `other`.
    """

    def __init__(self, name: str, values: Iterable[str], room: int = 0) -> None:
        self.name = name
        self._indices = {OTHER: 0}
        self.room = math.inf
        self.add(values)
        self.room = max(room, len(self._indices))

    def add(self, values: Iterable[str]) -> None:
        """Add values, before the processes part."""
        for value in values:
            if len(self._indices) < self.room:
                self._indices.setdefault(value, len(self._indices))

    def index(self, value: str) -> int:
        """Of a value."""
        return self._indices.get(value, 0)

    def values(self) -> list[str]:
        """By index."""
        return list(self._indices)


class Family:
    """Numbers of one name, a few for each combination of labels.

    Args:
        table: That holds them.
        name: Of the metric.
        text: What it is.
        labels: Their sets, outermost first.
        numbers: For each combination.
        live: Whether they end with their process.
    """

    def __init__(
        self, table: Table, name: str, text: str, labels: Sequence[Labels] = (), numbers: int = 1, *,
        live: bool = False,
    ) -> None:  # fmt: skip
        self.name, self.text, self._table, self._labels, self._numbers = name, text, table, labels, numbers
        self._shape = tuple(int(each.room) for each in labels)
        self._start = table.reserve(math.prod(self._shape) * numbers, live=live)

    def _place(self, values: Sequence[str]) -> int:
        """Index in a row of the first number of a combination."""
        place = 0
        for each, value in zip(self._labels, values, strict=True):
            place = place * int(each.room) + each.index(value)
        return self._start + place * self._numbers

    def _known(self) -> Iterator[tuple[list[str], NDArray[np.float64]]]:
        """Combinations that have been counted, with numbers by process, (processes, numbers)."""
        count = math.prod(self._shape)
        found = self._table.read(self._start, count * self._numbers)
        found = found.reshape(len(found), count, self._numbers)
        names = [each.values() for each in self._labels]
        for place in np.flatnonzero(found.any(axis=(0, 2))):
            indices = np.unravel_index(place, self._shape) if self._shape else ()
            yield [values[index] for values, index in zip(names, indices, strict=True)], found[:, place]

    def _names(self) -> list[str]:
        return [each.name for each in self._labels]


class Counter(Family):
    """A number that only grows."""

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """Add to it."""
        self._table.add(self._place(labels), by)

    def collect(self) -> Metric:
        """Sum over all processes."""
        family = CounterMetricFamily(self.name, self.text, labels=self._names())
        for values, numbers in self._known():
            family.add_metric(values, float(numbers.sum()))
        return family


class Gauge(Family):
    """A number that each living process has of its own; shown as their sum."""

    def __init__(self, table: Table, name: str, text: str, labels: Sequence[Labels] = ()) -> None:
        super().__init__(table, name, text, labels, live=True)

    def set(self, *labels: str, to: float) -> None:
        """Set it."""
        self._table.put(self._place(labels), to)

    def collect(self) -> Metric:
        """Sum over living processes."""
        family = GaugeMetricFamily(self.name, self.text, labels=self._names())
        for values, numbers in self._known():
            family.add_metric(values, float(numbers.sum()))
        return family


class Latest(Family):
    """A number that all processes see alike; shown as the one that saw it last says."""

    def __init__(self, table: Table, name: str, text: str) -> None:
        super().__init__(table, name, text, numbers=2)

    def set(self, value: float, moment: float) -> None:
        """Set it, as it was at a moment of the monotonic clock, which all processes share."""
        self._table.put(self._place(()), value, moment)

    def collect(self) -> Metric:
        """The latest."""
        found = self._table.read(self._start, 2)
        return GaugeMetricFamily(self.name, self.text, value=float(found[found[:, 1].argmax(), 0]))


class Histogram(Family):
    """Counts of values up to bounds, and their sum.

    Args:
        bounds: Ascending; infinity follows by itself.
    """

    def __init__(
        self, table: Table, name: str, text: str, labels: Sequence[Labels], bounds: Sequence[float]
    ) -> None:
        self._bounds = (*bounds, math.inf)
        super().__init__(table, name, text, labels, len(self._bounds) + 1)

    def observe(self, *labels: str, value: float) -> None:
        """Count a value."""
        place = self._place(labels)
        self._table.add(place + bisect_left(self._bounds, value), 1.0)
        self._table.add(place + len(self._bounds), value)

    def collect(self) -> Metric:
        """Sums over all processes."""
        family = HistogramMetricFamily(self.name, self.text, labels=self._names())
        bounds = [
            floatToGoString(bound)  # type: ignore[no-untyped-call]
            for bound in self._bounds
        ]
        for values, numbers in self._known():
            *counts, total = numbers.sum(axis=0)
            buckets = list(zip(bounds, np.cumsum(counts).tolist(), strict=True))
            family.add_metric(values, buckets, float(total))
        return family
