"""The build's hook: when it asks for zig, and what wheels carry."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hatchling", reason="hatchling is not installed")

from hatchling.builders.wheel import WheelBuilder

from tools import hatch_hook, native
from tools.hatch_hook import NativeLibraryHook
from tools.native import ROOT, Compiler, CompilerError


def asked_for() -> list[str]:
    """What the build of a wheel asks for besides hatchling."""
    return [each for each in WheelBuilder(str(ROOT)).config.dependencies if each.startswith("ziglang")]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CC", "COMEO_BUILD_NATIVE", "COMEO_BUILD_TARGET"):
        monkeypatch.delenv(name, raising=False)


def hook(target: str = "wheel") -> NativeLibraryHook:
    config: dict[str, Any] = {"zig": "ziglang==1"}
    parts: Any = [None, None, "", target]  # what it makes no use of
    return NativeLibraryHook(str(ROOT), config, *parts)


def no_compiler(_target: str | None = None) -> Compiler:
    raise CompilerError("no C compiler works")


def test_zig_is_asked_for_where_nothing_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hatch_hook, "find_compiler", no_compiler)
    assert hook().dependencies() == ["ziglang==1"]
    assert hook("sdist").dependencies() == []
    monkeypatch.setenv("COMEO_BUILD_NATIVE", "0")
    assert hook().dependencies() == []


def test_zig_is_not_asked_for_in_the_place_of_a_compiler_that_was_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hatch_hook, "find_compiler", no_compiler)
    monkeypatch.setenv("CC", "mine")
    assert hook().dependencies() == []
    monkeypatch.setenv("COMEO_BUILD_TARGET", "aarch64-linux-gnu.2.17")
    assert hook().dependencies() == ["ziglang==1"]


def test_zig_is_not_asked_for_where_something_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hatch_hook, "find_compiler", lambda _: Compiler(("cc",), "x86_64"))
    assert hook().dependencies() == []


def test_the_build_takes_the_zig_that_tests_run_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (wanted,) = asked_for()
    assert wanted in (ROOT / "constraints.txt").read_text().splitlines()


def build_wheel(folder: Path, compiler: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = folder / "compiler"
    program.write_text(f"#!/bin/sh\n{compiler}\n")
    program.chmod(0o755)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    settings = {**os.environ, "CC": str(program), **environment}
    return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)


# writes what -o names, as a compiler would
PRETENDS = 'while [ "$1" != -o ]; do shift; done; echo compiled > "$2"'


@pytest.fixture(autouse=True)
def _viewer() -> None:
    if not (ROOT / "static/dist").is_dir():
        pytest.skip("wheels carry the viewer, which is not built: make install")


def test_a_wheel_carries_the_library_and_no_sources(tmp_path: Path) -> None:
    done = build_wheel(tmp_path, PRETENDS)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    assert "-py3-none-linux_" in wheel.name or sys.platform != "linux"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.read("comeo/codecs/native/_native.lib") == b"compiled\n"
    assert not [name for name in names if name.endswith((".c", ".h", "native/build.py", "hatch_hook.py"))]
    assert "comeo/codecs/native/library.py" in names
    assert "tileserver/static/countries.json.gz" in names


def test_a_wheel_without_the_library_is_for_every_machine_and_says_why(tmp_path: Path) -> None:
    done = build_wheel(tmp_path, "exit 1")
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    assert "-py3-none-any" in wheel.name
    assert "no C compiler works with CC=" in done.stdout + done.stderr
    assert "without its compiled decoder" in done.stdout + done.stderr
    with zipfile.ZipFile(wheel) as archive:
        assert "comeo/codecs/native/_native.lib" not in archive.namelist()


def test_a_build_that_must_compile_fails_where_nothing_does(tmp_path: Path) -> None:
    done = build_wheel(tmp_path, "exit 1", COMEO_BUILD_NATIVE="1")
    assert done.returncode != 0
    assert "no C compiler works with CC=" in done.stderr


def test_the_library_is_where_the_package_looks_for_it() -> None:
    library = pytest.importorskip("comeo.codecs.native.library")
    assert library.PATH.name == native.LIBRARY.name
    assert native.LIBRARY.parent == native.SOURCES
