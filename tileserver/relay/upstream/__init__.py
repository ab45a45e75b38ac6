"""Where lines and bytes come from: servers, and folders on a disk."""

from tileserver.relay.errors import (
    ChangedError,
    FeedError,
    NewEpochError,
    RewoundError,
    UnreachableError,
    UpstreamError,
)
from tileserver.relay.upstream.base import Upstream, Wire
from tileserver.relay.upstream.folder import FolderUpstream
from tileserver.relay.upstream.server import HttpUpstream

__all__ = [
    "ChangedError", "FeedError", "FolderUpstream", "HttpUpstream", "NewEpochError", "RewoundError",
    "UnreachableError", "Upstream", "UpstreamError", "Wire",
]  # fmt: skip
