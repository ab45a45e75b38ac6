"""Archives that come, change and go while they are asked for."""

from __future__ import annotations

import random
import shutil
import threading
from collections import Counter
from pathlib import Path
from typing import Final

from benchmarks.catalogue.generate import write_copy
from comeo.archive import open_archive

_NAMES: Final = 16
_VERSIONS: Final = 3


def stock(samples: list[Path], folder: Path, seed: int = 0) -> list[list[Path]]:
    """Write the archives that will come and go: several versions of each, with other pixels."""
    chance = random.Random(seed)
    out = []
    for number in range(_NAMES):
        versions = []
        place = chance.randrange(1 << 30)
        for version in range(_VERSIONS):
            target = folder / str(version)
            target.mkdir(parents=True, exist_ok=True)
            with open_archive(samples[(number + version) % len(samples)]) as archive:
                write_copy(archive, target, f"churn_{number:02}", random.Random(place))
            versions.append(target / f"churn_{number:02}.zarr.zip")
        out.append(versions)
    return out


def put(version: Path, folder: Path) -> None:
    """Let an archive appear, or take the place of another, in one step."""
    hidden = folder / f".{version.name}.arriving"
    shutil.copyfile(version, hidden)
    hidden.replace(folder / version.name)


def churn(
    versions: list[list[Path]], folder: Path, pause: float, changes: Counter[str], stop: threading.Event
) -> None:
    """Add, replace and remove archives until told to stop, counting what was done."""
    chance = random.Random(1)
    while not stop.wait(pause):
        number = chance.randrange(len(versions))
        present = folder / versions[number][0].name
        if not present.exists():
            put(chance.choice(versions[number]), folder)
            changes["added"] += 1
        elif chance.random() < 0.6:
            put(chance.choice(versions[number]), folder)
            changes["replaced"] += 1
        else:
            present.unlink()
            changes["removed"] += 1
