"""Ranges that are asked for: all that is missing, nothing twice, none too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comeo.archive.stores.extents import Extents
from tileserver.relay.keeping.backoff import Backoff
from tileserver.relay.keeping.spans import GAP, LONGEST, requests

extents = st.lists(
    st.tuples(st.integers(0, 1 << 22), st.integers(0, 1 << 21)).map(lambda pair: (pair[0], sum(pair))),
    max_size=12,
).map(Extents)


@given(extents, extents)
def test_what_is_missing_is_asked_for_once(wanted: Extents, here: Extents) -> None:
    asked = [*requests(wanted, here)]
    found = Extents(asked)
    assert not wanted.without(here).without(found).total
    assert not found.common(here).total
    assert found.total == sum(stop - start for start, stop in asked)
    assert all(0 < stop - start <= LONGEST for start, stop in asked)
    missing = wanted.without(here)
    assert found.total - missing.total <= GAP * max(0, len(missing) - 1)


def test_a_line_that_is_cut_is_tried_soon_and_one_who_refuses_later() -> None:
    cut, refused = Backoff(), Backoff()
    waits = [cut.wait() for _ in range(50)]
    assert waits == sorted(waits)
    assert waits[0] < 0.5
    assert waits[-1] < 2
    assert max(refused.wait(refused=True) for _ in range(50)) == 60
    cut.worked()
    assert cut.wait() == waits[0]
