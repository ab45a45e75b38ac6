"""`comeo work` beside the server: started again when it ends, ended with the server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Final

from tileserver.settings import PREFIX, Settings
from tileserver.temporary import end_with_parent

_AGAIN: Final = 5.0  # seconds until a worker that has ended is started again


def start_worker(settings: Settings) -> None:
    """Start a worker with the environment of this process, which it does not outlive.

    Args:
        settings: Of the server.
    """
    server = os.getpid()
    if os.fork():
        return
    end_with_parent(server)
    keeper = os.getpid()
    command = [sys.executable, "-m", "tileserver.cli", "work", *map(str, settings.roots)]
    environment = {
        **os.environ,
        f"{PREFIX}CATALOG": str(settings.catalog or ""),
        f"{PREFIX}DATABASE": settings.database or "",
        f"{PREFIX}HOST": settings.host,
        f"{PREFIX}PORT": str(settings.port),
    }
    while True:
        subprocess.run(  # noqa: S603
            command, check=False, env=environment, preexec_fn=lambda: end_with_parent(keeper)
        )
        time.sleep(_AGAIN)
