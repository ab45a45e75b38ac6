"""Ranges of bytes behave as the sets of numbers that they stand for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.archive.stores.extents import Extents, Span

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair))))
SPAN = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))


def numbers(spans: object) -> set[int]:
    return {number for start, stop in spans for number in range(start, stop)}  # type: ignore[attr-defined]


@given(SPANS)
def test_ranges_are_sorted_merged_and_the_same_bytes(spans: list[Span]) -> None:
    found = Extents(spans)
    assert numbers(found) == numbers(spans)
    assert all(stop < start for (_, stop), (start, _) in pairwise(found))
    assert all(start < stop for start, stop in found)
    assert found.total == len(numbers(spans))
    assert found == Extents(reversed(spans))


@given(SPANS, SPAN)
def test_add_missing_and_covers_agree_with_the_set(spans: list[Span], span: Span) -> None:
    found, wanted = Extents(spans), set(range(*span))
    assert numbers(found.missing(*span)) == wanted - numbers(spans)
    assert found.covers(*span) == (wanted <= numbers(spans))
    assert numbers(found.add(*span)) == numbers(spans) | wanted
    assert found.add(*span).covers(*span)


@given(SPANS, SPANS)
def test_two_of_them_agree_with_the_sets(one: list[Span], other: list[Span]) -> None:
    left, right = Extents(one), Extents(other)
    assert numbers(left.union(right)) == numbers(one) | numbers(other)
    assert numbers(left.common(right)) == numbers(one) & numbers(other)
    assert numbers(left.without(right)) == numbers(one) - numbers(other)


@given(SPANS, st.integers(0, 8))
def test_coalesced_closes_small_gaps_and_no_others(spans: list[Span], gap: int) -> None:
    found = Extents(spans)
    joined = found.coalesced(gap)
    assert numbers(found) <= numbers(joined)
    assert all(start - stop >= gap for (_, stop), (start, _) in pairwise(joined))
    assert all(stop - start < gap for start, stop in joined.without(found))


@pytest.mark.parametrize("span", [(-1, 3), (5, 4)])
def test_what_is_no_range_is_refused(span: Span) -> None:
    with pytest.raises(ValueError, match="no range of bytes"):
        Extents([span])
