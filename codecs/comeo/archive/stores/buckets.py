"""Buckets of object stores that speak S3, through obstore: `s3://BUCKET/KEY`.

Where the store is and who asks is said by the usual variables of the environment: `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, `AWS_SKIP_SIGNATURE` and others.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from comeo.archive.stores.file import temporary_name
from comeo.errors import ArchiveError, OutOfReachError, ReplacedError
from comeo.places import ObjectAddress

if TYPE_CHECKING:
    from obstore import GetOptions, PutMode
    from obstore.store import S3Config, S3Store

PAGE: Final = 1000
"""Objects that a store lists at once."""
Use = Literal["read", "write", "stream"]
_TIMES: Final[dict[Use, dict[str, str]]] = {
    "read": {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "300s"},
    "write": {"connect_timeout": "10s", "timeout": "6h"},  # a part over a line of 16 kbit/s
    "stream": {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "6h"},
}
"""How long clients wait: `read_timeout` begins anew with each byte that comes, and while none is due."""
_RETRIES: Final = 3
_ONE_REQUEST: Final = 64 << 20
"""Bytes that are sent at once, and so are held in memory; more are sent in parts."""
_PART_BYTES: Final = 8 << 20
_PARTS_AT_ONCE: Final = 4
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_ODD_PATH: Final = re.compile(r'Path "(.{1,200}?)"')
_NO_CREDENTIALS: Final = ("169.254.169.254", "fd00:ec2::254")  # asked where the environment says nothing
_CREDENTIALS: Final = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_PUBLIC: Final = "for a public bucket set AWS_SKIP_SIGNATURE=true"


class MissingError(ArchiveError):
    """There is no such object."""


class UnchangedError(ArchiveError):
    """An object is still in the state that is known."""


class ShortError(ArchiveError):
    """There are no such bytes in an object."""


class Listed(NamedTuple):
    """An object in a listing.

    Attributes:
        address: Of the object.
        size: Bytes.
        etag: As the store gives it, without quotes.
    """

    address: ObjectAddress
    size: int
    etag: str

    @property
    def signature(self) -> str:
        """What changes when the object does."""
        return f"{self.etag}-{self.size}"


class Fetched(NamedTuple):
    """Bytes of an object.

    Attributes:
        data: The bytes.
        size: Of the whole object.
        etag: As the store gives it, with quotes.
        modified: Seconds since 1970.
    """

    data: bytes
    size: int
    etag: str
    modified: float


def fetch(address: ObjectAddress, options: GetOptions, most: int | None = None) -> Fetched:
    """Get bytes of an object.

    Args:
        address: Of the object.
        options: Which bytes, and of which state of it.
        most: Bytes that the whole object may have; None for any number.

    Raises:
        ReplacedError: If it is not in that state any more.
        UnchangedError: If it is still in a state that was not asked for.
        OutOfReachError: If the store does not answer, or refuses.
        MissingError: If there is no such object.
        ArchiveError: If it is larger.
    """
    with _saying(address):
        answer = _store(address.bucket).get(address.key, options=options)
        meta = answer.meta
        if most is not None and meta["size"] > most:
            raise ArchiveError(f"{address} has more than {most} bytes, and is not read")
        data = bytes(answer.bytes())
        return Fetched(data, meta["size"], meta["e_tag"] or "", meta["last_modified"].timestamp())


def fetch_pieces(address: ObjectAddress, options: GetOptions, piece: int) -> tuple[Fetched, Iterator[bytes]]:
    """Get bytes of an object as they come, however long that takes.

    Args:
        address: Of the object.
        options: See `fetch`.
        piece: Bytes at most that are given at once.

    Returns:
        What is known before the first byte, without `data`, and the bytes. Both raise as `fetch`.
    """
    with _saying(address):
        answer = _store(address.bucket, "stream").get(address.key, options=options)
        meta = answer.meta
        stream = answer.stream(min_chunk_size=piece)

    def pieces() -> Iterator[bytes]:
        with _saying(address):
            for buffer in stream:
                chunk = memoryview(buffer)
                for begin in range(0, len(chunk), piece):
                    yield bytes(chunk[begin : begin + piece])

    return Fetched(b"", meta["size"], meta["e_tag"] or "", meta["last_modified"].timestamp()), pieces()


def find(address: ObjectAddress) -> Listed | None:
    """What a listing would have of one object; None if there is no object of that key.

    Raises:
        OutOfReachError: If the store does not answer, or refuses; or there is no such bucket.
    """
    try:
        found = fetch(address, {"range": (0, 1)})  # not HEAD, whose answer tells no missing bucket from a key
    except MissingError:
        return None
    except ShortError:
        return Listed(address, 0, "")
    return Listed(address, found.size, found.etag.strip('"'))


def list_page(folder: ObjectAddress, after: str | None = None) -> tuple[list[Listed], str | None]:
    """List objects below an address, sorted by their keys.

    Args:
        folder: The address.
        after: Key behind which to begin.

    Returns:
        At most `PAGE` objects, and the key behind which the next ones begin; None where these are the last.

    Raises:
        OutOfReachError: If the store does not answer, or refuses.
        ArchiveError: If there is no such bucket, or a key in it that cannot be read.
    """
    with _saying(folder):
        pages = _store(folder.bucket).list(folder.key or None, offset=after, chunk_size=PAGE)
        page = next(iter(pages), [])
    found = [
        Listed(ObjectAddress(folder.bucket, each["path"]), each["size"], (each["e_tag"] or "").strip('"'))
        for each in page
    ]
    return found, found[-1].address.key if len(found) == PAGE else None


def put_new(path: Path, address: ObjectAddress) -> None:
    """Make an object of a file, in one step for all who look, where there is none of that key.

    Args:
        path: The file.
        address: Of the object.

    Raises:
        FileExistsError: If there is one.
        OutOfReachError: If the store does not answer, or refuses.
        ArchiveError: If there is no such bucket.
    """
    store = _store(address.bucket, "write")
    with _saying(address, writing=True):
        if path.stat().st_size <= _ONE_REQUEST:
            store.put(address.key, path, mode="create", use_multipart=False)
            return
        # what comes in parts cannot be on a condition; a copy within the store can
        aside = address.key.removesuffix(address.name) + temporary_name(Path(address.name), "partial").name
        try:
            store.put(aside, path, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
            store.copy(aside, address.key, overwrite=False)
        finally:
            with contextlib.suppress(Exception):  # what is said is why it was not published, or that it was
                store.delete(aside)


def put(address: ObjectAddress, data: bytes, state: str | None) -> str:
    """Make an object of bytes, or replace it, in one step for all who look.

    Args:
        address: Of the object.
        data: What it is to have.
        state: ETag of the one that is replaced; empty where there must be none of that key; None for any.

    Returns:
        ETag of what is there now, as `Fetched.etag`.

    Raises:
        ReplacedError: If another one is there than `state` says.
        OutOfReachError: If the store does not answer, or refuses.
        ArchiveError: If there is no such bucket.
    """
    mode: PutMode = "overwrite" if state is None else {"e_tag": state} if state else "create"
    try:
        with _saying(address, writing=True):
            written = _store(address.bucket, "write").put(address.key, data, mode=mode, use_multipart=False)
            return written["e_tag"] or ""
    except (FileExistsError, ReplacedError) as error:
        there = _same(address, data)  # where the answer to a request was lost
        if there is None:
            raise ReplacedError(f"{address} is another one than it was") from error
        return there.etag


def _same(address: ObjectAddress, data: bytes) -> Fetched | None:
    """An object, if it is made of the same bytes."""
    try:
        there = fetch(address, {}, len(data))
    except OutOfReachError:
        raise
    except ArchiveError:  # it has gone, or is larger
        return None
    return there if there.data == data else None


def remove(address: ObjectAddress) -> None:
    """Remove an object, if it is there.

    Raises:
        OutOfReachError: If the store does not answer, or refuses.
    """
    with contextlib.suppress(MissingError), _saying(address, writing=True):
        _store(address.bucket, "write").delete(address.key)


def check_installed() -> None:
    """Make sure that buckets can be used.

    Raises:
        ArchiveError: Saying what to install.
    """
    try:
        import obstore  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ArchiveError(
            "buckets need obstore, which is not installed; run: pip install 'comeo[objects]'"
        ) from error


def _store(bucket: str, use: Use = "read") -> S3Store:
    """The client of a bucket for a use, which keeps its connections.

    Raises:
        ArchiveError: If there can be none.
    """
    if _first_process() != os.getpid():  # whose threads the client would wait for for ever
        raise ArchiveError("buckets are used by the process that this one was forked from; start a new one")
    said = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return _made(bucket, said, use)


@lru_cache(maxsize=1)
def _first_process() -> int:
    """The process that has used a bucket first, in one that was forked from it as well."""
    return os.getpid()


@lru_cache(maxsize=16)
def _made(bucket: str, said: tuple[tuple[str, str], ...], use: Use) -> S3Store:
    """See `_store`; `said` is what the environment says of stores, by which they differ."""
    from obstore.store import S3Store  # noqa: PLC0415 - an extra

    environment = dict(said)
    _check_endpoint(environment)
    config: S3Config = {  # type: ignore[assignment] # what clients wait for is among these, too
        name: value for name, value in _TIMES[use].items() if f"AWS_{name.upper()}" not in environment
    }
    return S3Store(
        bucket, config=config, retry_config={"max_retries": _RETRIES}, copy_if_not_exists="multipart"
    )


def _check_endpoint(environment: dict[str, str]) -> None:
    """Refuse an endpoint that the client would stumble over.

    Raises:
        ArchiveError: Saying what to set.
    """
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        value = environment.get(name)
        if value is None:
            continue
        try:
            parts = urlsplit(value)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or not value.isascii() or not value.isprintable() or " " in value:
            raise ArchiveError(f"{name} is no address of a server; write https://host, or http://host:port")
        if parts.scheme == "http" and environment.get("AWS_ALLOW_HTTP", "").lower() not in ("true", "1"):
            raise ArchiveError(f"{name} is not encrypted (http); set AWS_ALLOW_HTTP=true to allow that")


@contextlib.contextmanager
def _saying(address: ObjectAddress, *, writing: bool = False) -> Iterator[None]:
    """Say in a sentence what has gone wrong with an object.

    Raises:
        FileExistsError: If there is one already.
        ArchiveError: See `fetch`.
    """
    check_installed()
    from obstore import exceptions  # noqa: PLC0415 - an extra

    try:
        yield
    except exceptions.AlreadyExistsError as error:
        raise FileExistsError(f"{address} exists already") from error
    except exceptions.NotModifiedError as error:
        raise UnchangedError(f"{address} has not changed") from error
    except exceptions.PreconditionError as error:
        raise ReplacedError(f"{address} has changed while it was in use") from error
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise _fault(address, error, "written" if writing else "read") from error


def _fault(address: ObjectAddress, error: Exception, done: str) -> ArchiveError:
    """What is wrong, by what the client says of it."""
    text = str(error)
    status, code = (match[1] if (match := each.search(text)) else "" for each in (_STATUS, _CODE))
    kind: type[ArchiveError] = OutOfReachError
    if code == "NoSuchBucket":
        said = f"there is no bucket {address.bucket}; check its name and AWS_ENDPOINT_URL"
    elif any(each in text for each in _NO_CREDENTIALS):
        said = f"{address} cannot be {done} without credentials: {_CREDENTIALS}; {_PUBLIC}"
    elif status in ("401", "403"):
        refusal = f"the store refuses ({code or status})"
        said = f"{address} cannot be {done}: {refusal}; {_CREDENTIALS}; {_PUBLIC}"
    elif isinstance(error, FileNotFoundError) or status == "404":
        kind, said = MissingError, f"{address} does not exist; check its key"
    elif status == "301" or "without LOCATION" in text:
        said = f"{address} lies in another region; set AWS_REGION to that of the bucket"
    elif type(error).__name__ == "InvalidPathError":
        which = match[1] if (match := _ODD_PATH.search(text)) else "unknown"
        kind = ArchiveError
        said = (
            f"{address} cannot be listed: it has the key {which!r}, which is no path; rename that, or "
            "name a folder without it"
        )
    elif status == "416" or "non-partial response" in text:
        kind, said = ShortError, f"{address} has no such bytes: it is empty, or has become shorter"
    else:
        reason = f"the store answers {status}" if status else _shortly(text)
        said = f"{address} cannot be {done} now: {reason}"
    return kind(said)


def _shortly(text: str) -> str:
    """What a client says, without what it has tried."""
    line = text.partition("\n")[0].rpartition(" - ")[2]
    return line.removeprefix("Generic S3 error: ").removeprefix("Generic Config error: ").strip()[:200]
