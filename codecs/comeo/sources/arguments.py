"""Arguments of `open_source` that are given by hand, checked before a product is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from comeo.errors import SourceError


def check_arguments(
    source: str | Path, texts: dict[str, str | None], moment: datetime | str | None,
    bands: Sequence[str] | None,
) -> None:  # fmt: skip
    """Refuse what cannot be meant.

    Args:
        source: Name or URL of the product.
        texts: Ids by the name of their argument.
        moment: Acquisition.
        bands: Names of bands.

    Raises:
        SourceError: Naming the argument, and saying how it is given.
    """
    if not str(source):
        raise SourceError("no source is named: give a SAFE product, a folder, a STAC Item or a GeoTIFF")
    for name, text in texts.items():
        given: Any = text
        if given is not None and not isinstance(given, str):
            raise SourceError(f"{name} is a text, not {given!r}")
    time: Any = moment
    if time is not None and not isinstance(time, (str, datetime)):
        raise SourceError(f"datetime is a datetime or a text, as 2019-05-30T10:30:31Z, not {time!r}")
    names: Any = bands
    if names is None:
        return
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise SourceError(f"bands is a list of names, as ['B04', 'B03'], not {names!r}")
    if not names or not all(isinstance(name, str) and name for name in names):
        raise SourceError("bands is a list of names, and no band is named to be taken")
