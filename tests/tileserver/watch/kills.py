"""`python -m tests.tileserver.watch.kills 1000 [SEED] [postgresql]`: a worker is killed, again and again.

The parent has the mail server and a receiver of events; each child runs the worker on a database and kills
itself when it is about to execute its n-th statement or commit. At the end each message has to have arrived
exactly once, no observation may be missing, and all has to be as if nobody had been killed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import event, select

from tests.tileserver.databases import PostgreSQL, hurry
from tests.tileserver.forking import was_killed
from tests.tileserver.watch.followed import HERE, NOW, OWNER, START, follow, observation, square
from tests.tileserver.watch.mailserver import Inbox, mail_server
from tests.tileserver.watch.receiver import Receiver, receiver
from tileserver.outgoing.guard import Guard
from tileserver.store import outbox
from tileserver.store.database import Database
from tileserver.store.migrate import upgrade
from tileserver.store.observed import Key, Observed
from tileserver.store.tables import alert, alert_event
from tileserver.store.tables import observation as observations
from tileserver.watch import worker
from tileserver.watch.channels.mail import Smtp
from tileserver.watch.channels.transport import Channels
from tileserver.watch.channels.webhook import Webhooks
from tileserver.watch.clock import Clock
from tileserver.watch.document import states
from tileserver.watch.messages.receipts import Receipts
from tileserver.watch.observing.observe import Wanted, Work
from tileserver.watch.worker import Worker

VALUES = (0.6, 0.6, 0.3, 0.3, 0.6, 0.6, 0.3, 0.2)
"""Of each day: two deviations."""
STAGES = (4, 6, 8)
"""Scenes that there are: a deviation has begun, is over, another one has begun."""
MOST = 250
"""Statements of a stage, about."""
TICK = timedelta(minutes=10)
PUT_OFF = timedelta(hours=5)
"""For longer nothing is put off, of a scene whose worker was killed five times."""
DIGESTS = "digests@example.org"
"""Of a recipient who is told each morning; how many digests that makes depends on the kills."""
_SITES = {"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {"name": f"Site {number}"}, "geometry": square(10 + number)}
    for number in range(2)
]}  # fmt: skip


def present(_scenes: Any, wanted: Wanted, *, count: int) -> dict[Key, Work]:
    """As many scenes as there are, each with all sites."""
    found = {}
    for day in range(count):
        record = cast("Any", SimpleNamespace(id=f"day-{day}", collection="scenes", whole_etag="e"))
        work = Work(record, START + timedelta(days=day), cast("Any", None), wanted.sites)
        for each in wanted.sites:
            found[Key(each.version, wanted.sha256, "scenes", record.id, "e")] = work
    return found


def observe(_scenes: Any, work: Work, _indicator: str) -> Iterator[Observed]:
    """What a scene says of its sites."""
    day = int(work.record.id.removeprefix("day-"))
    for place in work.sites:
        yield observation(day, VALUES[day], version=place.version)


@dataclass
class Case:
    """A database, its worker, and how far time has gone on.

    Attributes:
        folder: Of receipts, and of the file of SQLite.
        address: Of the database.
        transport: Where mail goes.
        now: Time.
        kills: How many workers were killed.
    """

    folder: Path
    address: str
    transport: Smtp
    now: datetime = NOW
    kills: int = 0

    def open(self) -> Database:
        """The database, which waits for no disk: no power is cut here."""
        database = Database(self.address)
        if database.is_sqlite:
            event.listen(database.engine, "connect", hurry)
        return database

    def run(self, count: int, kill_at: int | None) -> bool:
        """Run a worker in a process of its own until nothing is left to do; whether it lived to see that."""
        self.now += TICK
        killed = was_killed(lambda: self._work(count, kill_at))
        self.kills += killed
        return not killed

    def _work(self, count: int, kill_at: int | None) -> None:
        database = self.open()
        if kill_at is not None:
            _kill_at(database, kill_at)
        vars(worker).update(present=partial(present, count=count), observe=observe)
        changing = SimpleNamespace(position=object)  # says each time that it has changed
        scenes = cast("Any", SimpleNamespace(catalog=changing))
        webhooks = Webhooks(database, Guard(HERE), "http://here")
        channels = Channels({"email": self.transport, "webhook": webhooks})
        made = Worker(
            scenes, database, "http://here", None, channels, Receipts(self.folder / "sent"), lambda: self.now
        )
        while True:
            before = self.state(database)
            done = made.round()
            assert not done.failed, done.failed
            if not done.observed and not done.sent and self.state(database) == before:
                return

    def state(self, database: Database) -> list[Any]:
        """All that is in the database, but for times and for ids, of which PostgreSQL leaves some out."""
        with database.reading() as connection:
            known = select(alert.c.id, alert.c.geoservice, alert.c.site, alert.c.kind, alert.c.first_at)
            names = {number: f"{own}" for number, *own in connection.execute(known)}
            assert len(set(names.values())) == len(names), "two alerts of one deviation"
            alerts = select(
                alert.c.geoservice, alert.c.site, alert.c.kind, alert.c.state, alert.c.first_at,
                alert.c.last_at, alert.c.severity,
            )  # fmt: skip
            events = select(alert_event.c.alert, alert_event.c.before, alert_event.c.after)
            ways: dict[int, list[str]] = {}
            for number, before, after in connection.execute(events.order_by(alert_event.c.id)):
                _go(ways.setdefault(number, []), before, after)
            seen = select(observations.c.site_version, observations.c.item, observations.c.value)
            found = outbox.messages(connection)
            told = Counter(
                _named(key, names)
                for each in found
                if each.state == "sent"
                for key in each.body.get("tells", [each.key])
            )
            return [
                sorted(told.items()),
                sorted({each.state for each in found} - {"folded"}),  # a digest of one alert folds none
                sorted(map(repr, connection.execute(alerts))),
                sorted(f"{names[number]} {_known_way(way)}" for number, way in ways.items()),
                sorted(map(repr, connection.execute(seen))),
            ]

    def wait(self) -> None:
        """Let time go on as a machine sees it that runs, for what was put off as its worker was killed."""
        database = self.open()
        clock = Clock(database)
        for _ in range(PUT_OFF // TICK):
            self.now += TICK
            clock.believed(self.now)
        database.close()

    def whole(self, count: int) -> None:
        """Run a stage to its end without being killed."""
        self.wait()
        assert self.run(count, None)

    def end(self) -> list[Any]:
        """Run to the end without being killed, time going on for what was put off; the state then."""
        self.whole(STAGES[-1])
        for _ in range(2):
            self.now += timedelta(days=1)
            assert self.run(STAGES[-1], None)
        database = self.open()
        found = self.state(database)
        database.close()
        return found


def _go(way: list[str], before: str | None, after: str) -> None:
    """Go a step of an alert on, which has to be one of the table's from where it is."""
    assert before == (way[-1] if way else None)
    if before != after:  # else only something was found out about it
        if before is not None:
            states.check(states.ALERT, before, after)
        way.append(after)


