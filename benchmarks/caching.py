"""What benchmarks make once and take again: under .cache of the checkout, named by what it was made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import comeo

CACHE: Final = Path(__file__).resolve().parents[1] / ".cache" / "benchmarks"


def kept(kind: str, key: bytes, suffix: str, make: Callable[[Path], None]) -> Path:
    """The file that was made from something, made now if it is not there.

    Args:
        kind: Of the file: the folder that it lies in.
        key: All that it is made from, programs and their settings included.
        suffix: Of its name.
        make: Writes it under the name that it is given.

    Returns:
        The file. It appears under its name when it is whole, so that runs beside each other may share it.
    """
    path = CACHE / kind / f"{hashlib.sha256(key).hexdigest()[:32]}{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{os.getpid()}-{path.name}")
        make(unfinished)
        unfinished.replace(path)
    return path


def kept_bytes(kind: str, key: bytes, make: Callable[[], bytes]) -> bytes:
    """Likewise, of bytes."""

    def write(path: Path) -> None:
        path.write_bytes(make())

    return kept(kind, key, ".bin", write).read_bytes()


@cache
def program_digest() -> bytes:
    """Digest of all that decides what an archive of this checkout looks like: the package and its models."""
    digest = hashlib.sha256()
    for path in sorted(Path(comeo.__file__).parent.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(str(path).encode() + path.read_bytes())
    return digest.digest()
