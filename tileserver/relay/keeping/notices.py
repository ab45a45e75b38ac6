"""What a relay tells people while it works."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

_log = logging.getLogger("comeo")


@dataclass(slots=True)
class Notices:
    """Where it is told.

    Attributes:
        line: Called with what it is doing, often.
        note: Called with what is worth a line in the log.
    """

    line: Callable[[str], None] = lambda _: None
    note: Callable[[str], None] = field(default=_log.info)
