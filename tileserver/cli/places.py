"""Names on disk as arguments: a URL would be taken for one, and be said not to exist, or made a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from comeo.errors import ArchiveError
from comeo.places import ObjectAddress, address_of, in_bucket, is_far


class LocalPath(click.Path):
    """A `click.Path` that is no URL.

    Args:
        instead: What to do about a URL, half a sentence.
        **options: Of `click.Path`.
    """

    def __init__(self, instead: str = "give the name of a file or folder", **options: Any) -> None:
        super().__init__(path_type=Path, **options)
        self._instead = instead

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        if is_far(value):
            self.fail(f"{value} is a URL: {self._instead}", param, ctx)
        return super().convert(value, param, ctx)


class LocalOrBucketPath(LocalPath):
    """A name on disk, or an address in a bucket, `s3://BUCKET/KEY`, which becomes an `ObjectAddress`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        if isinstance(value, ObjectAddress):
            return value
        if not in_bucket(value):
            return super().convert(value, param, ctx)
        try:
            return address_of(value)
        except ArchiveError as error:
            self.fail(str(error), param, ctx)
