"""Text in archives, of which nothing may act as markup or script in the documents that it comes to.

Such text is left out as an archive is read, in this one place, whatever is made of it later: HTML, KML,
STAC's descriptions (which are CommonMark, and may hold HTML), links.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import Any, Final

_MARKUP: Final = re.compile(r"<[A-Za-z/!?]")
# Browsers skip white space and control characters within the name of a scheme.
_SKIPPED: Final = re.compile(r"[\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\ufeff]+")
_SCRIPT: Final = re.compile(r"(?:java|vb|live)script:|data:[a-z]+/", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# What no text without any of these characters can be: markup, escapes, a scheme, control characters.
_DOUBTFUL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f<&:]")
_LONGEST_NAME: Final = 64  # that is remembered
_URL_MEMBER: Final = re.compile(r"(?:.*[_:.-])?(?:href|url|uri|\$schema|stac_extensions)", re.IGNORECASE)
_URL: Final = re.compile(r"https?://[A-Za-z0-9\[][^\s\"'<>\\^`{|}]*", re.IGNORECASE)
_RELATIVE: Final = re.compile(r"(?!//)[^\s:\"'<>\\^`{|}]*")


def plain(document: Any, unchecked: frozenset[str] = frozenset()) -> tuple[Any, list[str]]:
    """Return a JSON document without text that a browser could act on.

    Args:
        document: Of JSON's types.
        unchecked: Members whose text is never shown.

    Returns:
        The document, and the names of the members that were left out (`properties.title`).
    """
    left_out: list[str] = []
    return _plain(document, "", "", unchecked, left_out), left_out


def is_plain(text: str) -> bool:
    """Whether a text is free of markup, control characters and scripts' schemes, escaped or not."""
    if not _DOUBTFUL.search(text):
        return True
    meant = html.unescape(text)
    hidden = _CONTROL.search(meant) or _MARKUP.search(meant) or _SCRIPT.search(_SKIPPED.sub("", meant))
    return hidden is None


_remembered = lru_cache(1024)(is_plain)


def _is_plain_name(name: str) -> bool:
    """`is_plain` of a member's name: the same few names stand in every archive."""
    return _remembered(name) if len(name) <= _LONGEST_NAME else is_plain(name)


def _plain(value: Any, name: str, path: str, unchecked: frozenset[str], left_out: list[str]) -> Any:
    if isinstance(value, dict):
        kept = {}
        for key, member in value.items():
            where = f"{path}.{key}" if path else key
            if not _is_plain_name(key) or not _is_kept(member, key, unchecked):
                left_out.append(where)
            else:
                kept[key] = _plain(member, key, where, unchecked, left_out)
        return kept
    if isinstance(value, list):
        found = [element for element in value if _is_kept(element, name, unchecked)]
        left_out += [path] * (len(found) < len(value))
        return [_plain(element, name, path, unchecked, left_out) for element in found]
    return value


def _is_kept(value: Any, name: str, unchecked: frozenset[str]) -> bool:
    if not isinstance(value, str) or name in unchecked:
        return True
    if _URL_MEMBER.fullmatch(name) and not (_URL.fullmatch(value) or _RELATIVE.fullmatch(value)):
        return False
    return is_plain(value)
