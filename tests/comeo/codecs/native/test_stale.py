"""A library that was compiled from other sources than those beside it is noticed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from comeo.codecs.native import Library, NativeError, build, library
from tools.native import SOURCES, _module


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    library._sources.cache_clear()


def test_a_library_knows_its_sources(library_path: Path) -> None:
    assert Library(library_path).calls.comeo_sources().decode() == build.digest()


def test_a_library_of_other_sources_is_refused(library_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "digest", lambda: "0" * 64)
    with pytest.raises(NativeError, match=r"compiled from other sources .* \(make install, or python -m"):
        Library(library_path)


def test_a_wheel_has_no_sources_to_compare_with(library_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "comeo.codecs.native.build", None)
    assert Library(library_path).levels
    assert library._sources() is None


@pytest.mark.parametrize("name", ["notes.c", "internal.h", "build.py"])
def test_every_source_and_the_flags_count(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "native"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__", "_native.lib"))
    assert _module(copy).digest() == build.digest()
    comment = "# more\n" if name.endswith(".py") else "/* more */\n"
    (copy / name).write_text((copy / name).read_text() + comment)
    assert _module(copy).digest() != build.digest()
