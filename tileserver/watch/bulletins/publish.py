"""The worker's part in bulletins: months that are due are composed, what is approved is printed and sent.

Nothing is queued: what should be is compared with what is, so it may be killed at any point.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from tileserver.render.scenes import Scenes
from tileserver.store import accounts, outbox, sites
from tileserver.store import alerts as stored_alerts
from tileserver.store import bulletins as stored
from tileserver.store.bulletins import Bulletin, FileKind
from tileserver.store.database import Database
from tileserver.store.geoservices import Geoservice
from tileserver.store.observed import Archived
from tileserver.store.outbox import Recipient
from tileserver.watch.bulletins import steps
from tileserver.watch.bulletins.content import Content, grounds_of, material_of, moments_of, policy_of
from tileserver.watch.bulletins.page import Visa, bulletin_page, period_words
from tileserver.watch.bulletins.pdf import PdfError, bulletin_pdf
from tileserver.watch.bulletins.steps import Draft
from tileserver.watch.document import calendar
from tileserver.watch.document.calendar import Month
from tileserver.watch.messages import compose
from tileserver.watch.messages.body import body_of, bulletin_event, short_of
from tileserver.watch.observing.observe import standing
from tileserver.watch.words import language_of

MOST_ATTACHED: Final = 1 << 20
"""Bytes of a file that a mail carries; what is larger is linked to."""
Files = dict[tuple[str, FileKind], bytes]
_Look = tuple[str, int, int]  # digest of observations, revision of the geoservice, last event of an alert
log = logging.getLogger("comeo")


@dataclass(slots=True)
class Press:
    """What composes, prints and sends bulletins.

    Attributes:
        scenes: Catalogue, open archives and caches.
        database: Of user data.
        address: Where people reach the server, without a slash at the end.
    """

    scenes: Scenes
    database: Database
    address: str
    _settled: dict[int, object] = field(default_factory=dict)
    """Of each geoservice, what was the last time that all its bulletins stood."""
    _looked: dict[tuple[int, str], object] = field(default_factory=dict)
    """Of each geoservice and period, what its newest bulletin was last compared with."""

    def turn(self, geoservice: Geoservice, now: datetime, believed: datetime) -> None:
        """Do what is to be done now for a geoservice that runs.

        Args:
            geoservice: It.
            now: Time, for what is written down.
            believed: The time by which things are due: see `watch.clock`.
        """
        self._compose(geoservice, now, believed)
        with self.database.writing() as connection:
            self._decide(connection, geoservice, now, believed)
        with self.database.reading() as connection:
            known = stored.bulletins_of(connection, geoservice.id)
        for each in known:
            if each.state == "approved":
                self._print(geoservice, each, now)

    def _compose(self, geoservice: Geoservice, now: datetime, believed: datetime) -> None:
        """Compose what is due, and what rests on other observations than there are."""
        with self.database.reading() as connection:
            known = stored.bulletins_of(connection, geoservice.id)
            months = wanted(geoservice, known, believed)
            event = stored_alerts.last_event(connection, geoservice.id)
            rows = [(each.id, each.state) for each in known]
            state = self.scenes.catalog.position(), geoservice.revision, months, event, rows
            if not months or self._settled.get(geoservice.id) == state:
                return
            archives = standing(self.scenes, geoservice, sites.leaves(connection, geoservice.site))
            grounds = grounds_of(moments_of(connection, geoservice, archives), months)
            looks = {each.label: (grounds[each.label], geoservice.revision, event) for each in months}
            todo = [
                month
                for month in months
                if not self._stands(connection, geoservice, steps.of_label(known, month.label), month, looks)
            ]
            drafts = self._drafts(connection, geoservice, archives, known, todo)
        for draft in drafts:
            with self.database.writing() as connection:
                steps.write(connection, draft, now)
        with self.database.reading() as connection:
            known = stored.bulletins_of(connection, geoservice.id)
        for label, look in looks.items():
            self._looked[geoservice.id, label] = _look(look, steps.of_label(known, label))
        self._settled[geoservice.id] = state

    def _drafts(
        self, connection: Connection, geoservice: Geoservice, archives: Set[Archived],
        known: Sequence[Bulletin], months: Sequence[Month],
    ) -> list[Draft]:  # fmt: skip
        """What is to be composed of months; what it is made of is gathered only if there are any."""
        if not months:
            return []
        material = material_of(connection, geoservice, archives)
        found = (
            steps.due(connection, material, month, steps.of_label(known, month.label)) for month in months
        )
        return [each for each in found if each is not None]

    def _stands(
        self, connection: Connection, geoservice: Geoservice, revisions: Sequence[Bulletin], month: Month,
        looks: Mapping[str, _Look],
    ) -> bool:  # fmt: skip
        """Whether the newest bulletin of a period is known to say what it should."""
        if not revisions or revisions[-1].state == "rejected":
            return False
        look = looks[month.label]
        if self._looked.get((geoservice.id, month.label)) == _look(look, revisions):
            return True
        if revisions[-1].state != "sent":
            return False
        return bool(steps.read(connection, revisions[-1])["observations"] == look[0])

    def _decide(
        self, connection: Connection, geoservice: Geoservice, now: datetime, believed: datetime
    ) -> None:
        """Approve what the rule approves, and ask moderators for the rest."""
        policy = policy_of(geoservice)
        known = stored.bulletins_of(connection, geoservice.id)
        for each in known:
            if each.state not in ("draft", "submitted"):
                continue
            before = steps.of_label(known, each.label)
            is_refused = any(one.state == "rejected" and one.revision == each.revision - 1 for one in before)
            waits = timedelta(days=policy.after_days if policy.visa == "automatic" else 0)
            if policy.visa != "required" and not is_refused and believed - each.composed >= waits:
                one = each
                if one.state == "draft":
                    one = steps.submit(connection, one, "by the geoservice's rule", None, now)
                steps.approve(connection, one, "", None, now)
            else:
                self._ask(connection, geoservice, each, now)

    def _ask(self, connection: Connection, geoservice: Geoservice, one: Bulletin, now: datetime) -> None:
        """Tell moderators, once each, that a bulletin waits; not who may not approve it."""
        link = f"{self.address}/follow#geoservice={geoservice.slug}&bulletin={one.id}"
        for account in accounts.moderators(connection, geoservice.id):
            if account.id == one.composed_by:
                continue
            number = steps.printed(geoservice, one)
            content = compose.visa_message(geoservice.title, number, account.locale, link)
            body = body_of(content, "email", account.locale)
            key = f"bulletin:{one.id}:visa:a{account.id}"
            outbox.post(connection, key, "email", account.email, content.subject, body, now)

    def _print(self, geoservice: Geoservice, one: Bulletin, now: datetime) -> None:
        """Make the files of an approved bulletin, and tell those who are to know: all or nothing."""
        with self.database.reading() as connection:
            content = steps.read(connection, one)
            visa = steps.visa_of(connection, one)
        files, lacking = files_of(content, geoservice.locales, visa)
        for each in lacking:
            log.warning("%s: %s", content["number"], each)
        with self.database.writing() as connection:
            for (locale, kind), body in files.items():
                stored.keep_file(connection, one.id, locale, kind, body)
            told = sum(
                self._tell(connection, geoservice, one, content, files, to, now)
                for to in outbox.recipients_of(connection, geoservice.id)
                if to.state == "confirmed" and to.list != "alerts"
            )
            note = " ".join([f"sent to {told}", *(f"({each})" for each in lacking)])
            steps.move(connection, one, "sent", note, now, sent_at=now)

    def _tell(
        self, connection: Connection, geoservice: Geoservice, one: Bulletin, content: Content, files: Files,
        to: Recipient, now: datetime,
    ) -> bool:  # fmt: skip
        """Put a message to somebody into the outbox; False if it is there already."""
        locale = nearest(to.locale, [locale for locale, _ in files])
        unsubscribe = f"{self.address}/u/{to.token}"
        links = {
            "bulletin-link": f"{self.address}/bulletins/{one.id}.html?locale={locale}",
            "unsubscribe": unsubscribe,
        }
        said = compose.bulletin_message(
            geoservice.title, content["number"], period_words(content, to.locale), to.locale, links,
            is_erratum="erratum" in content,
        )  # fmt: skip
        body = body_of(said, to.channel, to.locale)
        if to.channel == "email":
            body["unsubscribe"] = unsubscribe
            kind = _attached(files, locale, is_public=geoservice.visibility == "public")
            if kind is not None:
                body["attachments"] = [{"bulletin": one.id, "locale": locale, "kind": kind}]
        elif to.channel == "webhook":
            body["event"] = bulletin_event(geoservice, one.label, content, links["bulletin-link"])
        else:
            body |= short_of(said, said.subject, links["bulletin-link"])
        key = f"bulletin:{one.id}:r{to.id}"
        return outbox.post(connection, key, to.channel, to.address, said.subject, body, now, to.id)


def wanted(geoservice: Geoservice, known: Sequence[Bulletin], now: datetime) -> list[Month]:
    """Months whose bulletins the worker looks after, oldest first.

    Those that ended since the geoservice was drawn up, some days ago; and those that somebody has composed.
    """
    delay = timedelta(days=policy_of(geoservice).delay_days)
    past = calendar.ended(geoservice.start, geoservice.end, now - delay, geoservice.timezone)
    found = {each.label: each for each in past if each.end > geoservice.created}
    for label in {each.label for each in known}:
        found.setdefault(label, Month.labelled(label, geoservice.timezone))
    return [found[label] for label in sorted(found)]


def _look(look: _Look, revisions: Sequence[Bulletin]) -> object:
    """What the newest bulletin of a period follows from; of one that was sent only what was observed."""
    rows = [(each.id, each.state, each.content_sha) for each in revisions]
    is_sent = bool(revisions) and revisions[-1].state == "sent"
    return (look[0] if is_sent else look), rows


def files_of(content: Content, locales: Sequence[str], visa: Visa | None) -> tuple[Files, list[str]]:
    """The files of a bulletin in its languages, and in a sentence a reason what could not be made."""
    files: Files = {}
    lacking: dict[str, list[str]] = {}
    for locale in dict.fromkeys(locales):
        files[locale, "html"] = bulletin_page(content, locale, visa).encode()
        try:
            files[locale, "pdf"] = bulletin_pdf(content, locale, visa)
        except PdfError as error:
            lacking.setdefault(str(error), []).append(locale)
    return files, [f"{', '.join(each)}: {reason}" for reason, each in lacking.items()]


def nearest(locale: str, locales: Sequence[str]) -> str:
    """Of locales the one that somebody reads best; the first where none is of their language."""
    if locale in locales:
        return locale
    same = (each for each in locales if language_of(each) == language_of(locale))
    return next(same, locales[0])


def _attached(files: Files, locale: str, *, is_public: bool) -> FileKind | None:
    """What a mail carries: the PDF if it is small; of what only members may open a page at least."""
    kinds: tuple[FileKind, ...] = ("pdf",) if is_public else ("pdf", "html")
    return next((each for each in kinds if 0 < len(files.get((locale, each), b"")) <= MOST_ATTACHED), None)
