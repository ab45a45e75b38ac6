"""Compile the decoder's C sources to a WebAssembly module: python -m tools.wasm [--output FILE].

The compiler is zig, from PyPI's ziglang. The module needs nothing of its host: it has memory and functions.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path
from typing import Final

from tools.native import REACTOR, ROOT, CompilerError, find_compiler, link

MODULE: Final = ROOT / "codecs/wasm/decoder.wasm"

_TARGET: Final = "wasm32-wasi"
_STACK: Final = 1 << 18  # bytes; what is large is in allocated memory
_LINKING: Final = (
    *REACTOR,
    "-s",
    "-Wl,--export-dynamic",  # what sources make visible, and these
    "-Wl,--export=malloc",
    "-Wl,--export=free",
    f"-Wl,-z,stack-size={_STACK}",
)


def compile_module(output: Path) -> None:
    """Compile the module; an older one is replaced in one step.

    Raises:
        CompilerError: If there is no zig, or it refuses a source.
    """
    link(output, find_compiler(_TARGET), _LINKING)


def main() -> None:
    """Compile the module, and say how large it is."""
    parser = argparse.ArgumentParser(prog="python -m tools.wasm", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=MODULE, help="by default in the npm package")
    options = parser.parse_args()
    try:
        compile_module(options.output)
    except CompilerError as error:
        sys.exit(str(error))
    made = options.output.read_bytes()
    print(f"{options.output}: {len(made):,} bytes, {len(gzip.compress(made, 9)):,} with gzip")


if __name__ == "__main__":
    main()
