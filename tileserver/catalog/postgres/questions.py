"""What is asked of the tables: see `tileserver.catalog.indexed`."""

from tileserver.catalog.postgres.journal import changes, position, revision
from tileserver.catalog.postgres.queries import broken, count, document, get, hits
from tileserver.catalog.postgres.summaries import band_sets, collection, collection_names, coverage, days

__all__ = [
    "band_sets", "broken", "changes", "collection", "collection_names", "count", "coverage", "days",
    "document", "get", "hits", "position", "revision",
]  # fmt: skip
