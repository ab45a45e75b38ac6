"""The process that sets a PDF: `python -P typeset.py`, JSON in, PDF out, without the rest of this package.

It is given a template, data and folders of fonts, and nothing else: its root is an empty folder, packages are
looked for in that folder alone, and the kernel ends it for too much memory, processor time or time. What it
cannot set is told on the second output, with exit code 1.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import sys
import tempfile
from typing import Any

import typst


def main() -> None:
    """Set one PDF."""
    order: dict[str, Any] = json.load(sys.stdin)
    _limit(order["seconds"], order["memory"])
    try:
        made = _set(order)
    except typst.TypstError as error:
        sys.stderr.write(error.diagnostic or error.message)
        sys.exit(1)
    sys.stdout.buffer.write(made)


def _set(order: dict[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="comeo-pdf-") as empty:
        fonts = typst.Fonts(
            include_system_fonts=order["system_fonts"], include_embedded_fonts=False,
            font_paths=order["fonts"],
        )  # fmt: skip
        compiler = typst.Compiler(root=empty, font_paths=fonts, package_path=empty, package_cache_path=empty)
        made = compiler.compile(
            order["template"].encode(), format="pdf", pdf_standards=[order["standard"]],
            sys_inputs={"data": json.dumps(order["data"])}, timestamp=order["time"],
        )  # fmt: skip
    if not isinstance(made, bytes):
        raise TypeError("a PDF is one file")
    return made


def _limit(seconds: int, memory: int) -> None:
    """Let the kernel end this process when it takes too much."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    for kind, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory)):
        with contextlib.suppress(ValueError, OSError):  # a stricter limit stands already
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
