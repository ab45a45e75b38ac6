"""The one list of the decoder's sources, instruction sets and flags, for tools/native.py and tools/wasm.py.

Standard library alone, and nothing of comeo, so that a build can load this file by its path. It is not in
wheels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
COMMON: Final = ("memory.c", "model.c", "plan.c", "entropy.c", "decode.c", "dispatch.c")
LEVELLED: Final = ("features.c", "notes.c", "networks.c", "inverse.c", "filter.c")  # once for each level
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


def digest() -> str:
    """SHA-256 (hex) of the sources, and of this file, which has their flags: a library carries it."""
    found = hashlib.sha256()
    for path in sorted([*FOLDER.glob("*.[ch]"), Path(__file__)]):
        content = path.read_bytes()
        found.update(f"{path.name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def commands(machine: str, objects: Path, extra: Sequence[str] = ()) -> list[tuple[Path, list[str]]]:
    """Each object file, and the arguments (without the compiler) that make it.

    Args:
        machine: As `platform.machine()` has it; those unknown get plain C alone.
        objects: Folder for object files.
        extra: More flags, such as sanitizers.
    """
    levels = LEVELS.get(machine.lower(), {"plain": ()})
    made_from = f'-DCOMEO_SOURCES="{digest()}"'
    only = [f"-DCOMEO_ONLY_LEVEL={next(iter(levels))}"] if machine == "wasm32" else []
    made = [(name, name, [made_from, *only]) for name in COMMON]
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
