"""Compile the C sources of the codecs: python -m tools.native [--output FILE] [--target ZIG_TARGET].

`build.py` beside the sources lists them, instruction sets and flags. The compiler is $CC, else cc, gcc or
clang, else `zig cc` from PyPI's ziglang, whichever first compiles a small program: a compiler without the
headers of the C library is none. With a target the library is cross-compiled, by zig, for that machine and C
library.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = ROOT / "codecs/comeo/codecs/native"
LIBRARY: Final = SOURCES / "_native.lib"  # ctypes loads it by its path; ".so" would make it a Python module
GLIBC: Final = "2.17"  # the oldest C library that zig's libraries run with: that of manylinux2014

REACTOR: Final = ("-mexec-model=reactor",)  # a WebAssembly module without a main program

_ZIG_ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_TRIAL: Final = """
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
double trial(double number, size_t size) {
    void *memory = malloc(size);
    if (memory) memset(memory, 0, size);
    free(memory);
    return sqrt(number);
}
"""


class CompilerError(Exception):
    """Nothing can compile, or a compiler refuses a source; the message says what to do."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler that works.

    Attributes:
        command: What its command lines start with.
        architecture: That it compiles for, as `x86_64`, `aarch64` or `wasm32`.
        target: That zig compiles for; None for a compiler of this machine, which compiles for its C library.
    """

    command: tuple[str, ...]
    architecture: str
    target: str | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"zig cc -target {self.target}" if self.target else shlex.join(self.command)

    @property
    def wheel_platform(self) -> str:
        """The platform that a wheel is for which carries what this compiler makes (PEP 425, 600, 656)."""
        if self.target is None:
            return re.sub(r"\W", "_", sysconfig.get_platform())
        library = self.target.split("-", 1)[1]
        if library == f"linux-gnu.{GLIBC}":
            return f"manylinux_{GLIBC.replace('.', '_')}_{self.architecture}"
        if library == "linux-musl":
            return f"musllinux_1_2_{self.architecture}"
        raise CompilerError(
            f"wheels are made for ARCHITECTURE-linux-gnu.{GLIBC} or -linux-musl, not {self.target}"
        )


def _module(sources: Path) -> Any:
    """The `build.py` beside the sources, loaded by its path: a build has no comeo to import."""
    specification = importlib.util.spec_from_file_location("native_build", sources / "build.py")
    if specification is None or specification.loader is None:
        raise CompilerError(f"{sources / 'build.py'} cannot be read")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def find_compiler(target: str | None = None) -> Compiler:
    """The compiler for this machine, or zig for a target such as `aarch64-linux-gnu.2.17`.

    Raises:
        CompilerError: If there is none that works.
    """
    if target is not None:
        return _tried([_zig(target)], f"for {target}; install ziglang: pip install ziglang")
    if chosen := os.environ.get("CC"):
        return _tried([_own(shlex.split(chosen))], f"with CC={chosen}; name another one, or none")
    if sys.platform not in {"linux", "darwin"}:
        raise CompilerError(f"the C sources are not made for {sys.platform}")
    advice = "on this machine; install one (on Debian: apt install gcc libc6-dev), or ziglang from PyPI"
    return _tried([*(_own([name]) for name in ("cc", "gcc", "clang")), _zig(host_target())], advice)


def host_target() -> str:
    """This machine as zig names it, with the oldest C library that will do."""
    machine = platform.machine().lower()
    architecture = _ZIG_ARCHITECTURES.get(machine, machine)
    if sys.platform == "darwin":
        return f"{architecture}-macos"
    return f"{architecture}-linux-" + (f"gnu.{GLIBC}" if platform.libc_ver()[0] == "glibc" else "musl")


def compile_library(
    output: Path, compiler: Compiler, extra: Sequence[str] = (), sources: Path = SOURCES
) -> None:
    """Compile the shared library; an older one is replaced in one step, so that who has it loaded keeps it.

    Args:
        output: File to write.
        compiler: Does it.
        extra: More flags, for compiling and linking, such as sanitizers.
        sources: Folder of `build.py`.

    Raises:
        CompilerError: If a source cannot be compiled, with what the compiler says.
    """
    stripped = () if extra or sys.platform == "darwin" else ("-s",)
    link(output, compiler, ["-shared", *stripped], extra, sources)


def link(
    output: Path,
    compiler: Compiler,
    linking: Sequence[str],
    extra: Sequence[str] = (),
    sources: Path = SOURCES,
) -> None:
    """Compile the sources side by side and link them: see `compile_library`.

    Args:
        output: File to write.
        compiler: Does both.
        linking: Flags for linking alone.
        extra: Flags for both.
        sources: Folder of `build.py`.

    Raises:
        CompilerError: With what the compiler says.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".compiling-") as name:
        folder = Path(name)
        steps = _module(sources).commands(compiler.architecture, folder, extra)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(_run, ([*compiler.command, *arguments] for _, arguments in steps)):
                pass
        linked = folder / output.name
        objects = [str(made) for made, _ in steps]
        _run([*compiler.command, *linking, *extra, *objects, "-o", str(linked)])
        linked.replace(output)


def _own(command: Sequence[str]) -> Compiler | None:
    """A compiler of this machine, if the command is there."""
    machine = platform.machine().lower()
    found = shutil.which(command[0]) if command else None
    return Compiler(tuple(command), _ZIG_ARCHITECTURES.get(machine, machine)) if found else None


def _zig(target: str) -> Compiler | None:
    """Zig as a C compiler, if this Python has it. Without a target it would compile for this very CPU."""
    if importlib.util.find_spec("ziglang") is None:
        return None
    command = (sys.executable, "-m", "ziglang", "cc", "-target", target)
    return Compiler(command, target.partition("-")[0], target)


def _tried(candidates: Sequence[Compiler | None], advice: str) -> Compiler:
    for compiler in filter(None, candidates):
        if _works(compiler):
            return compiler
    raise CompilerError(f"no C compiler works {advice}")


def _works(compiler: Compiler) -> bool:
    linking = ["-O2", *(REACTOR if compiler.architecture == "wasm32" else ("-shared", "-fPIC"))]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "trial.c")
        source.write_text(_TRIAL)
        try:
            _run([*compiler.command, *linking, str(source), "-o", str(Path(folder, "trial.so")), "-lm"])
        except CompilerError:
            return False
    return True


def _run(command: Sequence[str]) -> None:
    """Run a compiler, zig's cache being that of the project: it would not start without a home.

    Raises:
        CompilerError: With what the compiler says.
    """
    environment = {"ZIG_GLOBAL_CACHE_DIR": str(ROOT / ".cache/zig"), **os.environ}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise CompilerError(f"{shlex.join(command)} fails:\n{done.stderr.strip()}")


def main() -> None:
    """Compile the library into the working tree, or where told."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.native", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--output", type=Path, default=LIBRARY, help="by default where the working tree looks for it"
    )
    parser.add_argument(
        "--target", help="as zig names it, such as aarch64-linux-gnu.2.17; by default this machine"
    )
    options = parser.parse_args()
    try:
        compiler = find_compiler(options.target)
        compile_library(options.output, compiler)
    except CompilerError as error:
        sys.exit(str(error))
    print(f"{options.output}: compiled by {compiler.name}")


if __name__ == "__main__":
    main()
