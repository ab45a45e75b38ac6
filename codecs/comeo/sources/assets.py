"""Assets of a STAC Item that offer bands, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from comeo.errors import SourceError
from comeo.places import is_url
from comeo.sources.bandfile import JP2_SUFFIXES
from comeo.sources.paths import inside

_MAX_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset that offers a band.

    Attributes:
        key: Its key in the Item.
        name: Band that it offers.
        location: Local path or http(s) URL; None when it is neither.
        gsd: Pixel size in metres, or 0 when not stated.
        fields: The asset's own fields, and those of its only band over them.
        stated: What the Item states of the backscatter of all its bands.
    """

    key: str
    name: str
    location: Path | str | None
    gsd: float
    fields: Mapping[str, Any]
    stated: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Texts that describe the band, the clearest first."""
        file = Path(unquote(urlsplit(str(self.location or "")).path)).stem
        own = (self.fields.get(name) for name in ("name", "title", "description"))
        texts = (*own, self.key, *self.stated, file)
        return tuple(text[:_MAX_TEXT] for text in texts if isinstance(text, str))

    @property
    def is_jp2(self) -> bool:
        """Whether it is JPEG 2000."""
        return str(self.fields.get("type", "")).startswith("image/jp2") or (
            Path(urlsplit(str(self.location or "")).path).suffix.lower() in JP2_SUFFIXES
        )


def locate(asset: Mapping[str, Any], source: str | Path) -> Path | str | None:
    """Location of an asset: a file, or an http(s) URL; None when it is neither (as s3://).

    A local Item's assets that lie beside it are read there, wherever their href says they came from.

    Raises:
        SourceError: If it leads out of a local Item's folder, or to no file.
    """
    alternate = asset.get("alternate")
    others = alternate.values() if isinstance(alternate, dict) else []
    stated = [asset["href"], *(other.get("href") for other in others if isinstance(other, dict))]
    hrefs = [href for href in stated if isinstance(href, str)]
    if is_url(source):
        hrefs = [urljoin(str(source), href) for href in hrefs]
    else:
        folder = Path(source).resolve().parent
        for href in hrefs:
            beside = folder / Path(unquote(urlsplit(href).path)).name
            if beside.is_file():
                return inside(folder, beside)
            if not urlsplit(href).scheme:
                return _named(folder, href)
    return next((href for href in hrefs if is_url(href)), None)


def _named(folder: Path, href: str) -> Path:
    path = inside(folder, folder / unquote(href))
    if not path.is_file():
        raise SourceError(f"{path}, which the Item names as an asset, does not exist; download it there")
    return path