def _known_way(way: list[str]) -> list[str]:
    """An alert's states from the first that may have been told.

    A scene whose worker was killed waits: until it comes its alert rests on one date, and is to be verified.
    """
    return way[1:] if way[:2] == ["verifying", "candidate"] else way


def _named(key: str, names: dict[int, str]) -> str:
    """A message's key with its alert by what it is of."""
    kind, number, *rest = key.split(":")
    return ":".join([kind, names[int(number)] if kind == "alert" else number, *rest])


def prepare(address: str, hook: str | None = None) -> None:
    """Two geoservices: one asks a moderator, one tells at once.

    Args:
        address: Of the database.
        hook: Address of a receiver of events; then there is a recipient of digests, too.
    """
    database = Database(address)
    upgrade(database)
    follow(database, sites=_SITES, slug="asks")
    told = [{"email": OWNER}, {"email": "other@example.org"}]
    if hook is not None:
        told += [{"email": DIGESTS, "rhythm": "daily"}, {"webhook": hook}]
    tells = follow(database, sites=_SITES, slug="tells", alerts={"moderation": "none"}, recipients=told)
    with database.writing() as connection:
        for each in outbox.recipients_of(connection, tells.id)[2:]:
            outbox.set_recipient(connection, each.id, "confirmed", NOW)
    database.close()


Databases = Callable[[str], str]
"""Makes a database of a name that is prepared; its address is returned."""


def files(folder: Path, hook: str) -> Databases:
    """Files of SQLite."""
    fresh = folder / "fresh.sqlite"
    prepare(str(fresh), hook)
    return lambda name: str(shutil.copy(fresh, folder / f"{name}.sqlite"))


