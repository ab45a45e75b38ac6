"""What a PDF says, read from its pages."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import pytest

pikepdf = pytest.importorskip("pikepdf", reason="pikepdf is not installed")


def text_of(pdf: Path) -> str:
    """Text of a PDF in its own order; spaces are none of it."""
    shown = []
    with pikepdf.open(pdf) as document:
        for page in document.pages:
            maps = {name: unicode_of(font) for name, font in page.resources.Font.items()}
            known: dict[int, str] = {}
            for operands, operator in pikepdf.parse_content_stream(page):
                if str(operator) == "Tf":
                    known = maps[str(operands[0])]
                elif str(operator) in ("Tj", "TJ"):
                    for each in operands if str(operator) == "Tj" else operands[0]:
                        codes = bytes(each) if isinstance(each, pikepdf.String) else b""
                        shown += [known.get(code, "") for (code,) in struct.iter_unpack(">H", codes)]
    return "".join(shown)


def unicode_of(font: Any) -> dict[int, str]:
    """Characters of a font's glyphs, by its ToUnicode (ISO 32000-2, 9.10.3)."""
    lines = font.ToUnicode.read_bytes().decode("ascii")
    pairs = re.findall(r"^<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>$", lines, re.MULTILINE)
    return {int(code, 16): bytes.fromhex(text).decode("utf-16-be") for code, text in pairs}
