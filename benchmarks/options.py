"""The options that benchmarks share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with `--data`, the shared data's folder, and `--output`, the folder of results."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results")
    return options
