"""A STAC API: what was updated since the last look, and before that what is wanted of the past.

Two walks over `/search`. The first is of what is new: sorted by `updated`, newest first, back to the latest
that the last whole one has seen and two hours more, since servers enter Items late; where a server does not
sort, all that was acquired in the last weeks. The second is of the past, a month at a time, each month walked
whole once. What has been seen is in the journal, so that it does not matter how often an Item is met. Nothing
is believed of a server: neither that it sorts, nor that its pages come to an end, nor what its Items are.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeGuard
from urllib.parse import quote, urljoin, urlsplit

import httpx2
from pydantic import TypeAdapter, ValidationError

from comeo.errors import SourceError
from comeo.missions import baseline_in_words
from comeo.sources.naming import iso
from comeo.sources.stac import MAX_ITEM_BYTES
from tileserver.ingest.answers import answer_of, place_of
from tileserver.ingest.document import StacSource, area_of
from tileserver.ingest.finding import Look
from tileserver.ingest.journal import Journal, Row
from tileserver.ingest.orders import Download, Found, digest_of
from tileserver.text import is_text

OVERLAP: Final = timedelta(hours=2)
UNSORTED: Final = timedelta(days=30)
"""Acquired this long ago or less, an Item is looked for again where the server cannot sort."""
PAGE: Final = 100
MAX_PAGES: Final = 10_000
MAX_PAGE_BYTES: Final = 64 << 20
_TIMEOUT: Final = httpx2.Timeout(60.0, connect=10.0)
_SORT: Final = re.compile(r"https://api\.stacspec\.org/v1[^/]*/item-search#sort")
_BASELINES: Final = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
_TIME: Final = TypeAdapter(datetime)
_MAX_ID: Final = 300
log = logging.getLogger(__name__)


class StacFinder:
    """Finds Items of a STAC API.

    Args:
        source: See `StacSource`.
        journal: In which it notes how far it has come.
    """

    def __init__(self, source: StacSource, journal: Journal) -> None:
        self._source = source
        self._journal = journal
        self._area = area_of(source.filter)
        self._sorts: bool | None = None
        self._latest: datetime | None = None
        headers = {"User-Agent": "comeo", "Accept": "application/geo+json, application/json"}
        if source.authorization:
            headers["Authorization"] = source.authorization
        self._client = httpx2.Client(headers=headers, timeout=_TIMEOUT, follow_redirects=False)
        self.name = f"stac {source.url}"
        wanted = source.filter.model_dump(mode="json")
        qualities = sorted(each.name for each in source.quality)
        self._wanted = digest_of([self.name, wanted, self._area, qualities])  # else marks do not count

    def products(self, look: Look) -> Iterator[Found]:
        """See `Finder`."""
        yield from self._new()
        if look.past:
            yield from self._past()
        look.complete = look.past

    def download(self, row: Row) -> Download | None:  # noqa: ARG002 - all Items are alike
        """See `Finder`: an Item that takes credentials is copied; assets are read by ranges."""
        own = self._source.authorization
        return Download(own, MAX_ITEM_BYTES, is_item=True) if own else None

    def _new(self) -> Iterator[Found]:
        """What has come since the last whole walk."""
        began = datetime.now(UTC)
        noted = _moment(self._journal.mark(f"{self._wanted} new"))
        self._latest = None
        since = noted if noted and noted <= began else None  # else this clock was ahead then
        if not (since and self._can_sort() and (yield from self._updated(since))):
            first = max(filter(None, (self._source.filter.since, began - UNSORTED)))
            yield from self._wanted_of(self._walk(first, self._source.filter.until, {}))
        latest = min(began, self._latest or began)
        self._journal.set_mark(f"{self._wanted} new", iso(max(latest, since or latest)))

    def _updated(self, since: datetime) -> Generator[Found, None, bool]:
        """What was updated since a time, newest first; returns whether the server has sorted it."""
        chosen, lowest = self._source.filter, None
        for item in self._walk(chosen.since, chosen.until, {"sortby": "-properties.updated"}):
            updated = _updated_of(item)
            if updated is None or (lowest is not None and updated - lowest > OVERLAP):
                log.warning("%s does not sort by updated; it is walked by acquisition", self._source.url)
                self._sorts = False
                return False
            if updated < since - OVERLAP:
                return lowest is not None  # the very first is as late as what was seen before, if all is well
            lowest = updated
            yield from self._wanted_of([item])
        return True

    def _wanted_of(self, items: Iterable[Mapping[str, Any]]) -> Iterator[Found]:
        """Those of some Items that are wanted."""
        return filter(None, map(self._found, items))

    def _past(self) -> Iterator[Found]:
        """What is wanted of the past, month by month, newest first."""
        since = self._source.filter.since
        if since is None:
            return
        last = min(self._source.filter.until or datetime.now(UTC), datetime.now(UTC))
        for first, end in _months(since, last):
            name = f"{self._wanted} {first:%Y-%m}"
            if self._journal.mark(name) is None:
                yield from self._wanted_of(self._walk(max(first, since), min(end, last), {}))
                self._journal.set_mark(name, iso(datetime.now(UTC)))

    def _walk(
        self, since: datetime | None, until: datetime | None, more: Mapping[str, str]
    ) -> Iterator[Mapping[str, Any]]:
        """Items of a time, page by page."""
        if since is not None and until is not None and since >= until:
            return
        query: dict[str, str] = {"limit": str(PAGE), **more}
        chosen = self._source.filter
        if chosen.collections:
            query["collections"] = ",".join(chosen.collections)
        if self._area is not None:
            query["bbox"] = ",".join(f"{value:.7f}" for value in _bounds(self._area))
        if since is not None or until is not None:
            query["datetime"] = "/".join(".." if each is None else iso(each) for each in (since, until))
        page = self._get(f"{self._source.url}/search", query)
        followed: set[bytes] = set()
        while len(followed) < MAX_PAGES:
            features = page.get("features")
            if not isinstance(features, list):
                raise SourceError(f"{self._source.url}/search answers with no list of Items")
            for item in features:
                if isinstance(item, dict):
                    self._latest = max(filter(None, (self._latest, _updated_of(item))), default=None)
                    yield item
            link = _next(page)
            if link is None or not features:
                return
            digest = hashlib.sha256(json.dumps(link).encode()).digest()
            if digest in followed:
                raise SourceError(f"{self._source.url} has pages that lead in a circle; tell its operator")
            followed.add(digest)
            page = self._follow(link)
        raise SourceError(
            f"{self._source.url} has more than {MAX_PAGES} pages for one search; narrow the filter"
        )

    def _found(self, item: Mapping[str, Any]) -> Found | None:
        """What an Item stands for, if it is wanted."""
        properties = item.get("properties")
        name, collection = item.get("id"), item.get("collection") or ""
        if not (_is_id(name) and (collection == "" or _is_id(collection)) and isinstance(properties, dict)):
            return None
        cloud, most = properties.get("eo:cloud_cover"), self._source.filter.max_cloud
        if most is not None and isinstance(cloud, int | float) and cloud > most:
            return None
        if self._area is not None and not _meets(item, self._area):
            return None
        moment = _moment(properties.get("datetime") or properties.get("start_datetime"))
        updated = _updated_of(item) or _moment(properties.get("created")) or moment
        baselines = (baseline_in_words(properties.get(each, "")) for each in _BASELINES)
        baseline = next(filter(None, baselines), "")
        return Found(
            scene=f"{collection}/{name}", version=baseline or _content(item),
            place=self._self(item, collection, name),
            updated=updated.timestamp() if updated else 0.0, moment=moment,
        )  # fmt: skip

    def _self(self, item: Mapping[str, Any], collection: str, name: str) -> str:
        """Address of an Item: as it says, or where that cannot be used, as the API has it."""
        for link in _links(item):
            if link.get("rel") == "self" and isinstance(link.get("href"), str):
                with contextlib.suppress(SourceError):
                    return self._checked(link["href"])
        return f"{self._source.url}/collections/{quote(collection, safe='')}/items/{quote(name, safe='')}"

    def _can_sort(self) -> bool:
        """Whether the server says that it sorts."""
        if self._sorts is None:
            classes = self._get(self._source.url, {}).get("conformsTo")
            self._sorts = isinstance(classes, list) and any(_SORT.fullmatch(str(each)) for each in classes)
        return self._sorts

    def _follow(self, link: Mapping[str, Any]) -> dict[str, Any]:
        href = self._checked(str(link.get("href", "")))
        if str(link.get("method", "GET")).upper() != "POST":
            return self._get(href, {})
        body = link.get("body")
        return self._ask("POST", href, json=body if isinstance(body, dict) else {})

    def _checked(self, href: str) -> str:
        """An address that a server names: at http(s), and with our credentials only its own.

        Raises:
            SourceError: If it is another.
        """
        own = urlsplit(self._source.url)
        try:
            url = urljoin(f"{self._source.url}/", href)
            other = urlsplit(url)
        except ValueError:
            url, other = href, urlsplit("")
        if other.scheme not in ("http", "https") or not url.isascii() or not url.isprintable():
            raise SourceError(f"{self._source.url} names {url[:200]!r}, which is no http(s) address")
        if self._source.authorization and (own.scheme, own.netloc) != (other.scheme, other.netloc):
            raise SourceError(
                f"{self._source.url} leads to {other.scheme}://{other.netloc[:200]}, which is not to have "
                "its authorization; name that server as url"
            )
        return url

    def _get(self, url: str, query: Mapping[str, str]) -> dict[str, Any]:
        return self._ask("GET", url, params=dict(query) or None)

    def _ask(self, method: str, url: str, **parts: Any) -> dict[str, Any]:
        """The JSON object that is answered, no larger than a page may be.

        Raises:
            SourceError: If there is none.
        """
        try:
            request = self._client.build_request(method, url, **parts)
        except (httpx2.InvalidURL, ValueError) as error:
            raise SourceError(f"{self._source.url} names {url[:200]!r}, which cannot be asked") from error
        answer, body = answer_of(self._client, request, MAX_PAGE_BYTES)
        where = place_of(request)
        if answer.status_code != httpx2.codes.OK:
            raise SourceError(f"{where} answers {answer.status_code} {answer.reason_phrase}")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{where} answers with what is no JSON") from error
        if not isinstance(found, dict):
            raise SourceError(f"{where} answers with JSON that is no object")
        return found


def _next(page: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((link for link in _links(page) if link.get("rel") == "next"), None)


def _links(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    links = document.get("links")
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _moment(value: Any) -> datetime | None:
    """A time of an Item; None where it states none that can be read."""
    try:
        moment = _TIME.validate_python(value) if isinstance(value, str) else None
    except ValidationError:
        return None
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment


def _updated_of(item: Mapping[str, Any]) -> datetime | None:
    """When an Item says that it was updated."""
    properties = item.get("properties")
    return _moment(properties.get("updated")) if isinstance(properties, dict) else None


def _is_id(value: Any) -> TypeGuard[str]:
    """Whether a value can be an id: of a length that ids have, and a text that can be written down."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID and is_text(value)


