"""The examples of docs/python.md run as they stand, and links between documents lead somewhere."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def no_network(*_: object) -> None:
    raise OSError("examples need no network")


def test_the_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    document = ROOT / "docs" / "python.md"
    text = document.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "example"}
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) >= 10
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(document), "exec"), names)
    printed = capsys.readouterr().out
    assert "S2A_T32TMT_20190530_L2A" in printed
    assert "missing.zarr.zip" in printed


DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("samples/*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    targets = [target for target in LINK.findall(document.read_text("utf-8")) if "://" not in target]
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert not missing


NAMED = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]
MODULE = re.compile(r"`((?:comeo|tileserver)(?:\.[a-z_0-9]+)+)`")
PATH = re.compile(r"`((?:comeo|tileserver|docs|tests|benchmarks|codecs|tools)/[\w./]*)`")


@pytest.mark.parametrize("document", NAMED, ids=lambda path: path.name)
def test_the_rooms_that_are_named_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    sources = [ROOT / "codecs", ROOT]
    for name in MODULE.findall(text):
        *folders, last = name.split(".")
        homes = [source.joinpath(*folders) for source in sources]
        found = [home for home in homes if (home / last).is_dir() or (home / f"{last}.py").is_file()]
        members = [
            home.with_suffix(".py") if home.with_suffix(".py").is_file() else home / "__init__.py"
            for home in homes
        ]
        assert found or any(last in file.read_text("utf-8") for file in members if file.is_file()), name
    for name in PATH.findall(text):
        assert any((source / name).exists() for source in sources), name
