"""The annotation of real products, read by the standard library alone: a second reader."""

from __future__ import annotations

import tarfile
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / "products" / "sentinel1"
NEEDS_PRODUCTS = pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared Sentinel data are not at hand")


@dataclass
class Product:
    """XML of one product: for each polarisation the roots of its annotation."""

    name: str
    annotation: dict[str, ET.Element] = field(default_factory=dict)
    calibration: dict[str, ET.Element] = field(default_factory=dict)
    noise: dict[str, ET.Element] = field(default_factory=dict)


@cache
def products() -> dict[str, Product]:
    """All products at hand, by the first 32 characters of their names."""
    found: dict[str, Product] = {}
    for path, text in _files():
        parts = path.split("/")
        name = next(part for part in parts if part.startswith("S1"))[:32]
        product = found.setdefault(name, Product(name))
        root = ET.fromstring(text)
        polarisation = root.findtext("adsHeader/polarisation") or ""
        kind = {"calibration": product.calibration, "noise": product.noise, "product": product.annotation}
        if root.tag in kind:
            kind[root.tag][polarisation] = root
    return found


def _files() -> Iterator[tuple[str, bytes]]:
    for archive in sorted(FOLDER.glob("*.tar.xz")):
        with tarfile.open(archive, "r|xz") as tar:
            for member in tar:
                if "/measurement/" in member.name and "/tests/" not in f"/{member.name}":
                    break  # 870 MB of zeros from here on
                if _is_annotation(member.name) and (stream := tar.extractfile(member)):
                    yield member.name, stream.read()
    for archive in sorted(FOLDER.glob("*.zip")):
        with zipfile.ZipFile(archive) as whole:
            for name in filter(_is_annotation, whole.namelist()):
                yield name, whole.read(name)


def _is_annotation(name: str) -> bool:
    return Path(name).suffix == ".xml" and "/annotation/" in name and "/rfi/" not in name
