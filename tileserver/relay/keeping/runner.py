"""What `comeo relay run` does: reads feeds, brings the piece that is worth most, and keeps house."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from comeo.errors import ComeoError
from tileserver.relay.errors import ChangedError, FeedError, UnreachableError, UpstreamError
from tileserver.relay.keeping.demand import Demand, Sought
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.gate import Gate, GivesWayError, PausedError
from tileserver.relay.keeping.intake import Intake
from tileserver.relay.keeping.journal import SPEED, Journal, Kept, now_utc
from tileserver.relay.keeping.layering import FaultyError, Layering
from tileserver.relay.keeping.models import Models
from tileserver.relay.keeping.notices import Notices
from tileserver.relay.keeping.putting_off import PUT_OFF_SECONDS, PutOff
from tileserver.relay.keeping.reach import Doing, Fault, Reaching
from tileserver.relay.keeping.reconcile import reconcile
from tileserver.relay.keeping.retention import NoRoomError, Retention
from tileserver.relay.keeping.source import Source
from tileserver.relay.keeping.waiting import waiting_of, wish_for
from tileserver.relay.plan.definition import Layer
from tileserver.relay.plan.offers import Key
from tileserver.relay.plan.order import Waiting

POLL_SECONDS: Final = 60.0
"""Between two looks at a feed while scenes come."""
LONG_POLL_SECONDS: Final = 240.0
"""That an origin is asked to hold a request: with 360 of them a day, waiting costs less than 200 kB."""
STATIC_SECONDS: Final = 300.0
"""Between two looks at the feed of an origin that does not hold requests."""
LOOK_SECONDS: Final = 1.0
"""Between two looks at what people look at, while there is nothing else to do."""
HOUSE_SECONDS: Final = 600.0
"""Between two looks at what is to fade."""
REQUEST_SECONDS: Final = 0.5
"""That a request costs beside its bytes, on a line that is far."""
DISTRUST_SECONDS: Final = 3600.0
"""Until an origin whose feed must not be believed is looked at again."""
_TELLING_BYTES: Final = 1 << 15
"""A piece of fewer tells nothing of the line's speed."""
_NO_ROOM_SECONDS: Final = 60.0


