"""`python -m tests.tileserver.watch.kills 1000`: a worker is killed at statement boundaries, again and again.

The parent has the mail server and a receiver of events; each child runs the worker on an SQLite file and
kills itself when it is about to execute its n-th statement or commit. At the end each message has to have
arrived exactly once, no observation may be missing, and all has to be as if nobody had been killed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import event, select

from tests.tileserver.databases import hurry
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
from tileserver.watch.deliver import Receipts, Smtp
from tileserver.watch.observe import Wanted, Work
from tileserver.watch.transport import Channels
from tileserver.watch.webhook import Webhooks
from tileserver.watch.worker import Worker

VALUES = (0.6, 0.6, 0.3, 0.3, 0.6, 0.6, 0.3, 0.2)
"""Of each day: two deviations."""
STAGES = (4, 6, 8)
"""Scenes that there are: a deviation has begun, is over, another one has begun."""
MOST = 250
"""Statements of a stage, about."""
TICK = timedelta(minutes=90)  # so that digests come between kills
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
        record = cast("Any", SimpleNamespace(id=f"day-{day}"))
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
        folder: Of the database.
        transport: Where mail goes.
        hook: Address of the receiver of events.
        now: Time.
        kills: How many workers were killed.
    """

    folder: Path
    transport: Smtp
    hook: str
    now: datetime = NOW
    kills: int = 0

    def prepare(self) -> None:
        """Two geoservices: one asks a moderator, one tells at once."""
        self.folder.mkdir()
        database = Database(str(self.folder / "comeo.sqlite"))
        upgrade(database)
        follow(database, sites=_SITES, slug="asks")
        told = [
            {"email": OWNER}, {"email": "other@example.org"}, {"email": DIGESTS, "rhythm": "daily"},
            {"webhook": self.hook},
        ]  # fmt: skip
        tells = follow(database, sites=_SITES, slug="tells", alerts={"moderation": "none"}, recipients=told)
        with database.writing() as connection:
            for each in outbox.recipients_of(connection, tells.id)[2:]:
                outbox.set_recipient(connection, each.id, "confirmed", NOW)
        database.close()

    def run(self, count: int, kill_at: int | None) -> bool:
        """Run a worker in a process of its own until nothing is left to do; whether it lived to see that."""
        self.now += TICK
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside the mail server's thread
            child = os.fork()
        if child == 0:
            try:
                self._work(count, kill_at)
            except BaseException:  # noqa: BLE001 - nothing of the parent's may run here
                sys.excepthook(*sys.exc_info())
                os._exit(2)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and os.waitstatus_to_exitcode(status) != 0:
            raise AssertionError("the worker failed; see its traceback")
        self.kills += killed
        return not killed

    def _work(self, count: int, kill_at: int | None) -> None:
        database = Database(str(self.folder / "comeo.sqlite"))
        event.listen(database.engine, "connect", hurry)
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
        """All that is in the database, but for times."""
        with database.reading() as connection:
            alerts = select(
                alert.c.geoservice, alert.c.site, alert.c.kind, alert.c.state, alert.c.first_at,
                alert.c.last_at, alert.c.severity,
            )  # fmt: skip
            events = select(alert_event.c.alert, alert_event.c.before, alert_event.c.after)
            seen = select(observations.c.site_version, observations.c.item, observations.c.value)
            found = outbox.messages(connection)
            told = Counter(
                key for each in found if each.state == "sent" for key in each.body.get("tells", [each.key])
            )
            return [
                sorted(told.items()),
                sorted({each.state for each in found} - {"folded"}),  # a digest of one alert folds none
                *(sorted(map(repr, connection.execute(each))) for each in (alerts, events, seen)),
            ]

    def end(self) -> list[Any]:
        """Run to the end without being killed, time going on for what was put off; the state then."""
        for _ in range(2):
            self.now += timedelta(days=1)
            assert self.run(STAGES[-1], None)
        database = Database(str(self.folder / "comeo.sqlite"))
        found = self.state(database)
        database.close()
        return found


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
    """What has come to whom: of digests each alert that they tell of, as one of several does."""
    got = Counter[str]()
    for (to,), mail in inbox.taken:
        text = mail.get_body(("plain",))
        assert text is not None
        lines = text.get_content().count("• ") if to == DIGESTS else 0
        got[to] += lines or 1
    return got + Counter(events.ids())


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


def run(kills: int, seed: int, folder: Path) -> Tally:
    """Kill workers so often; each database is killed at up to fifteen statements, the first ones in turn."""
    chance = random.Random(seed)
    tally = Tally()
    with mail_server() as (inbox, transport), receiver() as (events, _):
        whole = Case(folder / "whole", transport, events.url)
        whole.prepare()
        shutil.copytree(whole.folder, folder / "fresh")
        for count in STAGES:
            assert whole.run(count, None)
        expected = whole.end()
        addressed = arrived(inbox, events)
        assert {OWNER, "other@example.org", DIGESTS} < addressed.keys(), addressed
        assert addressed[DIGESTS] == len(events.ids()) >= 6, addressed
        while tally.kills < kills:
            inbox.taken.clear()
            events.taken.clear()
            case = Case(Path(shutil.copytree(folder / "fresh", folder / "case")), transport, events.url)
            _kill_often(case, 1 + tally.runs, chance)
            tally.wrong += check(inbox, events, case.end(), expected, addressed)
            tally.kills += case.kills
            tally.runs += 1
            shutil.rmtree(case.folder)
    return tally


def _kill_often(case: Case, first: int, chance: random.Random) -> None:
    for count in STAGES:
        for number in (first, *(chance.randint(1, MOST) for _ in range(4))):
            if case.run(count, number):
                break
        else:
            assert case.run(count, None)


def main() -> int:
    """Run what the command line says; 1 if anything went wrong."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(kills, seed, Path(folder))
    for each in tally.wrong:
        print(each)
    seconds = time.monotonic() - started
    print(f"{tally.kills} kills in {tally.runs} runs, {seconds:.0f} s: {len(tally.wrong)} faults")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
