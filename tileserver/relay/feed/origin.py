"""An origin as a server has it: its feed is brought up to date when it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from comeo.settings import SettingsError
from tileserver.catalog import Catalog
from tileserver.catalog.child import IDLE_SECONDS
from tileserver.catalog.reading import READER
from tileserver.relay.feed.following import Follower, Lookup, item_href, nothing_told
from tileserver.relay.feed.layout import INDEX
from tileserver.relay.feed.lines import Index
from tileserver.relay.feed.log import About, Log
from tileserver.relay.feed.pages import Filter, Page, Pages
from tileserver.settings import PREFIX, Settings

WAIT_SECONDS: Final = 240
"""So that waiting costs a relay less than 200 kB a day. Proxies in between have to wait as long: nginx gives
up after a minute by default."""
_WORK_SECONDS: Final = 2.0
"""For following the catalogue in one request: what is left, the next request does."""
_LOOK_SECONDS: Final = 0.25
"""Between two looks at the catalogue for those who wait: a first map waits half of it."""
PRIVATE: Final = "private"
PUBLIC: Final = "public"


def relay_folder(settings: Settings) -> Path:
    """Folder of the key and of the feed.

    Raises:
        SettingsError: If there is no place that outlives the server.
    """
    if settings.relay_folder is not None:
        return settings.relay_folder
    database = settings.database
    if database and "://" not in database:
        path = Path(database)
        return path.with_name(f"{path.stem}-relay")
    raise SettingsError(
        f"{PREFIX}RELAY_FOLDER: an origin keeps its key and its feed; name a folder for them that stays"
    )


class Origin:
    """The feed of a server. Threads and processes may share it; one of them writes at a time.

    Args:
        catalog: That the feed follows.
        settings: Of the server.
        told: What other origins told of its archives, where it is a relay.
    """

    def __init__(self, catalog: Catalog, settings: Settings, told: Lookup = nothing_told) -> None:
        folder = relay_folder(settings)
        self.public = folder / PUBLIC
        about = About(settings.relay_name or settings.provider, settings.relay_licence, WAIT_SECONDS)
        self.log = Log(self.public, folder / PRIVATE, about)
        self._follower = Follower(catalog, self.log, item_href, lambda: datetime.now(UTC), told=told)
        self._catalog = catalog
        self._pages = Pages(self.public)
        self._seen = ""

    def refresh(self, seconds: float = _WORK_SECONDS) -> None:
        """Bring the feed in step with the catalogue, unless another thread or process does.

        Args:
            seconds: To spend on it.
        """
        now = str(self._catalog.position())
        if now == self._seen and (self.public / INDEX).exists():
            return
        first = not self._seen and not self.log.origin
        deadline = time.monotonic() + seconds
        with self.log.writing(wait=first) as held:
            if not held:
                return
            while self._follower.is_behind():
                more = self._follower.step()
                if not more or time.monotonic() > deadline:
                    break
            self._seen = "" if self._follower.is_behind() else now

    def index(self) -> Index:
        """The index, brought up to date."""
        self.refresh()
        return self._pages.index()

    def page(
        self, after: int, limit: int, chosen: Filter | None, wait: float, gone: Callable[[], None]
    ) -> Page:
        """Lines of the feed, waited for if there are none.

        Args:
            after: Number of the line before.
            limit: Lines at most.
            chosen: Which; None for all.
            wait: Seconds, at most `WAIT_SECONDS`.
            gone: Called now and then; raises what ends the wait when the client is gone.
        """
        deadline = time.monotonic() + min(wait, WAIT_SECONDS)
        ready_until = 0.0
        while True:
            self.refresh()
            page = self._pages.page(after, limit, chosen)
            left = deadline - time.monotonic()
            if page.lines or left <= 0:
                return page
            gone()
            if time.monotonic() > ready_until:  # for what is being waited for
                READER.keep_ready()
                ready_until = time.monotonic() + IDLE_SECONDS / 2
            time.sleep(min(_LOOK_SECONDS, left))
            after = page.next
