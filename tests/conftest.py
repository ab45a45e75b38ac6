"""What all tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.buckets import bucket, object_store, store_port  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"

# The first has no window: toolbars that nobody sees take a third of a page's time.
BROWSERS = (
    "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome",
)  # fmt: skip
SOFTWARE_RENDERING = (
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # What Debian asks of a GPU is done by the same software here, and takes more of the processor.
    "--disable-gpu-compositing",
    "--disable-gpu-rasterization",
    "--no-sandbox",
)
NOBODY_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how long an example takes depends on what else runs


@pytest.fixture(scope="session", autouse=True)
def lean_processes() -> Iterator[None]:
    """See `tests/lean/sitecustomize.py`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).with_name("lean")), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real Sentinel data; tests that need it are skipped where it is not at hand."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared Sentinel data are not at hand")
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium with software rendering: one a process, as Playwright demands."""
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.skip(f"no Chromium on this machine ({', '.join(BROWSERS)}); on Debian: apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright for Python is not installed")
    with playwright.sync_playwright() as driver:
        arguments = [*SOFTWARE_RENDERING, NOBODY_ELSE]
        running = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield running
        running.close()
