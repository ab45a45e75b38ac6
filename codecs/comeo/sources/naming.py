"""What file and product names say: the date, the tile, the platform, the level; and which names are safe."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from comeo.errors import SourceError

logger = logging.getLogger(__name__)

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")
_INSTANT: Final = re.compile(r"(?<!\d)(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?!\d)")
_DAY: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_TILE: Final = re.compile(r"(?:^|[_\-.])T?(\d{2}[C-HJ-NP-X][A-HJ-NP-Z]{2})(?=[_\-.]|$)")
_PLATFORM: Final = re.compile(r"(?:^|[_\-])S([12])([A-D])(?=[_\-]|$)", re.IGNORECASE)
_MISSION: Final = re.compile(r"(?:^|[_\-])(?:S|sentinel-?)([12])(?=[A-D]?(?:[_\-]|$))", re.IGNORECASE)
_LEVEL: Final = re.compile(r"(?:^|[_\-]|MSI)(L1C|L2A)(?=[_\-]|$)", re.IGNORECASE)
_BASELINE: Final = re.compile(r"_N(\d\d)(\d\d)_")


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What a name says.

    Attributes:
        mission: `sentinel-1`, `sentinel-2` or empty.
        level: `L1C`, `L2A` or empty.
        instant: Acquisition to the second, or None.
        day: Acquisition to the day (midnight UTC), or None.
        properties: STAC Item properties that follow.
    """

    mission: str = ""
    level: str = ""
    instant: datetime | None = None
    day: datetime | None = None
    properties: dict[str, Any] = field(default_factory=dict)


def facts_of(name: str) -> NameFacts:
    """Read the facts off a file or product name; whatever it does not say stays empty."""
    properties: dict[str, Any] = {}
    mission = level = ""
    if match := _MISSION.search(name):
        mission = f"sentinel-{match.group(1)}"
    if match := _PLATFORM.search(name):
        properties["platform"] = f"sentinel-{match.group(1)}{match.group(2).lower()}"
    if match := _LEVEL.search(name):
        level = match.group(1).upper()
    if match := _TILE.search(name):
        properties["grid:code"] = f"MGRS-{match.group(1)}"
        properties["s2:mgrs_tile"] = match.group(1)
    if match := _BASELINE.search(name):
        properties["s2:processing_baseline"] = f"{match.group(1)}.{match.group(2)}"
    return NameFacts(mission, level, _instant(name), _day(name), properties)


def _instant(name: str) -> datetime | None:
    for match in _INSTANT.finditer(name):
        try:
            return datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
        except ValueError:
            continue
    return None


def _day(name: str) -> datetime | None:
    for match in _DAY.finditer(name):
        try:
            return datetime(int(match.group(1)), int(match.group(3)), int(match.group(4)), tzinfo=UTC)
        except ValueError:
            continue
    return None


def parse_time(text: object, where: str) -> datetime:
    """Parse an ISO 8601 instant; one without a zone is UTC.

    Raises:
        SourceError: If it is none.
    """
    try:
        instant = datetime.fromisoformat(str(text).strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SourceError(f"{where}: {str(text)[:40]!r} is not a time such as 2019-05-30T10:30:31Z") from None


def iso(time: datetime) -> str:
    """An instant as STAC writes it: UTC with a Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def check_id(text: str, what: str) -> str:
    """Return an identifier that the user gave, if it can be a file name and a part of a URL.

    Raises:
        SourceError: If it cannot.
    """
    if not _ID.fullmatch(text):
        raise SourceError(
            f"the {what} {text[:60]!r} is not usable: take letters, digits, '_', '-' and '.', "
            "128 at most, and start with a letter or a digit"
        )
    return text


def safe_id(text: str, what: str) -> str:
    """Make an identifier that came with a source fit for a file name and a URL.

    Raises:
        SourceError: If nothing of it is left.
    """
    safe = re.sub(r"[^A-Za-z0-9_.\-]+", "_", text).lstrip("_.-")[:128]
    if safe != text:
        logger.warning("the %s %r is written as %r", what, text[:60], safe)
    return check_id(safe, what)
