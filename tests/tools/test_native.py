"""Finding a compiler, and compiling: with small sources of the tests' own."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import struct
import sys
from pathlib import Path

import pytest

from tools import native
from tools.native import Compiler, CompilerError, compile_library, find_compiler, host_target

BUILD = """
def commands(machine, objects, extra=()):
    flags = ["-O2", "-fPIC", *extra, "-c"]
    return [(objects / "twice.o", [*flags, {source!r}, "-o", str(objects / "twice.o")])]
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with one source and its list."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "twice.c").write_text("int twice(int x) { return 2 * x; }\n")
    (folder / "build.py").write_text(BUILD.format(source=str(folder / "twice.c")))
    return folder


def script(folder: Path, name: str, text: str) -> Path:
    """A program that stands for a compiler."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without compilers: the one folder of its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(native, "_zig", lambda _: None)
    return folder


def test_a_compiler_of_this_machine_compiles_what_runs(sources: Path, tmp_path: Path) -> None:
    try:
        compiler = find_compiler()
    except CompilerError as error:
        pytest.skip(str(error))
    library = tmp_path / "twice.so"
    compile_library(library, compiler, sources=sources)
    assert ctypes.CDLL(str(library)).twice(21) == 42
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_without_a_compiler_a_sentence_says_what_to_install(bare: Path) -> None:
    with pytest.raises(CompilerError, match=r"no C compiler works on this machine; install one .*ziglang"):
        find_compiler()


def test_a_compiler_that_compiles_nothing_is_passed_over(bare: Path) -> None:
    script(bare, "cc", "exit 1")
    working = script(bare, "gcc", "exit 0")
    assert find_compiler().command == (working.name,)


def test_the_compiler_that_is_named_is_the_one(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(bare, "gcc", "exit 0")
    script(bare, "mine", "exit 0")
    monkeypatch.setenv("CC", "mine -m64")
    assert find_compiler().command == ("mine", "-m64")
    monkeypatch.setenv("CC", "missing")
    with pytest.raises(CompilerError, match="CC=missing"):
        find_compiler()


def test_what_cannot_be_compiled_says_why_and_leaves_the_old_library(
    bare: Path, sources: Path, tmp_path: Path
) -> None:
    script(bare, "cc", "echo 'twice.c:1: no such thing' >&2; exit 1")
    library = tmp_path / "twice.so"
    library.write_bytes(b"old")
    with pytest.raises(CompilerError, match=r"cc .*fails:\ntwice\.c:1: no such thing"):
        compile_library(library, Compiler(("cc",), "x86_64"), sources=sources)
    assert library.read_bytes() == b"old"


def test_a_target_is_for_zig_alone(bare: Path) -> None:
    script(bare, "cc", "exit 0")
    with pytest.raises(CompilerError, match="install ziglang"):
        find_compiler("aarch64-linux-gnu.2.17")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed")
@pytest.mark.parametrize(
    ("target", "machine"), [("aarch64-linux-gnu.2.17", 183), ("x86_64-linux-gnu.2.17", 62)]
)
def test_zig_compiles_for_other_machines(sources: Path, tmp_path: Path, target: str, machine: int) -> None:
    library = tmp_path / "twice.so"
    compile_library(library, find_compiler(target), sources=sources)
    header = library.read_bytes()[:20]
    assert header[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", header, 18) == (machine,)


def test_the_host_is_named_so_that_code_is_not_for_this_very_processor() -> None:
    if sys.platform != "linux":
        pytest.skip("named as of Linux")
    architecture, system, library = host_target().split("-", 2)
    assert architecture in {"x86_64", "aarch64"} or shutil.which("uname")
    assert (system, library) in {("linux", "gnu.2.17"), ("linux", "musl")}


@pytest.mark.parametrize(
    ("target", "platform"),
    [
        ("x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64"),
        ("aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64"),
        ("aarch64-linux-musl", "musllinux_1_2_aarch64"),
    ],
)
def test_wheels_say_where_they_run(target: str, platform: str) -> None:
    assert Compiler(("zig",), target.partition("-")[0], target).wheel_platform == platform


def test_wheels_of_this_machines_compiler_are_for_its_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-x86_64")
    assert Compiler(("cc",), "x86_64").wheel_platform == "linux_x86_64"


def test_no_wheel_is_made_for_a_c_library_that_no_tag_names() -> None:
    with pytest.raises(CompilerError, match="wheels are made for"):
        _ = Compiler(("zig",), "x86_64", "x86_64-linux-gnu.2.36").wheel_platform
