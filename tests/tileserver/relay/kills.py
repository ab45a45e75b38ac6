"""A relay that is killed at any point: `python -m tests.tileserver.relay.kills [kills] [seed]`.

A scene comes, a newer version takes its place, then it fades; each step in processes that are killed before
one of their writes. After each kill readers see right bytes alone, and at the end all is as if nobody had
been killed; nothing but the last 64 KiB before a kill is fetched twice.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from comeo.archive import open_archive
from comeo.archive.stores.parts import map_path, read_map
from comeo.errors import ArchiveError
from tests.tileserver.forking import die_at, was_killed
from tests.tileserver.relay.keeping.relayed import Relayed, altered, copy_of
from tests.tileserver.relay.origins import FolderOrigin, make_archive
from tileserver.relay.keeping.bringing import SYNC_BYTES

STEPS = ("fetch", "replace", "fade")
MOST = 120
"""Writes of a step, at most."""
KEEP = '[[subscription]]\nname = "all"\narea = [8.66, 47.4, 8.67, 47.41]\nkeep = "30d"'


@dataclass
class Case:
    """A relay, its origin, and what both versions of the scene are.

    Attributes:
        root: Folder of all of it.
        archive: The first version.
    """

    root: Path
    archive: Path
    kills: int = 0
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.root / "origin").mkdir(parents=True)
        origin = FolderOrigin(self.root / "origin")
        origin.put(copy_of(self.archive, origin))
        self.relayed = Relayed(origin, self.root)
        self.relayed.define(subscription=KEEP)
        self.right = {origin.documents[0]["etag"]: self.archive.read_bytes()}

    def step(self, numbers: list[int]) -> bool:
        """Run to the end, killed before the n-th writes of processes but the last; whether the first was."""
        for count, number in enumerate([*numbers, None]):
            lived = self._run(number)
            self.wrong += self._look()
            if lived:
                return count > 0
        return True

    def replace(self) -> None:
        """Let the origin have a newer version."""
        new = altered(self.archive, self.relayed.origin.root / "new.zarr.zip")
        line = self.relayed.origin.put(new)
        self.right[line["etag"]] = new.read_bytes()

    def fetched(self) -> int:
        """Bytes of archives that came, over all processes."""
        path = self.root / "fetched"
        return sum(map(int, path.read_text().split())) if path.exists() else 0

    def end(self, step: str) -> Iterator[str]:
        """What is not as it should be after a step."""
        relayed = self.relayed
        newest = [*self.right.values()][-1]
        if step == "fade":
            with open_archive(relayed.part()) as found:
                if found.layers != ("head", "coarse") or relayed.path().exists():
                    yield f"it has not faded: {found.layers}"
        elif relayed.path().read_bytes() != newest:
            yield f"{step}: another archive is served"
        if [*(relayed.root / "relay/aside").glob("*/*")]:
            yield f"{step}: something is left aside"
        most = sum(map(len, self.right.values())) + self.kills * SYNC_BYTES
        if self.fetched() > most:
            yield f"{step}: {self.fetched()} bytes came, at most {most} were to"

    def _run(self, kill_at: int | None) -> bool:
        killed = was_killed(lambda: self._work(kill_at))
        self.kills += killed
        return not killed

    def _work(self, kill_at: int | None) -> None:
        fetched = os.open(self.root / "fetched", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def count(_: int, data: bytes) -> bytes:
            os.write(fetched, b"%d\n" % len(data))
            return data

        self.relayed.broken().on_read = count
        if kill_at is not None:
            die_at(kill_at)
        self.relayed.run()

    def _look(self) -> Iterator[str]:
        """What readers see that they should not."""
        path, part = self.relayed.path(), self.relayed.part()
        if path.exists() and path.read_bytes() not in self.right.values():
            yield "a whole archive that is none"
        if not part.exists() or not map_path(part).exists():
            return
        found, data = read_map(part), part.read_bytes()
        right = self.right[found.etag]
        for start, stop in found.here:
            if data[start:stop] != right[start:stop]:
                yield f"wrong bytes are shown from {start} to {stop}"
        if found.layers:
            try:
                open_archive(part).close()
            except ArchiveError as error:
                yield str(error)


def run(kills: int, seed: int, folder: Path, archive: Path) -> tuple[int, list[str]]:
    """Kill relays so often; how often they were, and what was wrong.

    Args:
        kills: At least.
        seed: Of chance.
        folder: For relays.
        archive: That comes.
    """
    chance = random.Random(seed)
    done = 0
    wrong: list[str] = []
    number = 0
    writes = dict.fromkeys(STEPS, MOST)  # of a step that nobody interrupts, as far as is known
    while done < kills:
        case = Case(folder / f"case-{number}", archive)
        for step in STEPS:
            if step == "replace":
                case.replace()
            if step == "fade":
                case.relayed.time.sleep(31 * 86_400)
            first = 1 + number % writes[step]
            if not case.step([first, *(chance.randint(1, writes[step]) for _ in range(4))]):
                writes[step] = first - 1
            case.wrong += case.end(step)
        done, wrong, number = done + case.kills, wrong + case.wrong, number + 1
        print(f"{done} of {kills} kills", file=sys.stderr, flush=True)
        shutil.rmtree(case.root)
    return done, wrong


def main() -> int:
    """Run what the command line says; 1 if anything went wrong."""
    kills, seed = (*map(int, sys.argv[1:]), *(500, 1)[len(sys.argv) - 1 :])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done, wrong = run(kills, seed, folder, make_archive(folder, "scene"))
    for each in wrong:
        print(each)
    print(f"{done} kills, {time.monotonic() - started:.0f} s: {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
