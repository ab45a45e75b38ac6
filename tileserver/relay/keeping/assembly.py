"""A relay, put together from what its operator wrote."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from comeo.errors import ComeoError
from tileserver.relay.errors import FeedError
from tileserver.relay.feed.trust import Trust
from tileserver.relay.keeping.bringing import Bringer
from tileserver.relay.keeping.demand import Demand
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.gate import Gate
from tileserver.relay.keeping.intake import Intake
from tileserver.relay.keeping.journal import Journal, Kept, Known, now_utc
from tileserver.relay.keeping.layering import Layering
from tileserver.relay.keeping.looks import Looks
from tileserver.relay.keeping.models import Models
from tileserver.relay.keeping.notices import Notices
from tileserver.relay.keeping.pace import Pace
from tileserver.relay.keeping.retention import Retention
from tileserver.relay.keeping.runner import Runner
from tileserver.relay.keeping.source import Source
from tileserver.relay.keeping.waiting import waiting_of, wish_for
from tileserver.relay.plan.areas import Sites, area_of, no_sites
from tileserver.relay.plan.definition import Origin, Relay, read_definition
from tileserver.relay.plan.offers import Subscriber
from tileserver.relay.plan.order import Order
from tileserver.relay.plan.value import ClearDates
from tileserver.relay.upstream.base import Upstream
from tileserver.relay.upstream.folder import FolderUpstream
from tileserver.relay.upstream.opening import open_upstream

_SUBSCRIBED = "subscriptions"


@dataclass(frozen=True, slots=True)
class Defined:
    """A relay as it was written.

    Attributes:
        terms: What its operator wrote.
        folder: Its files.
        subscribers: Subscriptions with their areas.
    """

    terms: Relay
    folder: Folder
    subscribers: tuple[Subscriber, ...]


def folder_of(path: Path, terms: Relay) -> Folder:
    """The folder of a relay, which its definition names, relative to its own folder."""
    return Folder(path.absolute().parent / terms.folder)


def defined(path: Path, sites: Sites = no_sites) -> Defined:
    """Read a relay's definition, and all that it names.

    Args:
        path: Of RELAY.toml; names of files in it are relative to its folder.
        sites: Finds areas of geoservices.

    Raises:
        ComeoError: If something is wrong in it.
    """
    terms = read_definition(path)
    base = path.absolute().parent
    subscribers = tuple(Subscriber(each, area_of(each, base, sites)) for each in terms.subscriptions)
    return Defined(terms, folder_of(path, terms), subscribers)


def sites_of(database: str | None) -> Sites:
    """A finder of the sites of geoservices in a database; of none where there is none."""
    if database is None:
        return no_sites
    from tileserver.relay.plan.sites import sites_in  # noqa: PLC0415 (an extra)

    return sites_in(database)


def upstream_of(origin: Origin, folder: Folder, *, copy: bool = False) -> Upstream:
    """Open where an origin is; what is known of it is kept in the relay's folder.

    Args:
        origin: As the definition has it.
        folder: Of the relay.
        copy: Whether it may be older than what was seen of it: see `Relay.copies`.

    Raises:
        ComeoError: If its address is none.
        UnreachableError: If it is a folder that is not there.
    """
    named = hashlib.sha256(f"{origin.url} {origin.key}".encode()).hexdigest()[:16]
    known = None if copy else folder.root / "origins" / f"{named}.json"
    return open_upstream(origin.url, Trust(known, origin.key))


def open_copy(relay: Defined, place: Path) -> tuple[Upstream, Origin]:
    """Open a folder of archives that was carried here; and whose it is, of the origins that the relay has.

    Raises:
        ComeoError: If it is not one of an origin that the relay has.
    """
    refused = None
    for origin in relay.terms.origins:
        upstream = FolderUpstream(place, Trust(None, origin.key))
        try:
            upstream.index()
        except FeedError as error:
            refused = error
        else:
            return upstream, origin
    raise ComeoError(f"{place} is of no origin that RELAY.toml has: {refused}")


@contextmanager
def running(
    relay: Defined,
    notices: Notices,
    upstreams: Sequence[tuple[str, Upstream]],
    *,
    free: bool = False,
    trusted: Collection[str] | None = None,
    clock: Callable[[], datetime] = now_utc,
    ticks: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Runner]:
    """A runner, which alone has the folder.

    Args:
        relay: As it was written.
        notices: Where it tells what it does.
        upstreams: Names and upstreams of origins.
        free: Whether windows and quotas do not count, as of a disk that is at hand.
        trusted: Names of upstreams that models are taken of; None: as the definition says of origins.
        clock: Time in UTC.
        ticks: Seconds that only grow.
        sleep: Waits.

    Raises:
        ComeoError: If the folder cannot be used, or another process has it.
    """
    folder, terms = relay.folder, relay.terms
    folder.make()
    with folder.only_runner():
        journal = Journal(folder.journal)
        try:
            _subscribe(journal, relay)
            gate = Gate(terms.link, journal, clock, free=free)
            intake = Intake(journal, folder, relay.subscribers, terms.drops)
            dates, pace = _dates_of(journal.scenes(), relay, clock()), Pace(ticks, sleep)
            if trusted is None:
                trusted = {origin.url for origin in terms.origins if origin.models}
            copies = terms.copies
            sources = [
                Source(
                    name, each, Bringer(each, journal, gate, pace, ticks), Order([], dates, clock()),
                    copy=free or name in copies, models=name in trusted,
                )
                for name, each in upstreams
            ]  # fmt: skip
            layering = Layering(journal, folder, notices.note, clock)
            retention = Retention(journal, folder, intake, terms.disk, clock)
            demand = None
            if terms.link.on_demand and not free:
                demand = Demand(Looks(folder.looks), journal, layering, retention, gate, clock)
            models = Models(journal, folder, notices.note, clock) if trusted else None
            yield Runner(
                journal, folder, sources, intake, layering, retention, gate, notices, clock, ticks, sleep,
                demand, models,
            )  # fmt: skip
        finally:
            journal.close()


def order_of(relay: Defined, journal: Journal, now: datetime) -> Order:
    """All that is missing, as far as the feeds have been read."""
    scenes = [*journal.scenes()]
    found = (waiting_of(kept, relay.subscribers, now) for kept in scenes)
    waiting = [each for each in found if each is not None]
    return Order(waiting, _dates_of(scenes, relay, now), now)


def _dates_of(scenes: Iterable[Kept], relay: Defined, now: datetime) -> ClearDates:
    """When scenes of which something is seen show the areas of subscriptions clearly."""
    dates = ClearDates()
    for kept in scenes:
        wish = wish_for(kept, relay.subscribers, now) if kept.is_seen else None
        if wish is not None:
            dates.add(wish)
    return dates


def _subscribe(journal: Journal, relay: Defined) -> None:
    """Where the subscriptions have changed, have the feeds read again: lines nobody wanted are not kept."""
    digest = hashlib.sha256()
    for each in relay.subscribers:
        digest.update(each.terms.model_dump_json(exclude={"name", "priority", "alerts"}).encode())
        digest.update(b"" if each.area is None else each.area.wkb)
    found = digest.hexdigest()
    if journal.fact(_SUBSCRIBED) == found:
        return
    with journal.writing():
        for uuid, known in journal.origins().items():
            journal.set_origin(uuid, Known(known.epoch, 0, known.problem))
        journal.set_fact(_SUBSCRIBED, found)