def _content(item: Mapping[str, Any]) -> str:
    """Stands for the version of an Item that states no baseline: what its assets are."""
    assets = item.get("assets")
    facts = [
        list(map(_text, (key, str(asset.get("href", "")).partition("?")[0], asset.get("file:checksum", ""))))
        for key, asset in sorted(assets.items()) if isinstance(asset, dict)
    ] if isinstance(assets, dict) else []  # fmt: skip
    return digest_of([facts])


def _text(value: Any) -> str:
    """Words of anybody's making, as they can be written down."""
    return str(value).encode(errors="replace").decode()


def _meets(item: Mapping[str, Any], area: dict[str, Any]) -> bool:
    """Whether an Item touches an area; one that does not say where it is may."""
    from shapely.errors import ShapelyError  # noqa: PLC0415 - needed by areas only
    from shapely.geometry import shape  # noqa: PLC0415

    try:
        return bool(shape(item["geometry"]).intersects(shape(area)))
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return True
    except ShapelyError:
        return True


def _bounds(area: dict[str, Any]) -> tuple[float, ...]:
    from shapely.geometry import shape  # noqa: PLC0415

    found: tuple[float, ...] = shape(area).bounds
    if not all(map(math.isfinite, found)):
        raise SourceError("the area of the filter has no bounds; give valid polygons in degrees")
    return found


def _months(since: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Calendar months from a time to another, the last one first."""
    first = last.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = last
    while end > since:
        yield first, end
        end, first = first, (first - timedelta(days=1)).replace(day=1)
