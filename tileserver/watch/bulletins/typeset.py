"""The process that sets a PDF: `python -P typeset.py`, JSON in, PDF out; of this package, its limits.

It is given a template, data and folders of fonts, and nothing else: its root is an empty folder, packages are
looked for in that folder alone, and the kernel ends it for too much memory, processor time or time. What it
cannot set is told on the second output, with exit code 1.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from typing import Any

import typst

from tileserver import confined


def main() -> None:
    """Set one PDF."""
    order: dict[str, Any] = json.load(sys.stdin)
    confined.ends_by((signal.SIGALRM, signal.SIGXCPU))
    confined.limit_memory(order["memory"])
    confined.allow(order["seconds"], order["seconds"])
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


if __name__ == "__main__":
    main()
