"""Facts in file and product names: date, mission, platform, level, tile; and names that are safe to use."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final

from comeo.errors import SourceError
from comeo.missions import MISSIONS, mission_in, platform_in

logger = logging.getLogger(__name__)

MAX_BAND_NAME: Final = 64
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")
_INSTANT: Final = re.compile(r"(?<!\d)(\d{4})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(\d\d)(?!\d)")
# HLS: year and day of the year. MAJA: with milliseconds. ACOLITE: all parts apart.
_DAY_OF_YEAR: Final = re.compile(r"(?<!\d)(\d{4})(\d{3})T(\d\d)(\d\d)(\d\d)(?!\d)")
_MAJA: Final = re.compile(r"(?<!\d)(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-(\d{3})(?!\d)")
_APART: Final = re.compile(r"(?<!\d)(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)(?!\d)")
_EXIF: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")
_DAY: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class NameFacts:
    """Facts in a name.

    Attributes:
        mission: Id of the mission, `sentinel-2`, or empty.
        level: Processing level, `L2A`, or empty.
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
    """Read the facts off a file or product name; those that it lacks stay empty."""
    mission, platform = mission_in(name), platform_in(name)
    properties: dict[str, Any] = {"platform": platform} if platform else {}
    for each in MISSIONS.values():
        properties |= each.name_properties(name)
    levels = (each.name_level.search(name) for each in MISSIONS.values() if each.name_level)
    level = next((match.group(1).upper() for match in levels if match), "")
    return NameFacts(mission.id if mission else "", level, _instant(name), _day(name), properties)


def facts_of_one_scene(where: str, files: Iterable[str]) -> list[NameFacts]:
    """Read the facts off the names of band files.

    Args:
        where: Name of the product, for the message.
        files: Their paths.

    Raises:
        SourceError: If their times, days or tiles are those of several scenes.
    """
    each = [facts_of(PurePosixPath(file).stem) for file in files]
    for what, values in (
        ("times", {facts.instant for facts in each if facts.instant}),
        ("dates", {facts.day for facts in each if facts.day and not facts.instant}),
        ("tiles", {facts.properties["grid:code"] for facts in each if "grid:code" in facts.properties}),
    ):
        if len(values) > 1:
            raise SourceError(
                f"{where} holds files of several scenes: their names have different {what}; "
                "put each scene into a folder of its own"
            )
    return each


def _instant(name: str) -> datetime | None:
    for pattern in (_INSTANT, _MAJA, _APART, _DAY_OF_YEAR):
        for match in pattern.finditer(name):
            if (instant := _moment(pattern, [int(part) for part in match.groups()])) is not None:
                return instant
    return None


def _moment(pattern: re.Pattern[str], parts: list[int]) -> datetime | None:
    """The instant that the numbers of a name are, or None if they are none."""
    try:
        if pattern is _DAY_OF_YEAR:
            year, day, hour, minute, second = parts
            start = datetime(year, 1, 1, hour, minute, second, tzinfo=UTC)
            moment = start + timedelta(days=day - 1)
            return moment if day and moment.year == year else None
        date, milliseconds = parts[:6], (parts[6:] or [0])[0]
        year, month, day, hour, minute, second = date
        return datetime(year, month, day, hour, minute, second, milliseconds * 1000, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _day(name: str) -> datetime | None:
    for match in _DAY.finditer(name):
        try:
            return datetime(int(match.group(1)), int(match.group(3)), int(match.group(4)), tzinfo=UTC)
        except ValueError:
            continue
    return None


def parse_time(text: object, where: str) -> datetime:
    """Parse an ISO 8601 instant, or one as EXIF writes it; one without a zone is UTC.

    Raises:
        SourceError: If the text is not one.
    """
    plain = _EXIF.sub(r"\1-\2-\3 \4", str(text).strip())
    try:
        instant = datetime.fromisoformat(plain)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SourceError(f"{where}: {str(text)[:40]!r} is not a time such as 2019-05-30T10:30:31Z") from None


def lenient_time(text: object, where: str) -> datetime | None:
    """Parse an instant of metadata; one that cannot be read is said and left to the source's names."""
    try:
        return parse_time(text, where)
    except SourceError as error:
        logger.warning("%s; it is left out, and can be given with --datetime", error)
        return None


def iso(time: datetime) -> str:
    """An instant as STAC writes it: UTC with a Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def safe_band(text: str) -> str:
    """A band's name that expressions can have: letters, digits and `_`, no digit first; empty for none."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", text)[:MAX_BAND_NAME]
    return f"b{plain}"[:MAX_BAND_NAME] if plain[:1].isdigit() else plain


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
