"""`comeo work`: what should be is compared with what is, and the difference is made, again and again.

Nothing is queued. Observations that are missing, alerts that should be open, messages that should be in the
outbox are found by queries; each result is written with its consequences in one transaction. So a worker may
be killed at any point, and the next one goes on from what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from comeo.view.area import Area
from tileserver.catalog import Record
from tileserver.render.plan import RenderPlan
from tileserver.render.scenes import Scenes
from tileserver.store import alerts as stored
from tileserver.store import geoservices, observed, sites
from tileserver.store.alerts import Alert
from tileserver.store.database import Database
from tileserver.store.geoservices import Followed, Geoservice
from tileserver.store.nightly import backup_of_day
from tileserver.store.observed import Key
from tileserver.store.tasks import key_of
from tileserver.watch.alerts import lifecycle
from tileserver.watch.alerts.judging import judge_sites
from tileserver.watch.bulletins.publish import Press
from tileserver.watch.channels.transport import Transport
from tileserver.watch.clock import Clock
from tileserver.watch.document.rules import rule_of
from tileserver.watch.maps.keeping import MapMaker
from tileserver.watch.messages import deliver
from tileserver.watch.messages.digest import tell_digests
from tileserver.watch.messages.receipts import Receipts
from tileserver.watch.messages.tell import Teller
from tileserver.watch.observing.observe import Place, Work, missing, observe, present, wanted_of
from tileserver.watch.observing.originals import Originals
from tileserver.watch.observing.verify import Outcome, together, verify
from tileserver.watch.pieces import Pieces, Settled


@dataclass(frozen=True, slots=True)
class Round:
    """What a round has done.

    Attributes:
        observed: Observations made.
        sent: Messages that were taken.
        failed: Scenes, alerts and geoservices of which something failed, with the reason.
        maps: Maps of periods that were made.
    """

    observed: int = 0
    sent: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    maps: int = 0


@dataclass(slots=True)
class Now:
    """A round that is under way.

    Attributes:
        at: What the clock says: for what is written down.
        believed: The time by which things end: see `watch.clock`.
        pieces: Of work, each of which fails by itself.
        observed: Observations made.
        sent: Messages that were taken.
        maps: Maps of periods that were made.
    """

    at: datetime
    believed: datetime
    pieces: Pieces
    observed: int = 0
    sent: int = 0
    maps: int = 0


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
        maps: Makes maps of periods; None: none are made.
        backups: Folder of nightly backups; None writes none.
    """

    scenes: Scenes
    database: Database
    address: str
    originals: Originals | None
    transport: Transport | None
    receipts: Receipts
    clock: Callable[[], datetime]
    maps: MapMaker | None = None
    backups: Path | None = None
    _places: dict[int, Place] = field(default_factory=dict)
    _settled: Settled = field(default_factory=Settled)
    _time: Clock = field(init=False)
    _press: Press = field(init=False)

    def __post_init__(self) -> None:
        self._time = Clock(self.database)
        self._press = Press(self.scenes, self.database, self.address)

    def round(self, slug: str | None = None) -> Round:
        """Do what is to be done now: of each geoservice one step after the other, then what is of all.

        Args:
            slug: Of the only geoservice that is looked at; None looks at all.

        Raises:
            ComeoError: If the database cannot be read or written.
        """
        at = self.clock()
        believed = self._time.believed(at)
        now = Now(at, believed, Pieces(self.database, believed))
        with self.database.reading() as connection:
            active = geoservices.geoservices(connection, "active")
            active = [each for each in active if slug in (None, each.slug)]
        steps = {"follow": self._follow, "tell": self._tell, "publish": self._publish}
        for each in active:
            for kind, step in steps.items():
                now.pieces.attempt(kind, key_of(each.id), each.slug, partial(step, each, now))
        now.pieces.attempt("digest", "", "digests", partial(self._digest, now))
        now.pieces.attempt("deliver", "", "messages", partial(self._deliver, now))
        if self.maps is not None:
            now.pieces.attempt("hide", "", "maps", partial(self.maps.remove_hidden, now.pieces))
        for each in active:
            now.pieces.attempt("maps", key_of(each.id), f"{each.slug}: maps", partial(self._map, each, now))
        now.pieces.attempt("backup", "", "the nightly backup", partial(self._back_up, now))
        return Round(now.observed, now.sent, now.pieces.said, now.maps)

    def _follow(self, geoservice: Geoservice, now: Now) -> None:
        """Bring observations and alerts in step with the catalogue, where there is anything to look at."""
        with self.database.reading() as connection:
            places = self._places_of(connection, geoservice.site)
        state = self.scenes.catalog.position(), geoservice.revision, [one.version for one in places]
        is_new = not self._settled.has(geoservice.id, state, now.pieces)
        if not (is_new or now.pieces.is_due(geoservice.id)):
            return
        with self.database.reading() as connection:
            followed = geoservices.followed(connection, geoservice.id)
        for each in followed:
            key = key_of(geoservice.id, each.id)
            work = partial(self._indicator, places, geoservice, each, now)
            now.pieces.attempt("indicator", key, geoservice.slug, work, anew=is_new)
        self._settled.keep(geoservice.id, state, now.pieces)

    def _tell(self, geoservice: Geoservice, now: Now) -> None:
        with self.database.writing() as connection:
            Teller(connection, geoservice, self.address, now.at, now.believed).tell()

    def _publish(self, geoservice: Geoservice, now: Now) -> None:
        self._press.turn(geoservice, now.at, now.believed)

    def _digest(self, now: Now) -> None:
        tell_digests(self.database, self.address, now.at)

    def _deliver(self, now: Now) -> None:
        if self.transport is not None:
            now.sent = deliver.deliver(self.database, self.transport, self.receipts, self.clock, now.believed)

    def _map(self, geoservice: Geoservice, now: Now) -> None:
        """Make a map of a period, if one is to be made, and none was in this round."""
        if self.maps is None or now.maps:
            return
        with self.database.reading() as connection:
            places = self._places_of(connection, geoservice.site)
        now.maps = self.maps.turn(geoservice, places, now.at, now.pieces)

    def _back_up(self, now: Now) -> None:
        if self.backups is not None:
            backup_of_day(self.database, self.backups, now.believed.date())

    def _indicator(
        self, places: Sequence[Place], geoservice: Geoservice, indicator: Followed, now: Now
    ) -> None:
        should = present(self.scenes, wanted_of(geoservice, indicator, places))
        self._observe(places, geoservice, indicator, should, now)
        self._judge(places, geoservice, indicator, should.keys(), now)
        self._verify(places, geoservice, indicator, should, now)

    def _places_of(self, connection: Connection, site: int) -> list[Place]:
        """The sites of a group, with what has been worked out of them before."""
        found = []
        for each in sites.leaves(connection, site):
            if each.id not in self._places:
                self._places[each.id] = Place(each.id, each.site, Area(dict(each.geometry)))
            found.append(self._places[each.id])
        return found

    def _observe(
        self, places: Sequence[Place], geoservice: Geoservice, indicator: Followed,
        should: Mapping[Key, Work], now: Now,
    ) -> None:  # fmt: skip
        """Make the observations that are missing, and keep them scene by scene."""
        with self.database.reading() as connection:
            known = observed.known(connection, [each.version for each in places], indicator.sha256)
        todo = {_scene_key(geoservice, indicator, work): work for work in missing(should, known)}
        now.pieces.keep_only("observe", key_of(geoservice.id, indicator.id, ""), todo.keys())
        for key, work in todo.items():
            make = partial(self._scene, work, indicator, key, now)
            now.pieces.attempt("observe", key, work.record.id, make, grave=True)

    def _scene(self, work: Work, indicator: Followed, key: str, now: Now) -> None:
        found = list(observe(self.scenes, work, indicator.sha256))
        with self.database.writing() as connection:
            observed.keep(connection, found)
            now.pieces.done(connection, "observe", key)
        now.observed += len(found)

    def _judge(
        self, places: Sequence[Place], geoservice: Geoservice, indicator: Followed, should: Set[Key], now: Now
    ) -> None:
        with self.database.writing() as connection:
            judge_sites(connection, geoservice, indicator, places, should, now.at)

    def _verify(
        self, places: Sequence[Place], geoservice: Geoservice, indicator: Followed,
        should: Mapping[Key, Work], now: Now,
    ) -> None:  # fmt: skip
        """Ask the originals, before any person is."""
        with self.database.reading() as connection:
            waiting = _unverified(connection, geoservice, indicator)
        works: dict[int, dict[str, tuple[Record, RenderPlan]]] = {}
        for of, work in should.items() if waiting else ():
            works.setdefault(of.site_version, {})[work.record.id] = work.record, work.plan
        own = {each.site: (each, works.get(each.version, {})) for each in places}
        for alert in waiting:
            key = key_of(geoservice.id, indicator.id, alert.id)
            least = (
                1 if alert.state == "verifying" else rule_of(geoservice, indicator, alert.site).policy.dates
            )
            look = partial(self._ask_originals, own, least, alert, now)
            now.pieces.attempt("verify", key, f"alert {alert.id}", look)
            if now.pieces.is_dead("verify", key):  # people are asked without
                reason = "the original cannot be looked at, tried again and again"
                self._look_up(alert, Outcome("unreachable", {}, reason), now)

    def _ask_originals(
        self, own: Mapping[int, tuple[Place, Mapping[str, tuple[Record, RenderPlan]]]], least: int,
        alert: Alert, now: Now,
    ) -> None:  # fmt: skip
        """Ask the originals of a site, or of some sites of a group; not of those that left it meanwhile."""
        group = alert.evidence.get("group")
        witnesses = group["witnesses"] if group else [{"site": alert.site, **alert.evidence}]
        found = [
            verify(
                self.scenes,
                self.originals,
                each,
                alert.kind,
                least,
                own[each["site"]][1],
                own[each["site"]][0],
            )
            for each in witnesses
            if each["site"] in own
        ]
        if found:
            self._look_up(alert, found[0] if group is None else together(found), now)

    def _look_up(self, alert: Alert, found: Outcome, now: Now) -> None:
        with self.database.writing() as connection:
            again = stored.find_alert(connection, alert.id)
            if again is not None and again.state == alert.state:
                lifecycle.look_up(connection, again, found.verified, found.reason, now.at)


def _unverified(connection: Connection, geoservice: Geoservice, indicator: Followed) -> list[Alert]:
    """Alerts of an indicator that the originals have not been asked of."""
    return [
        each
        for each in stored.alerts_of(connection, geoservice.id)
        if each.gs_indicator == indicator.id
        and each.state in lifecycle.UNDECIDED
        and each.verified == "unknown"
    ]


def _scene_key(geoservice: Geoservice, indicator: Followed, work: Work) -> str:
    """A new archive of a scene is another piece of work than the one that failed."""
    record = work.record
    return key_of(geoservice.id, indicator.id, record.collection, record.id, record.whole_etag)
