"""A PULL subscription of the Copernicus Data Space: what it tells is read, dealt with, then acknowledged.

Reading takes nothing off the queue and begins at its oldest; acknowledging takes a notification and all older
ones off. So the oldest ones are acknowledged that are dealt with: their archives are published, or have been
tried once and stand in the journal with their fault, which the queue then need not wait for.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from comeo.errors import SourceError
from comeo.sources.naming import facts_of
from tileserver.ingest.answers import answer_of
from tileserver.ingest.document import CdseSource
from tileserver.ingest.finding import Look
from tileserver.ingest.journal import Journal, Row
from tileserver.ingest.orders import UNDER_WAY, Download, Found, State

BATCH: Final = 20
"""The most notifications that are given at once."""
MAX_ANSWER_BYTES: Final = 16 << 20
_CLIENT: Final = "cdse-public"
_EARLY_SECONDS: Final = 60.0
"""Before its end a token is renewed: a product is begun with it."""
_TIMEOUT: Final = httpx2.Timeout(60.0, connect=10.0)
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
log = logging.getLogger(__name__)
_UNTRIED: Final = (State.FOUND, *UNDER_WAY, State.VERIFIED)


class CdseFinder:
    """Finds products of a subscription.

    Args:
        source: See `CdseSource`.
        journal: By which it knows what has been dealt with.
    """

    def __init__(self, source: CdseSource, journal: Journal) -> None:
        self._source = source
        self._journal = journal
        self._client = httpx2.Client(
            headers={"User-Agent": "comeo", "Accept": "application/json"}, timeout=_TIMEOUT,
            follow_redirects=False,
        )  # fmt: skip
        self._guard = threading.Lock()
        self._token, self._renewal, self._ends = "", "", 0.0
        self._queue = f"{source.catalogue}/Subscriptions({source.subscription})"
        self.name = f"cdse {source.subscription}"

    def products(self, look: Look) -> Iterator[Found]:
        """See `Finder`."""
        while batch := self._read():
            done = 0
            while done < len(batch) and self._is_dealt_with(batch[done]):
                done += 1
            if done:
                self._acknowledge(batch[done - 1])
            if done < len(batch):
                look.complete = False
                yield from filter(None, map(_found, self._placed(batch[done:])))
                return

    def download(self, row: Row) -> Download:
        """See `Finder`."""
        product = self._ask("GET", f"{self._source.catalogue}/Products({row.receipt})")
        size = product.get("ContentLength")
        if isinstance(size, int) and size > self._source.max_product_bytes:
            raise SourceError(
                f"{row.scene} has {size:,} bytes, and max_product_bytes is "
                f"{self._source.max_product_bytes:,}; raise it"
            )
        return Download(f"Bearer {self._bearer()}", int(self._source.max_product_bytes), _checksum(product))

    def _read(self) -> list[Mapping[str, Any]]:
        found = self._ask("GET", f"{self._queue}/Read?$top={BATCH}", many=True)
        listed = found.get("value")
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise SourceError(f"{self._queue} answers with no list of notifications")
        return listed[:BATCH]

    def _is_dealt_with(self, notification: Mapping[str, Any]) -> bool:
        """Whether nothing is left to be tried for a notification."""
        name = notification.get("ProductName", "")
        if not _is_product(notification):
            return True
        if isinstance(name, str) and name and not _NAME.fullmatch(name):
            log.warning(
                "%s tells of %r, which is no name of a product, and is left out", self.name, name[:100]
            )
            return True
        rows = self._journal.with_receipt(str(notification["ProductId"]))
        return bool(rows) and all(row.state not in _UNTRIED for row in rows)

    def _acknowledge(self, notification: Mapping[str, Any]) -> None:
        receipt = str(notification.get("AckId", ""))
        if not re.fullmatch(r"[!-~]{1,1000}", receipt):
            raise SourceError(f"{self._queue} gives a notification without an AckId")
        self._journal.make_durable()
        query = str(httpx2.QueryParams({"$ackid": receipt}))
        self._ask("POST", f"{self._queue}/Ack?{query}", many=True)

    def _placed(self, batch: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Notifications of products, each with its address and its name, which may have been taken off."""
        for each in filter(_is_product, batch):
            name = each.get("ProductName")
            if not isinstance(name, str) or not name:
                name = self._name_of(str(each["ProductId"]))
            place = f"{self._source.download}/Products({each['ProductId']})/$value"
            yield {**each, "ProductName": name, "place": place}

    def _name_of(self, product: str) -> str:
        """Name of a product; its id where the catalogue has it no more, as its fetching will say."""
        headers = {"Authorization": f"Bearer {self._bearer()}"}
        url = f"{self._source.catalogue}/Products({product})"
        status, found = self._send(httpx2.Request("GET", url, headers=headers))
        if status not in (httpx2.codes.OK, httpx2.codes.NOT_FOUND, httpx2.codes.GONE):
            raise SourceError(f"{url} answers {status}")
        name = found.get("Name")
        return name if isinstance(name, str) and _NAME.fullmatch(name) else product

    def _bearer(self) -> str:
        """A token that is good for a while yet."""
        with self._guard:
            if time.monotonic() > self._ends - _EARLY_SECONDS:
                self._renew()
            return self._token

    def _renew(self) -> None:
        """Get a token: by the last one's renewal, else by the password."""
        own = {"grant_type": "password", "username": self._source.user, "password": self._source.password}
        ways = [{"grant_type": "refresh_token", "refresh_token": self._renewal}] if self._renewal else []
        for form in (*ways, own):
            status, found = self._send(
                httpx2.Request("POST", self._source.identity, data={"client_id": _CLIENT, **form})
            )
            token, seconds = found.get("access_token"), found.get("expires_in")
            if status == httpx2.codes.OK and isinstance(token, str) and isinstance(seconds, int | float):
                renewal = found.get("refresh_token")
                self._token, self._ends = token, time.monotonic() + float(seconds)
                self._renewal = renewal if isinstance(renewal, str) else ""
                return
            self._renewal = ""
        raise SourceError(
            f"{urlsplit(self._source.identity).netloc} gives no token ({status}); check user and password"
        )

    def _ask(self, method: str, url: str, *, many: bool = False) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._bearer()}"}
        status, found = self._send(httpx2.Request(method, url, headers=headers), many=many)
        if not 200 <= status < 300:
            raise SourceError(f"{url.partition('?')[0]} answers {status}")
        return found

    def _send(self, request: httpx2.Request, *, many: bool = False) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer; a list as the `value` of an object, where there may be one."""
        answer, body = answer_of(self._client, request, MAX_ANSWER_BYTES)
        try:
            found = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError):
            found = {}
        if many and isinstance(found, list):
            found = {"value": found}
        return answer.status_code, found if isinstance(found, dict) else {}


def _is_product(notification: Mapping[str, Any]) -> bool:
    """Whether a notification is of a product that has come."""
    event = notification.get("SubscriptionEvent", "created")
    return event == "created" and bool(_ID.fullmatch(str(notification.get("ProductId", ""))))


def _found(notification: Mapping[str, Any]) -> Found | None:
    name = str(notification["ProductName"])
    if not _NAME.fullmatch(name):
        return None
    facts = facts_of(name)
    moment = facts.instant or facts.day
    identity = str(notification["ProductId"])
    updated = moment.timestamp() if moment else 0.0
    return Found(name, identity, str(notification["place"]), updated, moment, identity)


def _checksum(product: Mapping[str, Any]) -> str:
    """The checksum of a product's file that Python can check."""
    listed = product.get("Checksum")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("Algorithm") == "MD5":
            value = str(each.get("Value", "")).lower()
            if re.fullmatch(r"[0-9a-f]{32}", value):
                return f"md5:{value}"
    return ""
