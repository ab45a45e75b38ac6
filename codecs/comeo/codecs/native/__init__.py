"""The compiled decoder of the `learned` codec, through ctypes; its C is compiled by tools/native.py."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from comeo.codecs.native.library import PATH, Context, Flat, Library, NativeError, Picture, Plan

__all__ = ["PATH", "Context", "Flat", "Library", "NativeError", "Picture", "Plan", "load"]


def load() -> Library | None:
    """The library of this installation; None where it was not compiled, or `COMEO_NATIVE=0` switches it off.

    `COMEO_NATIVE_LEVEL` names the instruction set to use instead of the best that the processor has.

    Raises:
        NativeError: If the library cannot be used, or the named instruction set cannot; or if `COMEO_NATIVE`
            says neither yes nor no.
    """
    wanted = os.environ.get("COMEO_NATIVE") or "1"
    if wanted not in ("0", "1"):
        raise NativeError(f"COMEO_NATIVE is {wanted!r}; it is 0, for no compiled code, or 1")
    if wanted == "0":
        return None
    return _load(PATH, os.environ.get("COMEO_NATIVE_LEVEL") or None)


@cache
def _load(path: Path, level: str | None) -> Library | None:
    return Library(path, level) if path.exists() else None
