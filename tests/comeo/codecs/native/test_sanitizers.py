"""No undefined behaviour and no access out of bounds, whatever a payload or a blob holds."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from comeo.codecs import payload
from comeo.codecs.learned import models
from comeo.codecs.learned.model import DEFAULT, TAG_BYTES
from comeo.codecs.spectral import SpectralTransform
from tests.comeo.codecs.native.cases import payloads
from tools.native import CompilerError, compile_library, find_compiler

pytest.importorskip("onnxruntime", reason="payloads are coded with it")

FLAGS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
)
COUNT = int(os.environ.get("COMEO_FUZZ_NATIVE", "12"))  # damaged bodies of each case and level


def write_cases(path: Path) -> None:
    """Bodies, from their energy classes on, and what a plan needs to know of them."""
    layout, lines = models()[DEFAULT].layout, []
    for data in payloads():
        parsed = payload.parse(data, 3)
        bands, height, width = shape = parsed.header.shape
        body = bytes(SpectralTransform.from_bytes(parsed.body, bands)[1][TAG_BYTES:])
        facts = {"shape": shape, "rows": -(-height // 16), "columns": -(-width // 16)}
        facts |= {"items": len(layout.items(bands)), "body": base64.b64encode(body).decode()}
        lines.append(json.dumps(facts))
    path.write_text("\n".join(lines))


@pytest.mark.slow
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    try:
        compiler = find_compiler()
        compile_library(tmp_path / "_native.lib", compiler, FLAGS)
        runtime = subprocess.run(
            [*compiler.command, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (CompilerError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no compiler with sanitizers: {str(error).splitlines()[0]}")
    if not Path(runtime).is_absolute():
        pytest.skip("no sanitizers beside the compiler")
    write_cases(tmp_path / "cases")
    blob = models()[DEFAULT].flat
    assert blob is not None
    (tmp_path / "blob").write_bytes(blob)
    script = Path(__file__).with_name("sanitized.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path / "_native.lib", tmp_path / "blob", tmp_path / "cases", str(COUNT)],
        env={**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    refused = int(done.stdout.split()[0])
    assert refused > COUNT * len(payloads()) / 2
