"""Which state of an alert, a geoservice or a bulletin may follow which: nothing else may happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tileserver.errors import ConflictError

ALERT: Final[Mapping[str, frozenset[str]]] = {
    "verifying": frozenset({"candidate", "withdrawn", "closed"}),
    "candidate": frozenset({"verifying", "confirmed", "dismissed", "expired", "withdrawn", "closed"}),
    "confirmed": frozenset({"notified", "closed"}),
    "notified": frozenset({"closed"}),
    "closed": frozenset({"verifying", "candidate", "notified", "withdrawn"}),  # another scene came to say so
    "dismissed": frozenset(),
    "expired": frozenset(),
    "withdrawn": frozenset({"verifying", "candidate", "closed"}),  # its ground is back
}
GEOSERVICE: Final[Mapping[str, frozenset[str]]] = {
    "draft": frozenset({"active", "archived"}),
    "active": frozenset({"paused", "archived"}),
    "paused": frozenset({"active", "archived"}),
    "archived": frozenset(),
}
BULLETIN: Final[Mapping[str, frozenset[str]]] = {
    "draft": frozenset({"draft", "submitted"}),  # composed anew, as long as nobody has to rely on it
    "submitted": frozenset({"approved", "rejected"}),
    "approved": frozenset({"sent"}),
    "rejected": frozenset(),  # the next revision is another bulletin
    "sent": frozenset(),
}


def check(table: Mapping[str, frozenset[str]], before: str, after: str) -> None:
    """Refuse a step that a table does not have.

    Raises:
        ConflictError: Saying which there are.
    """
    if after not in table[before]:
        steps = ", ".join(sorted(table[before])) or "nothing"
        raise ConflictError(f"what is {before} cannot become {after}; it can become {steps}")
