"""The compiled decoder: that of the installation, or one made for these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from comeo.codecs import native
from tools.native import CompilerError, compile_library, find_compiler


@pytest.fixture(scope="session")
def library_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled library; skips where there is neither one nor a compiler."""
    if native.PATH.exists():
        return native.PATH
    path = tmp_path_factory.mktemp("native") / "_native.lib"
    try:
        compile_library(path, find_compiler())
    except CompilerError as error:
        pytest.skip(str(error).partition("\n")[0])
    return path


@pytest.fixture
def compiled(library_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codec decodes in C; returns the instruction sets that this processor has."""
    monkeypatch.setattr(native, "PATH", library_path)
    monkeypatch.delenv("COMEO_NATIVE", raising=False)
    monkeypatch.delenv("COMEO_NATIVE_LEVEL", raising=False)
    library = native.load()
    assert library is not None
    return library.levels
