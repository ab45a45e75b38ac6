"""Compiles the decoder: the one list of its sources, instruction sets and flags.

Standard library alone, and nothing of comeo, so that a build hook can load this file by its path.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
COMMON: Final = ("memory.c", "model.c", "plan.c", "entropy.c", "decode.c", "dispatch.c")
LEVELLED: Final = ("features.c", "notes.c", "networks.c", "inverse.c")  # compiled once for each level
FLAGS: Final = (
    "-std=c11", "-O3", "-fPIC", "-fvisibility=hidden", "-fno-math-errno", "-fno-strict-aliasing",
    "-ffp-contract=off",  # pixels are defined by their roundings
)  # fmt: skip
NUMBERS: Final = {"plain": 0, "sse41": 1, "avx2": 2, "avx512": 3, "neon": 4, "wasm": 5}  # as in simd.h
_X86: Final = {
    "plain": (),
    "sse41": ("-mssse3", "-msse4.1"),
    "avx2": ("-mavx2",),
    "avx512": ("-mavx2", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni"),
}
LEVELS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "x86_64": _X86,
    "amd64": _X86,
    "aarch64": {"plain": (), "neon": ()},
    "arm64": {"plain": (), "neon": ()},
    "wasm32": {"wasm": ("-msimd128",)},
}


class NoCompilerError(RuntimeError):
    """There is nothing to compile with, or it failed."""


def library_name() -> str:
    """File name of the library on this system."""
    return "_native.dll" if os.name == "nt" else "_native.so"


def compiler() -> list[str]:
    """The command of a C compiler: `$CC`, what the system has, or zig from PyPI's `ziglang`.

    Raises:
        NoCompilerError: If there is none.
    """
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise NoCompilerError("there is no C compiler: install gcc or clang, or `pip install ziglang`")


def commands(machine: str, objects: Path, extra: Sequence[str] = ()) -> list[tuple[Path, list[str]]]:
    """Each object file, and the arguments (without the compiler) that make it.

    Args:
        machine: As `platform.machine()` has it; those unknown get plain C alone.
        objects: Folder for object files.
        extra: More flags, such as sanitizers.
    """
    levels = LEVELS.get(machine.lower(), {"plain": ()})
    only = [f"-DCOMEO_ONLY_LEVEL={next(iter(levels))}"] if machine == "wasm32" else []
    made = [(name, name, only) for name in COMMON]
    for level, flags in levels.items():
        own = [f"-DCOMEO_LEVEL={level}", f"-DCOMEO_ISA={NUMBERS[level]}", *flags]
        made += [(name, f"{level}_{name}", own) for name in LEVELLED]
    return [
        (
            objects / f"{target}.o",
            [*FLAGS, *own, *extra, "-c", str(FOLDER / source), "-o", str(objects / f"{target}.o")],
        )
        for source, target, own in made
    ]


def compile_library(target: Path, extra: Sequence[str] = (), machine: str | None = None) -> Path:
    """Compile the library.

    Args:
        target: The file to make.
        extra: More flags, of compiler and linker, such as sanitizers.
        machine: See `commands`; by default this machine's.

    Returns:
        The file.

    Raises:
        NoCompilerError: If there is no compiler, or it failed; with what it said.
    """
    command = compiler()
    if machine is None:
        machine = platform.machine() or sysconfig.get_platform().rpartition("-")[2]
    with tempfile.TemporaryDirectory(prefix="comeo-native-") as folder:
        objects = []
        for made, arguments in commands(machine, Path(folder), extra):
            _run([*command, *arguments])
            objects.append(str(made))
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.{os.getpid()}.partial")
        _run([*command, "-shared", *extra, "-o", str(unfinished), *objects])
        unfinished.replace(target)
    return target


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the compiler
    if done.returncode:
        raise NoCompilerError(f"{' '.join(command)}\n{done.stderr[-4000:]}")


if __name__ == "__main__":
    compile_library(FOLDER / library_name(), sys.argv[1:])