def of_server(server: PostgreSQL, hook: str) -> Databases:
    """Databases of PostgreSQL."""
    prepare(server.make_named("fresh"), hook)
    return lambda _: server.make("fresh")


def _kill_at(database: Database, number: int) -> None:
    """Have this process kill itself when it is about to execute its n-th statement or commit."""
    done = 0

    def count(*_: Any) -> None:
        nonlocal done
        done += 1
        if done == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database.engine, "before_cursor_execute", count)
    event.listen(database.engine, "commit", count)


@dataclass
class Tally:
    """What has come of it.

    Attributes:
        kills: Workers that were killed.
        runs: Databases that were brought to the end.
        wrong: What was not as it should be.
    """

    kills: int = 0
    runs: int = 0
    wrong: list[str] = field(default_factory=list)


def arrived(inbox: Inbox, events: Receiver) -> Counter[str]:
    """What has come to whom: of digests each alert that they tell of, as one of several does.

    Alerts are counted from one: a database of its own kind leaves numbers out where a worker was killed.
    """
    got = Counter[str]()
    for (to,), mail in inbox.taken:
        text = mail.get_body(("plain",))
        assert text is not None
        lines = text.get_content().count("• ") if to == DIGESTS else 0
        got[to] += lines or 1
    numbers = sorted({int(each.split(":")[1]) for each in events.ids()})
    for each in events.ids():
        kind, number, *rest = each.split(":")
        got[":".join([kind, str(1 + numbers.index(int(number))), *rest])] += 1
    return got


def check(
    inbox: Inbox, events: Receiver, found: list[Any], expected: list[Any], addressed: Counter[str]
) -> Iterator[str]:
    """What is wrong after a run."""
    twice = [each for each, times in Counter([*inbox.ids(), *events.ids()]).items() if times > 1]
    if twice:
        yield f"{len(twice)} messages arrived twice"
    got = arrived(inbox, events)
    if got != addressed:
        yield f"messages arrived: {dict(got)} instead of {dict(addressed)}"
    for name, one, other in zip(
        ("messages", "states", "alerts", "events", "observations"), found, expected, strict=True
    ):
        if one != other:
            yield f"{name} differ: {one} instead of {other}"


def run(kills: int, seed: int, folder: Path, prepared: Callable[[str], Databases]) -> Tally:
    """Kill workers so often; each database is killed at up to fifteen statements, the first ones in turn.

    Args:
        kills: At least.
        seed: Of chance.
        folder: For receipts.
        prepared: Makes databases that tell the receiver of an address.
    """
    chance = random.Random(seed)
    tally = Tally()
    with mail_server() as (inbox, transport), receiver() as (events, _):
        databases = prepared(events.url)
        whole = Case(folder / "whole", databases("whole"), transport)
        for count in STAGES:
            whole.whole(count)
        expected = whole.end()
        addressed = arrived(inbox, events)
        assert {OWNER, "other@example.org", DIGESTS} < addressed.keys(), addressed
        assert addressed[DIGESTS] == len(events.ids()) >= 6, addressed
        while tally.kills < kills:
            inbox.taken.clear()
            events.taken.clear()
            case = Case(folder / f"case-{tally.runs}", databases(f"case-{tally.runs}"), transport)
            _kill_often(case, 1 + tally.runs, chance)
            tally.wrong += check(inbox, events, case.end(), expected, addressed)
            tally.kills += case.kills
            tally.runs += 1
    return tally


def _kill_often(case: Case, first: int, chance: random.Random) -> None:
    for count in STAGES:
        for number in (first, *(chance.randint(1, MOST) for _ in range(4))):
            if case.run(count, number):
                break
        case.whole(count)


def main() -> int:
    """Run what the command line says; 1 if anything went wrong."""
    numbers = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    kills, seed = (*numbers, *(1000, 1)[len(numbers) :])
    started = time.monotonic()
    with contextlib.ExitStack() as left:
        folder = Path(left.enter_context(tempfile.TemporaryDirectory()))
        if "postgresql" in sys.argv:
            server = PostgreSQL.found()
            left.callback(server.close)
            tally = run(kills, seed, folder, partial(of_server, server))
        else:
            tally = run(kills, seed, folder, partial(files, folder))
    for each in tally.wrong:
        print(each)
    seconds = time.monotonic() - started
    print(f"{tally.kills} kills in {tally.runs} runs, {seconds:.0f} s: {len(tally.wrong)} faults")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
