"""What compiled code is given lives until it has been read."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from comeo.codecs.learned import engine
from comeo.codecs.learned.model import DEFAULT, models
from comeo.settings import CodecSettings


def test_energy_classes_are_not_freed_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads may allocate while it is called: memory that is free by then has other classes in it."""
    found = engine.engine_of(models()[DEFAULT], CodecSettings())
    if found is None:
        pytest.skip("there is no compiled code")
    library, flat = found
    strided = np.arange(64, dtype=np.uint8).reshape(16, 4)[::4]
    seen: list[bytes] = []

    def begin(*arguments: Any) -> int:
        _ = [np.full(strided.shape, 255, np.uint8) for _ in range(1000)]
        seen.append(ctypes.string_at(arguments[3], strided.size))
        return 0

    context = library.new_context()
    monkeypatch.setattr(context, "_calls", SimpleNamespace(comeo_begin=begin))
    assert context.begin(flat, library.plan(2, 2, 1), strided, thorough=False) == 0
    assert seen == [strided.tobytes()]
