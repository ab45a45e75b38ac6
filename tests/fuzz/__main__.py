"""`python -m tests.fuzz`: 10⁶ damaged payloads of each codec, 10⁶ indicators, 10⁵ of all else."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import Final

from tests.fuzz import corpus
from tests.fuzz.limited import Tally, run
from tests.fuzz.targets import NAMES, target_of

_FOUND: Final = Path(".cache/fuzz")
_SECONDS_BETWEEN_LINES: Final = 30.0


def main() -> int:
    """Run what the command line says; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(NAMES)}; all by default")
    parser.add_argument("--payloads", type=int, default=1_000_000, help="cases of each codec, and indicators")
    parser.add_argument(
        "--archives", type=int, default=100_000, help="cases of archives, files of sites and secrets"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first case, to go on with a run")
    parser.add_argument("--keep", action="store_true", help="add inputs with new outcomes to the corpus")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(NAMES):
        parser.error(f"{', '.join(sorted(unknown))} is unknown; choose of {', '.join(NAMES)}")
    failed = 0
    for name in arguments.targets or NAMES:
        count = arguments.archives if name in ("archives", "uploads", "tokens") else arguments.payloads
        failed += _fuzz(name, arguments.first, count, keep=arguments.keep)
    return 1 if failed else 0


def _fuzz(name: str, first: int, count: int, *, keep: bool) -> int:
    """Run a target, tell what was seen, save what went wrong; return the number of failures."""
    started = said = time.monotonic()

    def on_progress(tally: Tally) -> None:
        nonlocal said
        if time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            _say(f"{name}: {tally.done} of {count} cases from {first}, {len(tally.failures)} failures")

    tally = run(partial(target_of, name), first, count, on_progress)
    target = target_of(name)
    for failure in tally.failures:
        _FOUND.mkdir(parents=True, exist_ok=True)
        path = _FOUND / f"{name}-{failure.number}.bin"
        path.write_bytes(target.case(failure.number))
        _say(f"{name}: case {failure.number} failed, its input is {path}: {failure.reason}")
    if keep:
        kept = corpus.load(name)
        seen = {corpus.kind_of(target.check(data)) for data in kept.values()}
        new = {kind: number for kind, number in tally.first.items() if kind not in seen}
        kept |= {f"{number:07}": target.case(number) for number in new.values()}
        corpus.keep(name, kept)
    for kind, times in tally.kinds.most_common():
        _say(f"{name}: {times:8} {kind}")
    seconds = time.monotonic() - started
    _say(f"{name}: {tally.done} cases in {seconds:.0f} s, {len(tally.failures)} failures")
    return len(tally.failures)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
