"""XML of OWS 1.1 and WMTS 1.0."""

from __future__ import annotations

from lxml import etree
from lxml.builder import ElementMaker

from tileserver.text import xml_text

WMTS_NAMESPACE = "http://www.opengis.net/wmts/1.0"
OWS_NAMESPACE = "http://www.opengis.net/ows/1.1"
XLINK_NAMESPACE = "http://www.w3.org/1999/xlink"
XSI_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance"
_NAMESPACES = {
    None: WMTS_NAMESPACE, "ows": OWS_NAMESPACE, "xlink": XLINK_NAMESPACE, "xsi": XSI_NAMESPACE,
}  # fmt: skip
WMTS = ElementMaker(namespace=WMTS_NAMESPACE, nsmap=_NAMESPACES)
OWS = ElementMaker(namespace=OWS_NAMESPACE, nsmap=_NAMESPACES)
REPORT = ElementMaker(namespace=OWS_NAMESPACE, nsmap={None: OWS_NAMESPACE, "xsi": XSI_NAMESPACE})
HREF = f"{{{XLINK_NAMESPACE}}}href"
SCHEMA_LOCATION = f"{{{XSI_NAMESPACE}}}schemaLocation"


def document(root: etree._Element) -> bytes:
    """Serialise a document."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def exception_report(code: str, locator: str | None, message: str) -> bytes:
    """Write an OWS exception report."""
    exception = REPORT.Exception(REPORT.ExceptionText(xml_text(message)), exceptionCode=code)
    if locator is not None:
        exception.set("locator", xml_text(locator))
    root = REPORT.ExceptionReport(exception, version="1.1.0")
    root.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    root.set(SCHEMA_LOCATION, f"{OWS_NAMESPACE} http://schemas.opengis.net/ows/1.1.0/owsExceptionReport.xsd")
    return document(root)
