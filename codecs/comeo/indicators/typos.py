"""Which known word somebody may have meant by one that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from comeo.missions import MISSIONS

LONGEST: Final = 40
"""Characters of a word that are looked at."""
SUBSTITUTION: Final = 2
"""In short names another sign is mostly another name: `B11` is not meant for `B01`."""
SHORT: Final = 4


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that differs by a slip of the keys, or None.

    A slip is a letter too few or too many, or two that are swapped; one in up to four letters, two in longer
    words. The name of a band of a mission is none, whatever it looks like.
    """
    if is_band(word):
        return None
    written = word[:LONGEST].lower()
    most = min(1 if len(written) <= SHORT else 2, len(written) - 1)
    near = [(slips, each) for each in known if (slips := _slips(written, each.lower())) <= most]
    return min(near, key=lambda one: one[0])[1] if near else None


def is_band(word: str) -> bool:
    """Whether a mission has a band of this name."""
    return any(word in mission.bands for mission in MISSIONS.values())


def _slips(one: str, other: str) -> int:
    """Slips that make one word of another (optimal string alignment)."""
    before, last = list[int](), list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            least = min(last[j] + 1, row[-1] + 1, last[j - 1] + (0 if a == b else SUBSTITUTION))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before, last = last, row
    return last[-1]
