"""Metadata in XML, which may be hostile: no entities, no external references, no surprises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from numpy.typing import NDArray

from comeo.errors import SourceError
from comeo.sources.raster import parse_finite

_GREATEST: Final = 1e9


class XmlTree:
    """An XML document, looked into by local names: the namespaces' versions differ from product to product.

    Args:
        content: The document.
        where: Its name in error messages.

    Raises:
        SourceError: If it isn't well-formed, or defines entities.
    """

    def __init__(self, content: bytes, where: str) -> None:
        self.where = where
        try:
            self.root: Element = ElementTree.fromstring(content, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
            raise SourceError(f"{where} is not readable XML: {str(error)[:200]}") from error

    @property
    def kind(self) -> str:
        """Local name of the root element."""
        return _local(self.root.tag)

    def all(self, *names: str) -> Iterator[Element]:
        """All elements that have one of these local names, in document order."""
        return (element for element in self.root.iter() if _local(element.tag) in names)

    def find(self, *names: str) -> str | None:
        """Text of the first element that has one of these local names, or None."""
        for name in names:
            for element in self.all(name):
                if element.text and element.text.strip():
                    return element.text.strip()
        return None

    def text(self, *names: str) -> str:
        """Text of the first element that has one of these local names.

        Raises:
            SourceError: If it is missing.
        """
        found = self.find(*names)
        if found is None:
            raise SourceError(f"{self.where} has no {names[0]}")
        return found

    def number(self, *names: str) -> float:
        """The same as a number.

        Raises:
            SourceError: If it is missing.
        """
        return parse_finite(self.text(*names), f"{names[0]} in {self.where}")

    def finite(self, *names: str) -> float | None:
        """The number of the first element that has one of these local names; None without such an element.

        For facts that pixels can do without: products have `NaN` in some of them.
        """
        text = self.find(*names)
        return None if text is None else finite(text)


def finite(text: str) -> float | None:
    """The finite number that a text states, or None."""
    try:
        return parse_finite(text, "")
    except SourceError:
        return None


def child_text(element: Element, name: str, where: str) -> str:
    """Text of a child by local name.

    Raises:
        SourceError: If it is missing.
    """
    for child in element:
        if _local(child.tag) == name and child.text:
            return child.text.strip()
    raise SourceError(f"{where} has no {name} in its {_local(element.tag)}")


def child_numbers(element: Element, name: str, most: int, where: str) -> NDArray[np.int64]:
    """Whole numbers of a child: see `child_floats`.

    Returns:
        (n,) int64 of at most a thousand millions.

    Raises:
        SourceError: As `child_floats`, or if one is not whole, or greater.
    """
    values = child_floats(element, name, most, where)
    if (np.abs(values) > _GREATEST).any() or (values != np.rint(values)).any():
        raise SourceError(f"{name} in {where} has numbers that are not whole, or too large")
    return values.astype(np.int64)


def child_floats(element: Element, name: str, most: int, where: str) -> NDArray[np.float64]:
    """Numbers of a child by local name, set apart by blanks.

    Args:
        element: Its parent.
        name: Its local name.
        most: Numbers that there may be.
        where: Name of the document in messages.

    Returns:
        (n,) float64, n from 1 to `most`.

    Raises:
        SourceError: If it is missing, has too many, or holds anything but finite numbers.
    """
    texts = child_text(element, name, where).split(None, most)
    try:
        values = np.array(texts, np.float64)
    except ValueError:
        values = np.array([np.nan])
    if not (0 < len(texts) <= most and np.isfinite(values).all()):
        raise SourceError(f"{name} in {where} is not 1 to {most} finite numbers")
    return values


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]
