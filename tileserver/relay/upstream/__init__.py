"""Where lines and bytes come from: servers, folders on a disk, and buckets."""

from tileserver.relay.errors import (
    ChangedError,
    FeedError,
    NewEpochError,
    RewoundError,
    UnreachableError,
    UpstreamError,
)
from tileserver.relay.upstream.base import Upstream
from tileserver.relay.upstream.bucket import BucketUpstream
from tileserver.relay.upstream.folder import FolderUpstream
from tileserver.relay.upstream.opening import open_upstream
from tileserver.relay.upstream.server import HttpUpstream
from tileserver.relay.upstream.wire import Wire

__all__ = [
    "BucketUpstream", "ChangedError", "FeedError", "FolderUpstream", "HttpUpstream", "NewEpochError",
    "RewoundError", "UnreachableError", "Upstream", "UpstreamError", "Wire", "open_upstream",
]  # fmt: skip
