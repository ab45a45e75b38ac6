"""Which properties of scenes a collection is summed up by, and how."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

SUMMARISED: Final = (
    "platform", "constellation", "instruments", "processing:level", "sar:instrument_mode", "sar:product_type",
    "sar:polarizations", "sar:frequency_band", "sat:orbit_state", "sat:relative_orbit", "comeo:quantity",
)  # fmt: skip
MOST_VALUES: Final = 200
"""Of a property in a summary: Sentinel-1 has 175 relative orbits."""
_NUMBERS: Final = "sat:relative_orbit"
_LISTS: Final = ("instruments", "sar:polarizations")


def summed_up(found: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    """Values of properties, sorted, each once.

    Args:
        found: Values that items have, by property; a list as text is JSON.
    """
    out: dict[str, list[Any]] = {}
    for key, given in found.items():
        kind = int if key == _NUMBERS else str
        values = {value for value in given if isinstance(value, kind)}
        if key in _LISTS:
            values = {part for value in values for part in _strings(str(value))}
        if values:
            out[key] = sorted(values)
    return out


def _strings(text: str) -> list[str]:
    """Strings of a list as JSON; of other text itself."""
    try:
        values = json.loads(text)
    except ValueError:
        return [text]
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else [text]
