"""A server of geoservices for browsers: archives that arrive, a worker that runs when told, a mail server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from tests.e2e.conftest import Server, Visit, free_port
from tests.tileserver.watch.mailserver import SENDER, Inbox, mail_server
from tileserver.accounts import sessions
from tileserver.store import accounts
from tileserver.store.database import Database

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visits = Callable[..., Visit]
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
COLLECTION = "romania-forest"
ME = "me@example.org"
MAIN = [sys.executable, "-c", "from tileserver.cli.main import main; main()"]


def dates() -> list[str]:
    """Days of the bundled series, oldest first."""
    return sorted(path.name[11:21] for path in SAMPLES.glob("S2_romania_*.zarr.zip"))


def session_of(database: str, address: str) -> str:
    """The cookie of somebody who is signed in."""
    now = datetime.now(UTC)
    with Database(database).writing() as connection:
        person = accounts.find_person(connection, accounts.add_person(connection, address, "en", now))
        assert person is not None
        return sessions.begin(connection, person, now)


@dataclass
class Following(Server):
    """A server whose geoservices are followed by a worker that runs when it is told to.

    Attributes:
        inbox: Mail that was sent.
    """

    inbox: Inbox = field(default_factory=Inbox)

    def command(self) -> list[str]:
        return [*super().command(), "--no-work"]

    def give(self, *days: str) -> None:
        """Let scenes arrive."""
        for day in days:
            shutil.copy(SAMPLES / f"S2_romania_{day}.zarr.zip", self.folder)

    def work(self) -> None:
        """Let the worker do what is to be done."""
        self.comeo("work", str(self.folder), "--once")

    def comeo(self, *words: str) -> None:
        """Run a command on the server's machine."""
        done = subprocess.run(
            [*MAIN, *words], env=self.environment, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def links(self, address: str, path: str) -> list[str]:
        """Links of a kind (`/m/`) in the mail to an address, oldest first."""
        found: list[str] = []
        for to, mail in self.inbox.taken:
            body = mail.get_body(("plain",))
            if address in to and body is not None:
                found += re.findall(rf"{re.escape(self.address)}{path}\S+", body.get_content())
        return found

    def session_of(self, address: str) -> str:
        """See `session_of`."""
        return session_of(self.environment["COMEO_DATABASE"], address)

    def ask_link(self, address: str) -> str:
        """The link that signs somebody in, from the mail to them."""
        body = f'{{"email": "{address}"}}'.encode()
        headers = {"Content-Type": "application/json", "Accept-Language": "en"}
        with urlopen(Request(f"{self.address}/account/login", body, headers)):
            pass
        self.work()
        return self.links(address, "/account/login/")[-1]


@contextmanager
def following(folder: Path, log: Path, *days: str) -> Iterator[Following]:
    """A server over the scenes of some days of the bundled series."""
    folder.mkdir(parents=True)
    with mail_server() as (inbox, smtp):
        port = free_port()
        environment = {
            **os.environ, "COMEO_THREADS": "12", "COMEO_DATABASE": str(folder.parent / "comeo.sqlite"),
            "COMEO_SMTP": f"smtp://{smtp.host}:{smtp.port}", "COMEO_MAIL_FROM": SENDER, "COMEO_SIGN_UP": "1",
            "COMEO_PUBLIC_URL": f"http://127.0.0.1:{port}", "COMEO_SCAN_SECONDS": "0",
        }  # fmt: skip
        made = Following(folder, log, port=port, environment=environment, inbox=inbox)
        made.give(*days)
        with made:
            yield made


def enter(server: Following, visit: Visits, email: str, **options: Any) -> tuple[Visit, Page]:
    """The page, of somebody who is signed in."""
    seen = visit(server.address, **options)
    cookie = server.session_of(email)
    seen.page.context.add_cookies([{"name": "comeo", "value": cookie, "url": server.address}])
    seen.page.goto(f"{server.address}/follow")
    return seen, seen.page


def enter_by_mail(server: Following, visit: Visits) -> tuple[Visit, Page]:
    """The page, after signing in by the link that is mailed."""
    seen = visit(server.address)
    seen.page.goto(server.ask_link(ME))
    seen.page.get_by_role("button").click()
    seen.page.wait_for_url("**/follow*")
    seen.complaints.clear()  # the link's own page has no icon, which browsers ask for
    return seen, seen.page
