"""A service of ingest that is killed at any point: `python -m tests.tileserver.ingest.kills [kills] [seed]`.

Products come, then one of them changes; each step in processes that are killed before one of their writes, of
files or of the journal. After each kill the archives that are there are whole ones, byte by byte those that a
service makes that nobody kills; at the end all are there, none of an older version, and no product was
compressed again but those that were under way when a process was killed.
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

from tests.tileserver.forking import die_at, was_killed
from tests.tileserver.ingest.products import Inline, document, ingest, name_of, write_product
from tileserver.ingest.orders import Done, Order, State

PRODUCTS = 2
MOST = 60
"""Writes of a step, about."""
Archives = dict[str, bytes]


class Counting(Inline):
    """Notes in a file which orders it has begun and carried out."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def work(self, order: Order) -> Done:
        done = super().work(order)
        if not done.was_there:
            os.write(self._file, f"{Path(order.place).name}\n".encode())
        return done


@dataclass
class Case:
    """A service and its products.

    Attributes:
        root: Folder of all of it.
        right: Archives that may be there, by name.
    """

    root: Path
    right: Archives
    kills: int = 0
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root.mkdir()
        self.document = document(self.root, filled=PRODUCTS)

    def step(self, numbers: list[int], expected: Archives, step: str) -> None:
        """Run to the end, being killed before the n-th write of each process but the last one."""
        for number in [*numbers, None]:
            lived = self._run(number)
            self.wrong += self._look()
            if lived:
                break
        here = archives_in(self.root)
        if here != expected:
            self.wrong.append(f"{step}: there are {sorted(here)}, not {sorted(expected)}")

    def made(self) -> int:
        """Archives that were compressed, over all processes."""
        path = self.root / "made"
        return len(path.read_text().split()) if path.exists() else 0

    def _run(self, kill_at: int | None) -> bool:
        killed = was_killed(lambda: self._work(kill_at))
        self.kills += killed
        return not killed

    def _work(self, kill_at: int | None) -> None:
        executor = Counting(self.root / "made")
        if kill_at is not None:
            die_at(kill_at)
        journal = ingest(self.document, executor)
        if set(journal.counts()) - {State.PUBLISHED, State.SKIPPED}:
            raise RuntimeError(f"not all is published: {journal.counts()}")
        journal.close()

    def _look(self) -> Iterator[str]:
        """What there is that should not be."""
        for name, content in archives_in(self.root).items():
            if self.right.get(name) != content:
                yield f"{name} is no archive of these products"


def archives_in(root: Path) -> Archives:
    """Archives that a catalogue would find."""
    return {path.name: path.read_bytes() for path in (root / "out").glob("*.zarr.zip")}


def change(root: Path) -> None:
    """Let a product be another one, as it is when it is processed again."""
    write_product(root / "in" / f"{name_of(0)}.tif", seed=7)


def reference(root: Path) -> tuple[Archives, Archives]:
    """What a service makes that nobody kills, before a product changes and afterwards."""
    path = document(root, filled=PRODUCTS)
    ingest(path).close()
    before = archives_in(root)
    change(root)
    ingest(path).close()
    return before, archives_in(root)


def run(kills: int, seed: int, folder: Path) -> tuple[int, list[str]]:
    """Kill services so often; how often they were, and what was wrong.

    Args:
        kills: At least.
        seed: Of chance.
        folder: For services.
    """
    (folder / "reference").mkdir()
    before, after = reference(folder / "reference")
    chance = random.Random(seed)
    done = number = 0
    wrong: list[str] = []
    while done < kills:
        case = Case(folder / f"case-{number}", {**before, **after})
        for step, expected in (("first", before), ("changed", after)):
            if step == "changed":
                change(case.root)
            case.step([1 + number % MOST, *(chance.randint(1, MOST) for _ in range(4))], expected, step)
        most = len(before) + 1 + case.kills
        if case.made() > most:
            case.wrong.append(f"{case.made()} archives were compressed, at most {most} were to")
        done, wrong, number = done + case.kills, wrong + case.wrong, number + 1
        print(f"{done} of {kills} kills", file=sys.stderr, flush=True)
        shutil.rmtree(case.root)
    return done, wrong


def main() -> int:
    """Run what the command line says; 1 if anything went wrong."""
    kills, seed = (*map(int, sys.argv[1:]), *(500, 1)[len(sys.argv) - 1 :])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        done, wrong = run(kills, seed, Path(name))
    for each in wrong:
        print(each)
    print(f"{done} kills, {time.monotonic() - started:.0f} s: {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
