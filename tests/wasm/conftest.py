"""The WebAssembly module, compiled if need be, and what runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
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
MODEL = Path(learned.__file__).parent / "models" / f"{DEFAULT}.bin"

Case = tuple[bytes, int] | tuple[bytes, int, NDArray[np.float32]]  # payload, reduction, reference
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
                (tmp_path / f"{number}.reference").write_bytes(reference.tobytes())
                case["reference"] = {"file": f"{number}.reference", "shape": reference.shape}
            listed.append(case)
        (tmp_path / "cases.json").write_text(json.dumps(listed))
        command = [node, str(SCRIPT), str(tmp_path), str(PACKAGE), str(MODEL)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads((tmp_path / "results.json").read_text())
        return found

    return run
