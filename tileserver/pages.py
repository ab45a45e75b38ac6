"""Templates of pages, where they are: as installed, else in the source tree."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def templates_folder() -> Path:
    """Folder of templates."""
    here = Path(__file__).resolve().parent
    installed = here / "templates"
    return installed if installed.is_dir() else here.parent / "templates"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """What makes pages of templates; text becomes HTML that means just it."""
    return Environment(
        loader=FileSystemLoader(templates_folder()), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
