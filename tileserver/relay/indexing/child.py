"""The process that reads feeds of buckets, and archives by what they tell.

It is that of `tileserver.catalog.child`, with the same limits, and does two tasks more.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from comeo.archive.stores.buckets import Fetched, fetch
from comeo.archive.stores.objects import HEADS as KEPT
from comeo.archive.stores.zip import ZIP_SUFFIX
from comeo.errors import ArchiveError, OutOfReachError, ReplacedError
from comeo.places import ObjectAddress, address_of
from tileserver.catalog.child import TASKS, entry_of, main
from tileserver.relay.errors import FeedError, UnreachableError
from tileserver.relay.feed.layout import (
    HEADS,
    MAX_HEAD_BYTES,
    MAX_PACK_BYTES,
    PACK,
    SEGMENT,
    head_name,
    pack_name,
    pack_of,
)
from tileserver.relay.feed.lines import Line, PutLine, href_of, told
from tileserver.relay.feed.packing import unpack
from tileserver.relay.feed.packs import read_pack
from tileserver.relay.feed.trust import Trust
from tileserver.relay.indexing.hints import FEED_TASK, TOLD_TASK, Look, Seen, Told
from tileserver.relay.upstream.bucket import BucketUpstream


def look(place: str, seen: Seen) -> Look:
    """Read what a feed has that was not seen, at most to the end of a segment.

    Raises:
        UpstreamError: If it cannot be read, or must not be believed.
    """
    path = Path(seen.trust)
    upstream = BucketUpstream(place, Trust(path))
    try:
        found = upstream.index_since(seen.state)
        if found is None:
            return Look()
        index, state = found
        if not index.last:
            raise UnreachableError(f"the feed of {upstream.name} has no lines yet")
        after = seen.last if index.epoch == seen.epoch else 0
        room = SEGMENT - after % SEGMENT
        lines = list(islice(upstream.lines_of(index, after), room))
    except FeedError as error:
        raise FeedError(f"{error}; to believe it all the same, remove {path} and start again") from error
    upto = lines[-1].seq if lines else after
    root, packs = address_of(place), index.last // PACK
    about = (_told(line, root, packs) for line in lines)
    return Look(
        state=state, epoch=index.epoch, last=index.last, upto=upto, told=tuple(one for one in about if one)
    )


def _told(line: Line, root: ObjectAddress, packs: int) -> Told | None:
    """What a line tells; None of a check line."""
    about, href = told(line), href_of(line)
    if about is None:
        return None
    scene = (about.c, about.id)
    if not isinstance(about, PutLine) or href is None:
        return Told(scene=scene)
    try:
        path = str(address_of(str(root.child(unquote(href)))))
    except ArchiveError as error:
        raise FeedError(
            f"line {line.seq} of the feed tells of {href[:80]!r}, which is no key: {error}"
        ) from error
    if not path.endswith(ZIP_SUFFIX):
        raise FeedError(f"line {line.seq} of the feed tells of {href[:80]!r}, which is no archive")
    number = pack_of(line.seq)
    return Told(
        scene=scene, path=path, etag=about.etag, stored=about.object if line is about else None,
        size=about.bytes, tail=about.tail, packed=about.packed, place=str(root),
        pack=number if number <= packs else 0,
    )  # fmt: skip


def read(path: str, about: Told) -> dict[str, Any]:
    """Read an archive for a catalogue: by its head where the feed has that, else by itself.

    Raises:
        ArchiveError: If it cannot be read, or is another one than the feed tells of.
    """
    head = _head(about)
    if head is not None:
        key = (str(address_of(path)), about.etag)
        KEPT.put(key, Fetched(head, about.size, f'"{about.stored}"', 0.0))
        try:
            return entry_of(path, about.etag)
        except OutOfReachError:
            raise
        except ArchiveError:  # the head is not that of the archive, or the archive has been replaced
            pass
        finally:
            KEPT.drop(key)
    try:
        return entry_of(path, about.etag)
    except ReplacedError as error:
        raise OutOfReachError(
            f"{Path(path).name} is another archive than the feed tells of; publish again"
        ) from error


def _head(about: Told) -> bytes | None:
    """The head of an archive, from a pack or as an object; None where there is none that could be its."""
    size = about.size - about.tail
    if about.packed is None or about.stored is None or not 0 < size <= MAX_HEAD_BYTES:
        return None
    root = address_of(about.place)
    try:
        packed = _pack(about.place, about.pack).get(about.etag) if about.pack else None
        if packed is None:
            packed = fetch(root.child(f"{HEADS}/{head_name(about.etag)}"), {}, about.packed).data
        found = unpack(packed, MAX_HEAD_BYTES, about.etag)
    except OutOfReachError:
        raise
    except (ArchiveError, FeedError):
        return None
    return found if size <= len(found) <= about.size else None  # in a pack there may be more before it


@lru_cache(maxsize=2)
def _pack(place: str, number: int) -> dict[str, bytes]:
    """Heads of a pack; none where it is missing or damaged."""
    try:
        found = fetch(address_of(place).child(f"{HEADS}/{pack_name(number)}"), {}, MAX_PACK_BYTES)
        return read_pack(found.data)
    except OutOfReachError:
        raise
    except (ArchiveError, FeedError):
        return {}


if __name__ == "__main__":
    main(
        {
            **TASKS,
            FEED_TASK: lambda place, seen: look(place, Seen.model_validate_json(seen)).model_dump(
                mode="json"
            ),
            TOLD_TASK: lambda path, about: (
                read(path, Told.model_validate_json(about)) if about else entry_of(path)
            ),
        }
    )
