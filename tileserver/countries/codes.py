"""Areas written as codes of countries."""

from __future__ import annotations

import re
from typing import Final

PREFIX: Final = "country:"
MOST_CODES: Final = 300
"""More than there are."""


def is_countries(area: str) -> bool:
    """Whether an area is written as countries."""
    return area.startswith(PREFIX)


def codes_of(area: str) -> tuple[str, ...]:
    """Codes of an area as `country:SN,GM`, in capitals and each once; there may be no such country.

    Raises:
        ValueError: If these are no codes, in words.
    """
    words = [word.strip() for word in area.removeprefix(PREFIX).split(",")]
    wrong = next((word for word in words if not re.fullmatch(r"[^\W\d_][\w .'’()-]{1,50}", word)), None)
    if wrong is not None or len(words) > MOST_CODES:
        raise ValueError(
            f"{area[:80]!r} names no countries; write codes of ISO 3166-1, as country:KE or country:SN,GM"
        )
    return tuple(dict.fromkeys(word.upper() for word in words))
