"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real Sentinel data; tests that need it are skipped where it is not at hand."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared Sentinel data are not at hand")
    return SHARED_DATA
