"""Stands in for a job's process: works until it is stopped."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tileserver.temporary import Lifeline

if __name__ == "__main__":
    for descriptor in sys.argv[2:]:
        Lifeline.hold_on_to(int(descriptor))
    folder = Path(sys.argv[1])
    state = {"status": "running", "progress": 10, "stage": "sleeping", "updated": time.time()}
    (folder / "state.new").write_text(json.dumps(state))
    (folder / "state.new").replace(folder / "state.json")
    time.sleep(120)
