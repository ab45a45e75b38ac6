"""Fetching a product that cannot be read where it is: into a folder that goes with the order, checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx2

from comeo.errors import SourceError
from comeo.leftovers import held_folder
from comeo.progress import Progress
from comeo.sources.stac import load_item
from tileserver.ingest.orders import Download

PREFIX: Final = ".comeo-fetched-"
"""Of folders beside the archives, which catalogues do not look into and the next service sweeps."""
_REDIRECTS: Final = 4
_TIMEOUT: Final = httpx2.Timeout(120.0, connect=15.0)


@contextmanager
def fetched(url: str, name: str, download: Download, beside: Path, progress: Progress) -> Iterator[Path]:
    """A product's zip, or a STAC Item, for as long as the block lasts.

    Args:
        url: Of it.
        name: That a zip is to have, without `.zip`.
        download: See there.
        beside: Folder of the archives.
        progress: Receives how much has come.

    Raises:
        SourceError: If it does not come whole.
    """
    with held_folder(beside, PREFIX) as folder:
        path = folder / ("item.json" if download.is_item else f"{name}.zip")
        with httpx2.Client(timeout=_TIMEOUT, follow_redirects=False) as client:
            try:
                _fetch(client, url, path, download, progress)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise SourceError(f"{name} could not be fetched: {error or type(error).__name__}") from error
        if download.is_item:
            _place_assets(path, url)
        yield path


def _fetch(client: httpx2.Client, url: str, path: Path, download: Download, progress: Progress) -> None:
    headers = {"User-Agent": "comeo", "Authorization": download.authorization, "Accept-Encoding": "identity"}
    for _ in range(_REDIRECTS):
        with client.stream("GET", url, headers=headers) as answer:
            if answer.is_redirect:
                leads = urljoin(url, answer.headers.get("Location", ""))
                check_same_site(url, leads)
                url = leads
                continue
            if answer.status_code != httpx2.codes.OK:
                raise SourceError(
                    f"{path.stem} could not be fetched: the server answers {answer.status_code}"
                )
            _keep(answer, path, download, progress)
            return
    raise SourceError(f"{path.stem} could not be fetched: it is redirected too often")


def _keep(answer: httpx2.Response, path: Path, download: Download, progress: Progress) -> None:
    """Write a body to a file, no more than it may be, and check it."""
    method, _, expected = download.checksum.partition(":")
    digest = hashlib.new(method, usedforsecurity=False) if method else None
    stated = answer.headers.get("Content-Length", "")
    size = int(stated) if stated.isdigit() else 0
    progress.start("fetching", max(1, size >> 20))
    came = 0
    with path.open("wb") as file:
        for piece in answer.iter_raw(1 << 20):
            came += len(piece)
            if came > download.max_bytes:
                raise SourceError(
                    f"{path.stem} has more than {download.max_bytes:,} bytes; raise max_product_bytes"
                )
            file.write(piece)
            if digest is not None:
                digest.update(piece)
            progress.advance()
    if size and came != size:
        raise SourceError(f"{path.stem} was cut short: {came:,} of {size:,} bytes came")
    if digest is not None and digest.hexdigest() != expected:
        raise SourceError(f"{path.stem} is not what its source has: its checksum does not match")


def _place_assets(path: Path, url: str) -> None:
    """Have the copy of an Item name its assets by whole addresses, as it does where it came from."""
    item = load_item(path)
    for asset in item["assets"].values():
        others = asset.get("alternate") if isinstance(asset, dict) else None
        for each in (asset, *(others.values() if isinstance(others, dict) else ())):
            if isinstance(each, dict) and isinstance(each.get("href"), str):
                each["href"] = _joined(url, each["href"])
    path.write_text(json.dumps(item))


def _joined(url: str, href: str) -> str:
    try:
        return urljoin(url, href)
    except ValueError:  # the source of the Item says so, where the asset is needed
        return href


def check_same_site(url: str, leads: str) -> None:
    """Refuse to take credentials elsewhere than to the same host, or one of the same domain.

    Raises:
        SourceError: Naming where.
    """
    one, other = urlsplit(url), urlsplit(leads)
    domain = (one.hostname or "").partition(".")[2]
    same = one.hostname == other.hostname or (
        domain.count(".") >= 1
        and not domain.replace(".", "").isdigit()
        and str(other.hostname).endswith(f".{domain}")
    )
    if not same or other.scheme != one.scheme:
        raise SourceError(f"{one.hostname} leads to {leads[:200]}, which is not to have its credentials")
