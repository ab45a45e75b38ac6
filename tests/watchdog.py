"""A guard against tests that hang: it judges no speed, and ends the process with the stacks of all threads."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator

import pytest

HANGING_SECONDS = 900  # a hundred times what the slowest test that is guarded takes on an idle machine


@pytest.fixture
def no_hanging() -> Iterator[None]:
    """End the process if the test never does; compiled loops can be interrupted in no gentler way."""
    faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()
