"""Where archives and sources lie: on a disk, on a server, in a bucket of an object store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from comeo.errors import ArchiveError

BUCKETS: Final = "s3://"
"""What an address in a bucket begins with."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MOST_KEY_BYTES: Final = 1024


class ObjectAddress(NamedTuple):
    """Where an object lies, or with an empty key or that of a folder, where objects lie.

    Attributes:
        bucket: Name of the bucket.
        key: Of the object, as it is: nothing in it is quoted.
    """

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{BUCKETS}{self.bucket}/{self.key}"

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    def child(self, name: str) -> ObjectAddress:
        """The address of a name below this one."""
        return ObjectAddress(self.bucket, f"{self.key}/{name}" if self.key else name)


def is_url(place: object) -> bool:
    """Whether an archive or a source is an http(s) URL."""
    return isinstance(place, str) and place.lower().startswith(("http://", "https://"))


def in_bucket(place: object) -> bool:
    """Whether an archive or a folder of archives lies in a bucket."""
    return isinstance(place, str) and place.lower().startswith(BUCKETS)


def is_far(place: object) -> bool:
    """Whether an archive lies on a server or in a bucket, and so on no disk of this machine."""
    return is_url(place) or in_bucket(place)


def address_of(place: str) -> ObjectAddress:
    """Read an address, with or without a slash at its end.

    Raises:
        ArchiveError: If it is none, or has a key that object stores and URLs take in different ways.
    """
    bucket, _, key = place[len(BUCKETS) :].partition("/")
    if not in_bucket(place) or not _BUCKET.fullmatch(bucket):  # not repeated: there may be a secret in it
        raise ArchiveError(
            "an address in a bucket is s3://BUCKET/KEY, and BUCKET has small letters, digits, dots and "
            "hyphens; credentials come from the environment, as AWS_ACCESS_KEY_ID"
        )
    key = key.removesuffix("/")
    odd = any(part in ("", ".", "..") for part in key.split("/")) if key else False
    if odd or not key.isprintable() or len(key.encode(errors="replace")) > _MOST_KEY_BYTES:
        raise ArchiveError(
            f"{key[:100]!r} is no key that can be read: use letters, and single slashes between names that "
            "are not . or .."
        )
    return ObjectAddress(bucket, key)


def below(folder: Path | ObjectAddress, name: str) -> Path | ObjectAddress:
    """The place of a name in a folder."""
    return folder / name if isinstance(folder, Path) else folder.child(name)
