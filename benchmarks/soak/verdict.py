"""What was measured, against what is to hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from benchmarks.soak.clients import Answers
from benchmarks.soak.memory import Memory

MOST_SPREAD: Final = 5.0  # p99 / p50
MOST_SLOPE: Final = 0.1  # MB a minute and process, in the second half


@dataclass(frozen=True)
class Figure:
    """One measured figure; `holds` is None where nothing is asked of it."""

    name: str
    value: str
    holds: bool | None = None


@dataclass(frozen=True)
class Verdict:
    """All figures, and the same for programs."""

    figures: list[Figure]
    document: dict[str, Any]

    @property
    def holds(self) -> bool:
        """Whether everything that is asked for was met."""
        return all(figure.holds is not False for figure in self.figures)

    def table(self) -> str:
        """For people."""
        marks = {None: "", True: "ok", False: "MISSED"}
        return "\n".join(f"{f.name:44} {f.value:>24}  {marks[f.holds]}" for f in self.figures)


def judge(answers: Answers, memory: Memory, changes: Counter[str], seconds: float) -> Verdict:
    """Compare what was measured with what is to hold."""
    taken, statuses = answers.snapshot()
    p50, p95, p99 = (1000 * float(value) for value in np.percentile(taken or [0.0], (50, 95, 99)))
    spread = p99 / p50 if p50 else 0.0
    slopes = memory.slopes(seconds / 2)
    figures = [
        Figure("seconds", f"{seconds:.0f}"),
        Figure("requests", f"{len(taken)}", len(taken) > 0),
        Figure("requests a second", f"{len(taken) / seconds:.1f}"),
        *(Figure(f"answered {status}", str(count)) for status, count in sorted(statuses.items())),
        Figure("5xx without Retry-After, or no answer", str(answers.wrong), answers.wrong == 0),
        Figure("p50 / p95 / p99 in ms", f"{p50:.0f} / {p95:.0f} / {p99:.0f}"),
        Figure(f"p99 / p50, at most {MOST_SPREAD:g}", f"{spread:.2f}", spread <= MOST_SPREAD),
        *(Figure(f"archives {what}", str(count)) for what, count in sorted(changes.items())),
        *_memory_figures(memory, slopes),
    ]
    document = {
        "seconds": seconds, "requests": len(taken),
        "statuses": dict(statuses), "kinds": dict(answers.by_kind),
        "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "changes": dict(changes),
        "slopes_mb_per_minute": slopes, "rss_mb": memory.samples, "bad": answers.bad,
        "figures": [asdict(figure) for figure in figures],
    }  # fmt: skip
    return Verdict(figures, document)


def _memory_figures(memory: Memory, slopes: dict[int, float]) -> list[Figure]:
    out = [Figure("processes that lived through the second half", str(len(slopes)), bool(slopes))]
    for pid, slope in slopes.items():
        first, last = memory.samples[pid][0][1], memory.samples[pid][-1][1]
        out.append(Figure(f"process {pid}: MB at first / at last", f"{first:.0f} / {last:.0f}"))
        name = f"process {pid}: MB a minute, at most {MOST_SLOPE:g}"
        out.append(Figure(name, f"{slope:+.3f}", slope <= MOST_SLOPE))
    return out
