"""A range of cases in a process of its own: a crash, a hang or a memory overrun is one case's fault."""

from __future__ import annotations

import ctypes
import multiprocessing
import resource
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fuzz.corpus import kind_of
from tests.fuzz.targets import Target

EXTRA_BYTES = 1 << 30  # beyond what the process has when its target is warm
CPU_SECONDS = 20.0  # for one case
IDLE_SECONDS = 300.0  # for one case that does not even use the CPU
REPORT_EVERY = 500


@dataclass
class Failure:
    """A case that went wrong."""

    number: int
    reason: str


@dataclass
class Tally:
    """What a run has seen.

    Attributes:
        done: How many cases.
        kinds: How many of each kind of outcome.
        first: The first case of each kind.
        failures: What went wrong.
    """

    done: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def run(
    make_target: Callable[[], Target],
    first: int,
    count: int,
    on_progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Run cases `first` to `first + count - 1` of a target.

    Args:
        make_target: Makes the target, in the process; can be pickled.
        first: Number of the first case.
        count: How many.
        on_progress: Called now and then.
    """
    tally = Tally()
    while tally.done < count:
        _run_child(make_target, first + tally.done, count - tally.done, tally, on_progress)
    return tally


def _run_child(
    make_target: Callable[[], Target],
    first: int,
    count: int,
    tally: Tally,
    on_progress: Callable[[Tally], None],
) -> None:
    """Run cases until all are done or one of them ends the process."""
    context = multiprocessing.get_context("spawn")
    current = context.RawValue(ctypes.c_longlong, first - 1)  # read by us when the process is dead
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(make_target, first, count, current, theirs), daemon=True)
    child.start()
    theirs.close()
    before, last, since = tally.done, current.value, time.monotonic()
    try:
        while True:
            if ours.poll(1.0):
                done, kinds, failures = ours.recv()
                tally.done = before + done
                _add(tally, kinds, failures)
                on_progress(tally)
            elif current.value != last:
                last, since = current.value, time.monotonic()
            elif time.monotonic() - since > IDLE_SECONDS:
                child.kill()
    except EOFError:
        child.join()
    if child.exitcode == 0:
        return
    if current.value < first:
        raise RuntimeError(f"the target could not be started: exit code {child.exitcode}")
    tally.failures.append(Failure(current.value, _ending(child.exitcode)))
    tally.done = before + current.value - first + 1


def _add(tally: Tally, kinds: dict[str, tuple[int, int]], failures: list[tuple[int, str]]) -> None:
    for kind, (number, times) in kinds.items():
        tally.kinds[kind] += times
        tally.first.setdefault(kind, number)
    tally.failures += [Failure(*failure) for failure in failures]


def _ending(code: int | None) -> str:
    """Why a process ended, in words."""
    number = -(code or 0)
    if number == signal.SIGPROF:
        return f"a hang: more than {CPU_SECONDS:g} s of CPU time"
    if number == signal.SIGKILL:
        return f"a hang, {IDLE_SECONDS:g} s without progress; or killed for its memory"
    return f"a crash: {signal.Signals(number).name}" if number > 0 else f"the process ended with code {code}"


def _work(
    make_target: Callable[[], Target], first: int, count: int, current: Any, results: Connection
) -> None:
    """The process: counts outcomes, and sends them now and then."""
    warnings.simplefilter("error", RuntimeWarning)  # such as NumPy's, of numbers that overflow
    target = make_target()
    _limit_memory()
    kinds: dict[str, tuple[int, int]] = {}
    failures: list[tuple[int, str]] = []
    for number in range(first, first + count):
        current.value = number
        data = target.case(number)
        # The default action of SIGPROF ends a process even where compiled code never returns to Python.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            kind = kind_of(target.check(data))
            earliest, times = kinds.get(kind, (number, 0))
            kinds[kind] = earliest, times + 1
        except Exception:  # noqa: BLE001 - that is what is looked for
            failures.append((number, traceback.format_exc(limit=-6)))
            results.send((number - first + 1, {}, failures))  # the next case may end the process
            failures = []
        signal.setitimer(signal.ITIMER_PROF, 0)
        if (number - first + 1) % REPORT_EVERY == 0 or number + 1 == first + count:
            results.send((number - first + 1, kinds, failures))
            kinds, failures = {}, []
    results.close()


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + EXTRA_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
