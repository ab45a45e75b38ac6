"""`comeo work`: what should be is compared with what is, and the difference is made, again and again.

Nothing is queued. Observations that are missing, alerts that should be open, messages that should be in the
outbox are found by queries; each result is written with its consequences in one transaction. So a worker may
be killed at any point, and the next one goes on from what is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from comeo.errors import ComeoError, NotFoundError, ParameterError
from comeo.view.area import Area
from tileserver.render.scenes import Scenes
from tileserver.store import alerts as stored
from tileserver.store import geoservices, observed, sites
from tileserver.store.alerts import Alert
from tileserver.store.database import Database
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.observed import Key, Observed
from tileserver.watch import alerts, deliver
from tileserver.watch.deliver import Receipts
from tileserver.watch.digest import tell_digests
from tileserver.watch.observe import Place, Wanted, Work, missing, observe, present
from tileserver.watch.rules import rule_of
from tileserver.watch.tell import Teller
from tileserver.watch.transport import Transport
from tileserver.watch.verify import Originals, verify


@dataclass(frozen=True, slots=True)
class Round:
    """What a round has done.

    Attributes:
        observed: Observations made.
        sent: Messages that were taken.
        failed: Scenes that could not be observed, with the reason.
    """

    observed: int = 0
    sent: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Made:
    """Of an indicator: all observations that should exist, how many were made, and what failed."""

    should: Mapping[Key, Work]
    count: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Worker:
    """What follows geoservices.

    Attributes:
        scenes: Catalogue, open archives and caches.
        database: Of user data.
        address: Where people reach the server, without a slash at the end.
        originals: Where sources are found; None if nowhere.
        transport: How messages leave; None keeps them in the outbox.
        receipts: Of messages that were taken.
        clock: Time in UTC.
    """

    scenes: Scenes
    database: Database
    address: str
    originals: Originals | None
    transport: Transport | None
    receipts: Receipts
    clock: Callable[[], datetime]
    _places: dict[int, Place] = field(default_factory=dict)
    _settled: dict[int, object] = field(default_factory=dict)
    """Of each geoservice, what was the last time that all was in step."""

    def round(self) -> Round:
        """Do what is to be done now."""
        with self.database.reading() as connection:
            active = geoservices.geoservices(connection, "active")
        count, sent, failed = 0, 0, dict[str, str]()
        for each in active:
            with self.database.reading() as connection:
                places = self._places_of(connection, each.site)
                followed = geoservices.followed(connection, each.id)
            state = self.scenes.catalog.position(), each.revision, [one.version for one in places]
            if self._settled.get(each.id) != state:
                made, problems = self._follow(places, each, followed)
                count, failed = count + made, failed | problems
                if not problems:
                    self._settled[each.id] = state
            with self.database.writing() as connection:
                Teller(connection, each, self.address, self.clock()).tell()
        tell_digests(self.database, self.address, self.clock())
        if self.transport is not None:
            sent = deliver.deliver(self.database, self.transport, self.receipts, self.clock)
        return Round(count, sent, failed)

    def _follow(
        self, places: Sequence[Place], geoservice: Geoservice, followed: Sequence[Followed]
    ) -> tuple[int, dict[str, str]]:
        """Bring observations and alerts in step with the catalogue; how many were made, and what failed."""
        count, failed = 0, dict[str, str]()
        for indicator in followed:
            try:
                made = self._observe(places, geoservice, indicator)
            except (NotFoundError, ParameterError) as error:  # there are no such scenes yet
                failed[geoservice.slug] = str(error)
                continue
            self._judge(places, geoservice, indicator, made.should.keys())
            self._verify(places, geoservice, indicator, made.should)
            count += made.count
            failed |= made.failed
        return count, failed

    def _places_of(self, connection: Connection, site: int) -> list[Place]:
        """The sites of a group, with what has been worked out of them before."""
        found = []
        for each in sites.leaves(connection, site):
            if each.id not in self._places:
                self._places[each.id] = Place(each.id, each.site, Area(dict(each.geometry)))
            found.append(self._places[each.id])
        return found

    def _observe(self, places: Sequence[Place], geoservice: Geoservice, indicator: Followed) -> _Made:
        """Make the observations that are missing, and keep them scene by scene."""
        versions = [each.version for each in places]
        with self.database.reading() as connection:
            known = observed.known(connection, versions, indicator.sha256)
        collections = tuple(geoservice.collections)
        wanted = Wanted(indicator.sha256, indicator.document, collections, places, geoservice.end)
        should = present(self.scenes, wanted)
        made = _Made(should)
        for work in missing(should, known):
            try:
                found = list(observe(self.scenes, work, indicator.sha256))
            except ComeoError as error:  # gone, or being replaced: the next round knows better
                made.failed[work.record.id] = str(error)
                continue
            with self.database.writing() as connection:
                observed.keep(connection, found)
            made.count += len(found)
        return made

    def _judge(
        self, places: Sequence[Place], geoservice: Geoservice, indicator: Followed, should: Set[Key]
    ) -> None:
        """Bring alerts in step with what has been observed, where that is not what it was the last time."""
        versions = [each.version for each in places]
        with self.database.writing() as connection:
            series = observed.of_sites(connection, versions, indicator.sha256)
            judged = observed.judged(connection, indicator.id)
            known: dict[int, list[Alert]] = {}
            for alert in stored.alerts_of(connection, geoservice.id):
                if alert.gs_indicator == indicator.id:
                    known.setdefault(alert.site, []).append(alert)
            for place in places:
                counted = [each for each in series[place.version] if each.key in should]
                digest = _digest(geoservice, place, counted)
                if judged.get(place.site) != digest:
                    rule = rule_of(geoservice, indicator, place.site)
                    alerts.reconcile(connection, rule, counted, known.get(place.site, []), self.clock())
                    observed.keep_judged(connection, indicator.id, place.site, digest)

    def _verify(
        self, places: Sequence[Place], geoservice: Geoservice, indicator: Followed, should: Mapping[Key, Work]
    ) -> None:
        """Ask the originals, before any person is."""
        with self.database.reading() as connection:
            waiting = _unverified(connection, geoservice, indicator)
        for alert in waiting:
            place = next((each for each in places if each.site == alert.site), None)
            if place is None:  # taken out of the group meanwhile
                continue
            works = {
                work.record.id: (work.record, work.plan)
                for key, work in should.items()
                if key.site_version == place.version
            }
            rule = rule_of(geoservice, indicator, place.site)
            least = 1 if alert.state == "verifying" else rule.policy.dates
            found = verify(self.scenes, self.originals, alert.evidence, alert.kind, least, works, place)
            with self.database.writing() as connection:
                again = stored.find_alert(connection, alert.id)
                if again is not None and again.state == alert.state:
                    alerts.look_up(connection, again, found.verified, found.reason, self.clock())


def _unverified(connection: Connection, geoservice: Geoservice, indicator: Followed) -> list[Alert]:
    """Alerts of an indicator that the originals have not been asked of."""
    return [
        each
        for each in stored.alerts_of(connection, geoservice.id)
        if each.gs_indicator == indicator.id and each.state in alerts.UNDECIDED and each.verified == "unknown"
    ]


def _digest(geoservice: Geoservice, place: Place, counted: Sequence[Observed]) -> str:
    """What alerts of a site follow from: another one means that they are to be looked at again."""
    parts = (geoservice.revision, place.version, [each.key for each in counted])
    return hashlib.sha256(repr(parts).encode()).hexdigest()
