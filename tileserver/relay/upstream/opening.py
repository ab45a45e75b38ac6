"""Which upstream an address is of."""

from __future__ import annotations

from comeo.places import in_bucket
from tileserver.relay.feed.trust import Trust
from tileserver.relay.upstream.bucket import BucketUpstream
from tileserver.relay.upstream.folder import FolderUpstream
from tileserver.relay.upstream.server import HttpUpstream


def open_upstream(url: str, trust: Trust) -> FolderUpstream | HttpUpstream | BucketUpstream:
    """Open where an origin is.

    Args:
        url: Of a server, of a folder (`file:///…`), or of a bucket (`s3://BUCKET/PREFIX`).
        trust: What is known of it.

    Raises:
        ComeoError: If it is none.
        UnreachableError: If it is a folder that is not there.
    """
    if in_bucket(url):
        return BucketUpstream(url, trust)
    return FolderUpstream(url, trust) if url.startswith("file:") else HttpUpstream(url, trust)
