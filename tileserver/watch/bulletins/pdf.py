"""A bulletin as PDF/A, set by Typst in a process of its own (extra `[pdf]`): the same inputs, the same bytes.

Fonts come from packages, so that they are the same on every machine. Those of the machine are asked only for
scripts that these do not have; where there is none, no PDF is made, and it is said which characters it lacks.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from comeo.errors import ComeoError
from tileserver.confined import environment
from tileserver.pages import templates_folder
from tileserver.watch.bulletins.content import Content
from tileserver.watch.bulletins.page import Visa, model_of

STANDARD: Final = "a-2b"
SECONDS: Final = 60
"""That setting a PDF may take, of time and of a processor."""
MEMORY_BYTES: Final = 2 << 30
CHILD: Final = Path(__file__).with_name("typeset.py")
_FONTS: Final = ("fontpkg_noto_sans", "fontpkg_noto_sans_arabic")
_FAMILIES: Final = ("Noto Sans", "Noto Sans Arabic")
_COLOURS: Final = {"var(--accent)": "#0b5d4c", "var(--danger)": "#8f1d14", "currentColor": "#12211c"}
_MISSING: Final = re.compile(r"the text `?\"(.+?)\"`? could not be displayed")
_NO_NETWORK: Final = dict.fromkeys(("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"), "http://127.0.0.1:1")
"""Typst would fetch packages; the template names none, and through these proxies none can be fetched."""
_ESCAPED: Final = re.compile(r"\\u\{([0-9a-fA-F]+)\}")
_MOST_TOLD: Final = 20
"""Characters that a font lacks, in a sentence."""


class PdfError(ComeoError):
    """A PDF that cannot be made."""


class FontError(PdfError):
    """Characters that no font of the machine has."""


def is_installed() -> bool:
    """Whether PDFs can be made here."""
    return all(find_spec(each) is not None for each in ("typst", *_FONTS))


def bulletin_pdf(content: Content, locale: str, visa: Visa | None) -> bytes:
    """The PDF.

    Args:
        content: What it says.
        locale: Language.
        visa: None of a draft.

    Raises:
        FontError: If no font has some characters.
        PdfError: If it cannot be made otherwise, or its parts are not installed.
    """
    if not is_installed():
        raise PdfError("no PDF is made without Typst and its fonts; run: pip install 'comeo[pdf]'")
    at = visa.at if visa else datetime.fromisoformat(content["period"]["end"])
    data = _with_pictures({**model_of(content, locale, visa), "families": _FAMILIES})
    try:
        return _set(data, at, system_fonts=False)
    except FontError:
        return _set(data, at, system_fonts=True)


def _with_pictures(model: dict[str, Any]) -> dict[str, Any]:
    """Curves whose colours and font no page gives."""
    for section in model["sections"]:
        for indicator in section.get("indicators", ()):
            for curve in indicator["curves"]:
                for name, colour in _COLOURS.items():
                    curve["svg"] = curve["svg"].replace(name, colour)
                families = ", ".join(_FAMILIES)
                curve["svg"] = curve["svg"].replace("<svg ", f'<svg font-family="{families}" ', 1)
    return model


def _set(data: dict[str, Any], at: datetime, *, system_fonts: bool) -> bytes:
    order = {
        "template": (templates_folder() / "geoservices" / "bulletin.typ").read_text(encoding="utf-8"),
        "data": data, "time": int(at.timestamp()), "system_fonts": system_fonts,
        "fonts": [str(each) for each in _folders()], "standard": STANDARD, "seconds": SECONDS,
        "memory": MEMORY_BYTES,
    }  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", CHILD], input=json.dumps(order).encode(), capture_output=True, check=False,
            timeout=SECONDS + 5, env=environment(**_NO_NETWORK),
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PdfError(f"the PDF takes more than {SECONDS} seconds; let fewer curves be drawn") from error
    if done.returncode == 0:
        return done.stdout
    if done.returncode < 0:
        raise PdfError("the PDF takes too much time or memory; let fewer curves be drawn")
    raise _failure(done.stderr.decode(errors="replace"))


def _failure(told: str) -> PdfError:
    """What Typst said, in a sentence."""
    text = "".join(
        _ESCAPED.sub(lambda found: chr(int(found[1], 16)), each) for each in _MISSING.findall(told)
    )
    lacking = [each if each.isprintable() else f"U+{ord(each):04X}" for each in sorted(set(text))]
    if lacking:
        some = " ".join(lacking[:_MOST_TOLD])
        return FontError(
            f"no font on this machine has {some}: no PDF is made; install one, as Noto Sans of its script"
        )
    return PdfError(f"the PDF cannot be set: {(told.strip().splitlines() or ['nothing is said'])[-1][:300]}")


def _folders() -> Sequence[Path]:
    """Folders of the packages' fonts."""
    found = [(name, find_spec(name)) for name in _FONTS]
    return [Path(spec.origin).parent / "files" for _, spec in found if spec and spec.origin]
