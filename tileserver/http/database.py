"""The application's database of geoservices."""

from __future__ import annotations

from functools import lru_cache

from comeo.errors import NotFoundError
from tileserver.http.context import scenes
from tileserver.store.database import Database


def database() -> Database:
    """That of the application that answers.

    Raises:
        NotFoundError: If it has none.
    """
    address = scenes().settings.database
    if address is None:
        raise NotFoundError("this server has no geoservices")
    return _open(address)


@lru_cache(maxsize=8)
def _open(address: str) -> Database:
    return Database(address)
