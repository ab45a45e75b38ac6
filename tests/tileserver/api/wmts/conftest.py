"""What the tests of WMTS share: documents, and the schemas that they are held to."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

NAMESPACES = {
    "w": "http://www.opengis.net/wmts/1.0",
    "ows": "http://www.opengis.net/ows/1.1",
    "xlink": "http://www.w3.org/1999/xlink",
}
Validate = Callable[[bytes], Any]


def found(root: Any, path: str) -> Any:
    """What an XPath finds: a list of elements or texts, or of `string()` a text."""
    return root.xpath(path, namespaces=NAMESPACES)


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OGC's schemas as MapProxy carries them, without its mistake: limits of tiles start at 0, not at 1."""
    found = importlib.util.find_spec("mapproxy")
    if found is None or found.origin is None:
        pytest.skip("MapProxy, which carries the OGC schemas, is not installed")
    folder = tmp_path_factory.mktemp("schemas") / "schemas"
    shutil.copytree(Path(found.origin).parent / "test" / "schemas", folder)
    wmts = folder / "wmts" / "1.0" / "wmtsGetCapabilities_response.xsd"
    text = wmts.read_text()
    for name in ("MinTileRow", "MaxTileRow", "MinTileCol", "MaxTileCol"):
        wrong = f'name="{name}" type="positiveInteger"'
        assert wrong in text, "MapProxy has mended its schema"
        text = text.replace(wrong, f'name="{name}" type="nonNegativeInteger"')
    wmts.write_text(text.replace("http://schemas.opengis.net/", "../../"))
    return folder


def _validator(path: Path) -> Validate:
    schema = etree.XMLSchema(etree.parse(path))

    def validate(body: bytes) -> Any:
        root = etree.fromstring(body)
        schema.assertValid(root)
        return root

    return validate


@pytest.fixture(scope="session")
def valid_capabilities(schemas: Path) -> Validate:
    """Parses a capabilities document, which has to be valid."""
    return _validator(schemas / "wmts" / "1.0" / "wmtsGetCapabilities_response.xsd")


@pytest.fixture(scope="session")
def valid_report(schemas: Path) -> Validate:
    """Parses an exception report, which has to be valid."""
    return _validator(schemas / "ows" / "1.1.0" / "owsExceptionReport.xsd")
