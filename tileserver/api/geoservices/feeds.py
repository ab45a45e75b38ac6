"""Confirmed alerts as an Atom feed (RFC 4287)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from lxml import etree

from comeo.indicators.document import text_in
from tileserver.api.geoservices.common import TAG, SlugPath, of_slug
from tileserver.http.conditional import answer_by_content
from tileserver.http.context import base_url, scenes
from tileserver.http.database import database
from tileserver.render.temporal import rfc3339
from tileserver.store import alerts as stored
from tileserver.store.alerts import Alert
from tileserver.watch.messages.compose import About, sentences
from tileserver.watch.messages.tell import Names
from tileserver.watch.words import LANGUAGES

api = APIBlueprint("feeds", __name__)
ATOM: Final = "http://www.w3.org/2005/Atom"
MOST: Final = 50
"""Alerts of a feed: the newest ones."""


@api.get("/geoservices/<slug>/alerts.atom", tags=[TAG])
def feed(path: SlugPath) -> Response:
    """The newest confirmed alerts, in the reader's language."""
    locale = request.accept_languages.best_match(LANGUAGES, "en") or "en"
    with database().reading() as connection:
        one, _, _ = of_slug(connection, path.slug)
        told = sorted(stored.told_of(connection, one.id), key=lambda each: -each.id)[:MOST]
        names = Names(connection, one)
    address = f"{base_url()}/geoservices/{one.slug}"
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    root.set("{http://www.w3.org/XML/1998/namespace}lang", locale)
    _add(root, "id", address)
    _add(root, "title", text_in(one.title, locale))
    _add(root, "updated", rfc3339(max((_changed(each) for each in told), default=one.created)))
    _add(_add(root, "author", ""), "name", scenes().settings.provider or "COMEO")
    _add(root, "link", "", rel="self", href=f"{address}/alerts.atom")
    for each in told:
        _entry(root, each, names.of(each), locale)
    response = Response(etree.tostring(root, xml_declaration=True, encoding="utf-8"))
    response.content_type = "application/atom+xml; charset=utf-8"
    response.vary.add("Accept-Language")
    return answer_by_content(response)


def _entry(root: etree._Element, alert: Alert, about: About, locale: str) -> None:
    entry = _add(root, "entry", "")
    address = f"{base_url()}/alerts/{alert.id}"
    _add(entry, "id", address)
    _add(entry, "title", f"{text_in(about.site, locale)}: {text_in(about.indicator, locale)}")
    _add(entry, "updated", rfc3339(_changed(alert)))
    _add(entry, "published", rfc3339(alert.opened))
    _add(entry, "link", "", rel="alternate", href=address, type="application/json")
    _add(entry, "summary", " ".join(sentences(alert, about, locale)))


def _changed(alert: Alert) -> datetime:
    return max(alert.opened, alert.closed or alert.opened, alert.last_at)


def _add(parent: etree._Element, name: str, content: str, **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    made.text = content or None
    return made
