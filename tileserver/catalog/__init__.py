"""The catalogue of scenes: its contract, what keeps it, and the archives that it lists, open."""

from tileserver.catalog.base import (
    COMPLETENESS,
    LAYERS,
    NEWEST_FIRST,
    BBox,
    Catalog,
    CollectionSummary,
    Coverage,
    Cursor,
    Hit,
    Order,
    Record,
    Search,
    SortKey,
)
from tileserver.catalog.feed import Change, Changes, Position
from tileserver.catalog.following import FollowingCache
from tileserver.catalog.kinds import BandSet, OddScene, kinds_of, offered
from tileserver.catalog.opening import open_catalog, placed
from tileserver.catalog.pool import ArchivePool
from tileserver.catalog.scan import file_signature
from tileserver.catalog.sqlite import SqliteCatalog

__all__ = [
    "COMPLETENESS",
    "LAYERS",
    "NEWEST_FIRST",
    "ArchivePool",
    "BBox",
    "BandSet",
    "Catalog",
    "Change",
    "Changes",
    "CollectionSummary",
    "Coverage",
    "Cursor",
    "FollowingCache",
    "Hit",
    "OddScene",
    "Order",
    "Position",
    "Record",
    "Search",
    "SortKey",
    "SqliteCatalog",
    "file_signature",
    "kinds_of",
    "offered",
    "open_catalog",
    "placed",
]
