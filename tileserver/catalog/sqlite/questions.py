"""What is asked of the file: see `tileserver.catalog.indexed`."""

from tileserver.catalog.sqlite.journal import changes, position
from tileserver.catalog.sqlite.queries import broken, count, document, get, hits, revision
from tileserver.catalog.sqlite.summaries import band_sets, collection, collection_names, coverage, days

__all__ = [
    "band_sets", "broken", "changes", "collection", "collection_names", "count", "coverage", "days",
    "document", "get", "hits", "position", "revision",
]  # fmt: skip
