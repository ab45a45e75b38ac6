"""What a child process knows that works on what others have written: where programs lie, and no secret."""

from __future__ import annotations

import os
import sys
from typing import Final

_KEPT: Final = (
    "PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "XDG_DATA_HOME", "XDG_DATA_DIRS", "FONTCONFIG_PATH",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """Variables of such a process.

    Args:
        more: Variables besides, or others instead.
    """
    own = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(each for each in sys.path if each)
    return {**own, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", **more}
