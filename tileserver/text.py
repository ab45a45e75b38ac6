"""Text that can be written: as UTF-8, and as XML."""

from __future__ import annotations

import re

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8: JSON and names on disk can carry halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def xml_text(value: str) -> str:
    """Text with U+FFFD for each character that XML cannot carry, such as control characters."""
    return _NOT_XML.sub("\ufffd", value)
