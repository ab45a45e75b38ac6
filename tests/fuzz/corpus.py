"""Inputs that are kept: one small one for each outcome, in one compressed file a target."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "corpus"


def kind_of(outcome: str) -> str:
    """An outcome without its numbers and names, so that the same refusal is kept once."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\([^)]*\)|\b[0-9a-f]+…", "…", outcome)
    return re.sub(r"0x[0-9a-f]+|[-+]?\d[\d.e+×-]*", "#", text)[:120]


def load(target: str, folder: Path = FOLDER) -> dict[str, bytes]:
    """Kept inputs of a target by name; none where there is no corpus yet."""
    path = folder / f"{target}.tar.xz"
    if not path.exists():
        return {}
    with tarfile.open(path, "r:xz") as archive:
        opened = ((member.name, archive.extractfile(member)) for member in archive.getmembers())
        return {name: stream.read() for name, stream in opened if stream}


def keep(target: str, inputs: Mapping[str, bytes], folder: Path = FOLDER) -> None:
    """Write a target's kept inputs; the same inputs give the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{target}.tar.xz", "w:xz", preset=9) as archive:
        for name, data in sorted(inputs.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
