"""Bytes flipped on the way: `python -m tests.tileserver.relay.flips [flips] [seed]`.

With one bit flipped somewhere in what is here of an archive, it is checked as a relay does before it
publishes: `tileserver.relay.keeping.checking`, and at the end the SHA-256 of the whole. A flip is found if it
is among the bytes that are asked for again; every other one would be shown to somebody.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from comeo.archive.stores.extents import Extents
from comeo.archive.stores.file import LocalFile
from tests.parts import long_archive
from tests.tileserver.relay.keeping.relayed import copy_of
from tests.tileserver.relay.origins import NOW, FolderOrigin
from tileserver.catalog.footprints import box_of
from tileserver.relay.feed.lines import PutLine
from tileserver.relay.keeping.checking import damaged
from tileserver.relay.keeping.folder import Folder
from tileserver.relay.keeping.journal import Kept
from tileserver.relay.keeping.offering import key_of, offer_of
from tileserver.relay.keeping.ranges import area_extents
from tileserver.relay.plan.definition import LAYERS, Layer, Subscription
from tileserver.relay.plan.offers import Subscriber, Wish, wish_of

AREA = (8.640, 47.390, 8.645, 47.401)
STEPS: tuple[tuple[Layer, ...], ...] = (("head",), ("head", "coarse"), ("head", "area"), LAYERS)
"""What is here of a scene when it is checked."""


@dataclass
class Flipper:
    """A part of a relay in which bits are flipped and put right again.

    Attributes:
        found: Flips that were found, by what was here.
        missed: Places of the others, likewise.
    """

    root: Path
    archive: Path
    found: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        origin = FolderOrigin(self.root / "origin")
        origin.root.mkdir(parents=True)
        line = origin.put(copy_of(self.archive, origin, "long"))
        self.line = PutLine.model_validate({**line, "seq": 1}, strict=False)
        self.offer = offer_of(self.line)
        self.folder = Folder(self.root / "relay")
        self.folder.make()
        self.part = self.folder.part(*self.offer.key[:2])
        self.part.parent.mkdir(parents=True)
        self.part.write_bytes(self.archive.read_bytes())
        self.here = {"+".join(layers): self._here(layers) for layers in STEPS}

    def _here(self, layers: tuple[Layer, ...]) -> Extents:
        whole, offer = Extents([(0, self.offer.size)]), self.offer
        if "rest" in layers:
            return whole
        if "area" in layers:
            return area_extents(self.folder, self._kept(whole), self._wish())
        return Extents([(offer.coarse if "coarse" in layers else offer.tail, offer.size)])

    def _wish(self) -> Wish:
        who = Subscriber(Subscription.model_validate({"name": "a", "layers": ["area"]}), box_of(AREA))
        found = wish_of(self.offer, [who], NOW)
        assert found is not None
        return found

    def _kept(self, here: Extents) -> Kept:
        return Kept(key_of(self.line), "", 1, self.line.model_dump_json(), "coming", NOW, received=here)

    def flip(self, layers: str, at: int, bit: int) -> None:
        """Flip a bit of what is here, check as a relay does, and put it right."""
        here = self.here[layers]
        self._turn(at, bit)
        try:
            bad = damaged(self.part, self._kept(here), self.offer, here)
            if (
                not bad.total
                and here.covers(0, self.offer.size)
                and LocalFile(self.part).sha256() != self.line.sha256
            ):
                bad = here
            if bad.common(Extents([(at, at + 1)])).total:
                self.found[layers] += 1
            else:
                self.missed.append((layers, at))
        finally:
            self._turn(at, bit)

    def _turn(self, at: int, bit: int) -> None:
        descriptor = os.open(self.part, os.O_RDWR)
        try:
            (byte,) = os.pread(descriptor, 1, at)
            os.pwrite(descriptor, bytes([byte ^ 1 << bit]), at)
        finally:
            os.close(descriptor)


def places(here: Extents, chance: random.Random) -> Iterator[int]:
    """Places among bytes, each as likely as any other."""
    spans = [*here]
    lengths = [stop - start for start, stop in spans]
    while True:
        (start, stop), *_ = chance.choices(spans, lengths)
        yield chance.randrange(start, stop)


def run(flips: int, seed: int, folder: Path, archive: Path) -> Flipper:
    """Flip so many bits, one at a time, the same number of each state of a scene.

    Args:
        flips: How many.
        seed: Of chance.
        folder: For a relay.
        archive: That comes.
    """
    chance, flipper = random.Random(seed), Flipper(folder, archive)
    where = {layers: places(here, chance) for layers, here in flipper.here.items()}
    for number in range(flips):
        layers = [*where][number % len(where)]
        flipper.flip(layers, next(where[layers]), chance.randrange(8))
    return flipper


def main() -> int:
    """Run what the command line says; 1 if a flip was not found."""
    flips, seed = (*map(int, sys.argv[1:]), *(10_000, 1)[len(sys.argv) - 1 :])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        flipper = run(flips, seed, Path(name), long_archive(Path(name)))
    for layers, at in flipper.missed:
        print(f"{layers}: a flip at {at} was not found")
    found, seconds = sum(flipper.found.values()), time.monotonic() - started
    print(f"{found} of {flips} flips found, {seconds:.0f} s: {dict(flipper.found)}")
    return 1 if flipper.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
