"""Bytes that stand in an archive's metadata as Base64, read strictly."""

from __future__ import annotations

import base64


def from_base64(text: str) -> bytes:
    """The bytes of a text in Base64 (RFC 4648 §4, with padding).

    Raises:
        ValueError: If it is anything else.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # of other characters than ASCII, too
        raise ValueError("it is not Base64") from error


def records_from_base64(text: str, count: int, size: int, name: str) -> bytes:
    """The bytes of a text in Base64, which has to hold so many records.

    Args:
        text: The text.
        count: Number of records.
        size: Of a record, in bytes.
        name: Of what a record tells of, in the plural, for messages.

    Raises:
        ValueError: If it is no Base64, or that of another number of bytes.
    """
    data = from_base64(text)
    if len(data) != count * size:
        raise ValueError(f"it has {len(data)} bytes, not {size} for each of {count} {name}")
    return data
