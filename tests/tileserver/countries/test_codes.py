"""How areas are written as countries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tileserver.countries.codes import MOST_CODES, codes_of, is_countries

CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=3)


@given(st.lists(CODES, min_size=1, max_size=20, unique=True), st.sampled_from([",", ", ", " ,"]))
def test_codes_are_read_as_they_are_written(codes: list[str], comma: str) -> None:
    area = f"country:{comma.join(codes)}"
    assert is_countries(area)
    assert codes_of(area) == codes_of(area.replace(area[8:], area[8:].lower())) == tuple(codes)
    assert codes_of(f"{area},{codes[0]}") == tuple(codes)


@given(st.text(max_size=40))
def test_whatever_follows_is_codes_or_a_sentence(text: str) -> None:
    try:
        assert all(codes_of(f"country:{text}"))
    except ValueError as error:
        assert "write codes of ISO 3166-1" in str(error)


@pytest.mark.parametrize(
    "text", ["", ",", "SN,", "SN,,GM", "S", "../x", "1234", ",".join(["SN"] * (MOST_CODES + 1))]
)
def test_what_are_no_codes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no countries; write codes of ISO 3166-1, as country:KE"):
        codes_of(f"country:{text}")