class Runner:
    """Runs a relay.

    Args:
        journal: Of the relay.
        folder: Its files.
        sources: Origins, the first one first.
        intake: Applies lines.
        layering: Brings layers.
        retention: Lets scenes fade.
        gate: Of the link.
        notices: Where it tells what it does.
        clock: Time in UTC.
        ticks: Seconds that only grow.
        sleep: Waits.
        demand: Chooses what is fetched of what people look at, if anything.
        models: Brings learned models that scenes need.
    """

    def __init__(
        self,
        journal: Journal,
        folder: Folder,
        sources: Sequence[Source],
        intake: Intake,
        layering: Layering,
        retention: Retention,
        gate: Gate,
        notices: Notices,
        clock: Callable[[], datetime] = now_utc,
        ticks: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        demand: Demand | None = None,
        models: Models | None = None,
    ) -> None:
        self._journal, self._folder, self._gate = journal, folder, gate
        self._sources = sources
        self._intake, self._layering, self._retention = intake, layering, retention
        self._notices = notices
        self._clock, self._ticks, self._sleep = clock, ticks, sleep
        self._put_off = PutOff(ticks)
        self._house_at = float("-inf")
        self._paused_until: datetime | None = None
        self._paused_for = ""
        self._paused_as: Doing = "closed"
        self._halted_until = float("-inf")
        self._reaching = Reaching(journal)
        self._demand, self._models = demand, models
        self._models_at = float("-inf")
        for source in sources:
            source.bringer.gives_way = lambda: self._looked_at() is not None

    def run(self, *, once: bool = False) -> None:
        """Work until it is ended by a signal, or, `once`, until nothing more can be done now.

        Raises:
            ComeoError: If the disk refuses.
        """
        reconcile(self._journal, self._folder, self._notices.note)
        for kept in [each for each in self._journal.scenes() if each.aside]:  # a kill came before the swap
            wish = wish_for(kept, self._intake.subscribers, self._clock())
            if wish is not None:
                self._layering.swapped(kept, wish)
        try:
            self._work(once=once)
        finally:
            self._reaching.ends()

    def _work(self, *, once: bool) -> None:
        while True:
            self._keep_house()
            self._poll()
            self._bring_models()
            sought = self._looked_at()
            found = self._next() if sought is None else None
            if sought is not None:
                self._show(*sought)
            elif found is not None:
                self._bring(*found)
            elif once and not self._may_come():
                return
            else:
                self._idle()

    def _may_come(self) -> bool:
        """Whether an origin that refused one archive may soon be asked for others."""
        return self._paused_until is None and any(each.refuses(self._ticks()) for each in self._sources)

    def _poll(self, wait: float = 0.0) -> None:
        """Read the feeds that are due."""
        for source in self._sources:
            due = self._ticks() - source.polled_at >= (0.0 if wait else POLL_SECONDS)
            if not due or self._ticks() < source.ready_at or not self._may(alerts=True):
                continue
            known = source.uuid
            try:
                changed = source.poll(
                    self._journal, self._intake, self._clock(), self._ticks(), wait,
                    partial(self._may_read_on, source),
                )  # fmt: skip
                source.polled_at = self._ticks()  # it may have waited: what is here now comes first
            except FeedError as error:
                self._distrust(source, error)
                continue
            except UpstreamError as error:
                self._failed(source, error)
                if source.suspect is not None:  # it is the line
                    self._put_off.acquit(source.suspect)
                    source.suspect = None
                continue
            finally:
                self._settle(source)
            self._heard(source)
            if source.suspect is not None:
                self._later(source, source.suspect, f"nothing comes of {source.suspect.id}")
                source.suspect = None
            if known is None:  # now it can be told which scenes are of this origin
                changed = [kept.key for kept in self._journal.scenes()]
            for key in changed:
                self._arrange(key)
            if changed:
                self._models_at = float("-inf")

    def _may_read_on(self, source: Source) -> bool:
        self._settle(source)
        return self._may(alerts=True)

    def _settle(self, source: Source) -> None:
        """Count what a feed has cost so far."""
        self._journal.spend(self._gate.day, source.bringer.settle())

    def _bring_models(self) -> None:
        """Bring models that scenes need, where that is allowed: without one none of their pixels is seen."""
        if self._models is None or self._ticks() < self._models_at:
            return
        self._models_at = self._ticks() + HOUSE_SECONDS
        for source in self._sources:
            if not source.models or source.uuid is None or self._ticks() < source.ready_at:
                continue
            try:
                for digest in self._models.lacking(source.uuid):
                    self._models.bring(source.bringer, digest)
            except PausedError:
                return
            except UnreachableError as error:
                self._failed(source, error)
                self._models_at = source.ready_at
            except OSError as error:
                self._notices.note(f"models cannot be written: {error.strerror}")

    def _next(self) -> tuple[Source, Waiting] | None:
        """The piece that is worth most, of origins that are there."""
        now = self._clock()
        for key in self._put_off.over():
            self._arrange(key)
        if self._ticks() < self._halted_until:
            self._paused_until = now + timedelta(seconds=self._halted_until - self._ticks())
            self._paused_for, self._paused_as = "the disk is full", "disk"
            return None
        plain, alerts = self._may(alerts=False), self._may(alerts=True)
        if not alerts:
            return None
        best: tuple[Source, Waiting] | None = None
        for source in self._sources:
            if self._ticks() < source.ready_at or source.uuid is None:
                continue
            first = source.order.first(now, alerts_only=not plain)
            if first is not None and (
                best is None or source.order.urgency(first, now) < best[0].order.urgency(best[1], now)
            ):
                best = source, first
        return best

    def _may(self, *, alerts: bool) -> bool:
        try:
            self._gate.enter(alerts=alerts)
        except PausedError as error:
            self._paused_until, self._paused_for, self._paused_as = error.until, str(error), error.doing
            return False
        self._paused_until = None
        return True

    def _looked_at(self) -> tuple[Demand, Source, Sought] | None:
        """What somebody looks at that can be fetched now, of origins that are there."""
        if self._demand is None:
            return None
        ready = [each for each in self._sources if each.uuid is not None and self._ticks() >= each.ready_at]
        sought = self._demand.first({each.uuid for each in ready if each.uuid is not None}, self._put_off)
        source = next(
            (each for each in ready if sought is not None and each.uuid == sought.kept.origin), None
        )
        return None if sought is None or source is None else (self._demand, source, sought)

    def _show(self, demand: Demand, source: Source, sought: Sought) -> None:
        """Bring what somebody looks at, as far as it comes."""
        key = sought.kept.key
        self._notices.line(f"{key.id}: {len(sought.blocks)} blocks that were looked at")
        self._reaching.does("fetching", self._clock())
        before = self._measured(source)
        try:
            demand.bring(source.bringer, sought)
        except (PausedError, NoRoomError):
            pass
        except ChangedError:
            demand.forget(sought)
            source.polled_at = float("-inf")
        except FaultyError as error:
            self._faulty(source, sought.kept, error)
        except UpstreamError as error:
            self._failed(source, error, key)
            if not isinstance(error, UnreachableError):
                demand.forget(sought)
        except ComeoError as error:
            demand.forget(sought)
            self._notices.note(f"{key.id}: {error}")
        else:
            self._came(source, key)
        finally:
            self._arrange(key)
            self._measure(source, before)

    def _bring(self, source: Source, scene: Waiting) -> None:
        """Bring the next layer of a scene, as far as it comes."""
        key = scene.wish.offer.key
        layers = self._together(source, scene)
        try:
            for faded in self._retention.make_room(sum(scene.missing[layer] for layer in layers)):
                self._arrange(faded)
        except NoRoomError as error:
            self._notices.note(str(error))
            self._halted_until = self._ticks() + _NO_ROOM_SECONDS
            return
        kept = self._journal.get(key)
        now = None if kept is None else waiting_of(kept, self._intake.subscribers, self._clock())
        if (
            kept is None or now is None or now.layer != scene.layer
        ):  # it has faded itself, or is wanted no more
            self._arrange(key)
            return
        self._notices.line(f"{key.id}: {' and '.join(layers)}")
        self._reaching.does("fetching", self._clock())
        before = self._measured(source)
        try:
            after = self._layering.bring(source.bringer, kept, scene.wish, layers[-1])
        except (PausedError, GivesWayError):
            self._arrange(key)
        except ChangedError:
            source.polled_at = float("-inf")  # its feed tells what it is now
            self._later(source, key, f"{key.id} has changed at {source.name}")
        except FaultyError as error:
            self._faulty(source, kept, error)
        except UpstreamError as error:
            self._failed(source, error, key)
            self._arrange(key)
        except ComeoError as error:  # of this scene's file, or of a full disk
            self._later(source, key, str(error))
        else:
            self._came(source, key)
            for layer in layers:
                if layer in after.here:
                    self._notices.note(f"{key.id}: {layer} is here")
                    source.order.came(scene, layer, self._clock())
            self._arrange(key)
        finally:
            self._measure(source, before)

    def _together(self, source: Source, scene: Waiting) -> tuple[Layer, ...]:
        """What comes next: overviews with their head, where nothing else waits, and a request costs more.

        A head by itself comes packed, and shows nothing.
        """
        speed = self._journal.fact(SPEED)
        if scene.layer != "head" or "coarse" not in scene.missing or len(source.order) > 1 or speed is None:
            return (scene.layer,)
        offer = scene.wish.offer
        saved = (offer.size - offer.tail - offer.head) / max(1.0, float(speed))
        return ("head", "coarse") if saved < REQUEST_SECONDS else ("head",)

    def _measured(self, source: Source) -> tuple[int, float]:
        """Bytes on the wire so far, and seconds that were not waited on purpose."""
        return source.upstream.wire.total, self._ticks() - source.bringer.waited

    def _measure(self, source: Source, before: tuple[int, float]) -> None:
        """Remember how fast the line is, for plans."""
        wire, seconds = (after - was for after, was in zip(self._measured(source), before, strict=True))
        if wire < _TELLING_BYTES or seconds <= 0:
            return
        known = self._journal.fact(SPEED)
        speed = wire / seconds if known is None else 0.7 * float(known) + 0.3 * wire / seconds
        self._journal.set_fact(SPEED, f"{speed:.0f}")

    def _faulty(self, source: Source, kept: Kept, error: FaultyError) -> None:
        """Mark a scene that is not what its line says."""
        key = kept.key
        self._journal.put(replace(self._journal.get(key) or kept, state="faulty", problem=str(error)))
        self._notices.note(f"{key.id}: {error}; it is not asked for again")
        source.order.remove(key)

    def _later(self, source: Source, key: Key, why: str) -> None:
        self._notices.note(f"{why}; it is tried again in {PUT_OFF_SECONDS / 60:.0f} minutes")
        source.order.remove(key)
        self._put_off.add(key)

    def _failed(self, source: Source, error: UpstreamError, key: Key | None = None) -> None:
        """Leave an origin alone for a while; and a scene that was refused for longer: others may not be.

        Where nothing has come of a scene in many tries, and others wait, the feed tells whether that is the
        line's fault.
        """
        refused = not isinstance(error, UnreachableError)
        kept = None if key is None or refused else self._journal.get(key)
        if refused and key is not None:
            self._put_off.add(key)
        elif kept is not None and self._put_off.in_vain(kept) and source.order.has_others(kept.key):
            source.suspect, source.polled_at = key, float("-inf")
        self._lost(source, "refused" if refused else "unreachable")
        seconds = source.backoff.wait(refused=refused)
        if source.backoff.failed == 1:
            self._notices.note(f"{source.name}: {error}")
        source.ready_at = self._ticks() + seconds

    def _distrust(self, source: Source, error: FeedError) -> None:
        """Take nothing more from an origin until a person has looked, which may be done meanwhile."""
        self._notices.note(f"{source.name}: {error}; nothing more is taken from it")
        self._lost(source, "distrusted")
        known = None if source.uuid is None or source.copy else self._journal.origin(source.uuid)
        if source.uuid is not None and known is not None:
            self._journal.set_origin(source.uuid, replace(known, problem=str(error)))
        source.ready_at = self._ticks() + DISTRUST_SECONDS

    def _came(self, source: Source, key: Key) -> None:
        self._put_off.acquit(key)
        self._heard(source)

    def _heard(self, source: Source) -> None:
        source.backoff.worked()
        self._reaching.up(source.name, source.uuid, source.title, self._clock())

    def _lost(self, source: Source, fault: Fault) -> None:
        self._reaching.down(source.name, fault, self._clock())

    def _arrange(self, key: Key) -> None:
        """Put a scene into the order of its origin as it is now."""
        kept = self._journal.get(key)
        for source in self._sources:
            found = None
            if (
                kept is not None
                and kept.origin == source.uuid
                and key not in self._put_off
                and (not source.copy or source.has(kept))
            ):
                found = waiting_of(kept, self._intake.subscribers, self._clock())
            if found is None:
                source.order.remove(key)
            else:
                source.order.put(found, self._clock())

    def _keep_house(self) -> None:
        if self._ticks() - self._house_at < HOUSE_SECONDS:
            return
        self._house_at = self._ticks()
        for key in [*self._intake.sweep(self._clock()), *self._retention.fade(self._clock())]:
            self._arrange(key)

    def _idle(self) -> None:
        """Wait for a line of a feed, for a line that is down, or for the link to open."""
        if self._paused_until is not None:
            self._notices.line(f"{self._paused_for} until {self._paused_until:%Y-%m-%d %H:%M} UTC")
            self._reaching.does(self._paused_as, self._clock(), self._paused_until)
            self._sleep(min(60.0, max(0.1, (self._paused_until - self._clock()).total_seconds())))
            return
        ready = [source for source in self._sources if source.ready_at <= self._ticks()]
        if not ready:
            soonest = min(source.ready_at for source in self._sources)
            self._notices.line("the line is down")
            self._reaching.does("down", self._clock())
            self._sleep(max(0.05, soonest - self._ticks()))
            return
        self._notices.line("all is here")
        self._reaching.does("waiting", self._clock())
        if len(self._sources) > 1:  # none is to wait for another
            self._sleep(1.0)
            return
        if self._demand is not None:  # and no request may keep what is looked at waiting
            self._watch()
            return
        before = self._ticks()
        self._poll(LONG_POLL_SECONDS)
        if (
            self._ticks() - before < 1.0 and self._next() is None
        ):  # a folder of files, which is not waited for
            self._sleep(STATIC_SECONDS)

    def _watch(self) -> None:
        """Wait until somebody looks, or until the feed is to be read again."""
        until = self._ticks() + STATIC_SECONDS
        while self._ticks() < until and self._looked_at() is None:
            self._sleep(LOOK_SECONDS)
