"""The WebAssembly module, compiled if need be, and what runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.codecs import learned
from comeo.codecs.learned.model import DEFAULT
from tools.native import ROOT, SOURCES, CompilerError
from tools.wasm import MODULE, compile_module

PACKAGE = ROOT / "codecs/wasm"
SCRIPT = Path(__file__).with_name("decode.mjs")
MODELS = Path(learned.__file__).parent / "models"
MODEL = MODELS / f"{DEFAULT}.bin"


@dataclass(frozen=True)
class Under:
    """Where a predicted block lies, and the payloads of the finer level under it.

    Attributes:
        level: Of the block: bands, height, width, block.
        finer: That it is predicted from.
        place: Row and column of the block.
        payloads: Of the finer level, by row and column.
        offset: Pixels of the finer level, down and to the right, at which the level begins on it.
    """

    level: dict[str, int]
    finer: dict[str, int]
    place: tuple[int, int]
    payloads: dict[tuple[int, int], bytes]
    offset: tuple[int, int] = (0, 0)


Given = NDArray[np.float32] | Under
Case = tuple[bytes, int] | tuple[bytes, int, Given]  # payload, reduction, reference
Runner = Callable[[Sequence[Case]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled module: that of `make wasm` where it is no older than its sources."""
    newest = max(path.stat().st_mtime for path in SOURCES.glob("*.[chp]*"))
    if MODULE.exists() and MODULE.stat().st_mtime >= newest:
        return MODULE
    made = tmp_path_factory.mktemp("wasm") / MODULE.name
    try:
        compile_module(made)
    except CompilerError as error:
        if "install ziglang" in str(error):
            pytest.skip(str(error))
        raise
    return made


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js of the machine, or the one that the Makefile fetched."""
    found = shutil.which("node") or shutil.which("node", path=str(ROOT / ".cache/node/bin"))
    if found is None:
        pytest.skip("there is no Node.js on this machine; `make test` fetches one")
    return found


@pytest.fixture
def run_in_node(module: Path, node: str, tmp_path: Path) -> Runner:
    """Decode payloads, each at a reduction, in one Node.js: facts of blocks, or errors."""

    def run(cases: Sequence[Case]) -> list[dict[str, Any]]:
        shutil.copy(module, tmp_path / "decoder.wasm")
        listed = []
        for number, (payload, reduce, *references) in enumerate(cases):
            (tmp_path / f"{number}.payload").write_bytes(payload)
            case: dict[str, Any] = {"file": f"{number}.payload", "reduce": reduce}
            for reference in references:
                case["reference"] = write_reference(tmp_path, number, reference)
            listed.append(case)
        (tmp_path / "cases.json").write_text(json.dumps(listed))
        command = [node, str(SCRIPT), str(tmp_path), str(PACKAGE), *map(str, sorted(MODELS.glob("*.bin")))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads((tmp_path / "results.json").read_text())
        return found

    return run


def write_reference(folder: Path, number: int, reference: Given) -> dict[str, Any]:
    """Write the reference of a case, and say where it is."""
    if not isinstance(reference, Under):
        (folder / f"{number}.reference").write_bytes(reference.tobytes())
        return {"file": f"{number}.reference", "shape": reference.shape}
    files = {f"{row},{col}": f"{number}.{row}.{col}.payload" for row, col in reference.payloads}
    for name, payload in zip(files.values(), reference.payloads.values(), strict=True):
        (folder / name).write_bytes(payload)
    row, col = reference.place
    place = {"level": reference.level, "finer": reference.finer, "row": row, "col": col}
    return {"under": {**place, "offset": reference.offset, "files": files}}
