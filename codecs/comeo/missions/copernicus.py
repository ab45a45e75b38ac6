"""Facts that all Sentinels share."""

from __future__ import annotations

from typing import Final

CREDIT: Final = "Contains modified Copernicus Sentinel data"
"""Required by the Sentinel data legal notice, followed by the year of the data."""

ANY_SENTINEL: Final = "sentinel"
"""A name with this in it is of some Sentinel, described here or not."""
