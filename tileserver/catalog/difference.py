"""What has changed in the folders since a catalogue last looked at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from comeo.archive.stores import other_form


class Known(NamedTuple):
    """What a catalogue remembers of an archive.

    Attributes:
        signature: State when it was read.
        twin: Whether it is left out because another archive has its id.
    """

    signature: str
    twin: bool


class Difference(NamedTuple):
    """What has changed since the last look.

    Attributes:
        gone: Paths of archives that are no longer there.
        changed: Paths of those to be read, in the order of the look.
    """

    gone: list[str]
    changed: list[str]


def difference(known: Mapping[str, Known], found: Mapping[str, str]) -> Difference:
    """Compare archives on disk, by path with their signatures, with those that are known."""
    changed = {
        path for path, signature in found.items() if path not in known or known[path].signature != signature
    }
    # what has become whole, or fades, gives way when that is taken in: its scene goes on without a gap
    gone = [path for path in known if path not in found and other_form(path) not in changed]
    if gone or changed:  # an archive refused because another has its id gets its chance
        changed |= {path for path, one in known.items() if one.twin and path in found}
    return Difference(gone, [path for path in found if path in changed])
