"""Names for people."""

from __future__ import annotations


def collection_title(name: str) -> str:
    """`sentinel-2-l2a` → `Sentinel-2 L2A`."""
    words = name.replace("_", "-").split("-")
    if words[0] == "sentinel" and len(words) > 1:
        return " ".join([f"Sentinel-{words[1].upper()}", *(word.upper() for word in words[2:])])
    return name
