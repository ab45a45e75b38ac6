"""What the library's memory points to lives as long as it does."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from comeo.codecs.learned import engine
from comeo.codecs.learned.model import DEFAULT, models
from comeo.codecs.learned.prediction import begin_passes
from comeo.settings import CodecSettings


@pytest.mark.usefixtures("compiled")
def test_an_encoder_keeps_its_model() -> None:
    """Of two threads that unpack a model at once, one's copy was freed while it was being encoded with."""
    model, settings = models()[DEFAULT], CodecSettings()
    found = engine.engine_of(model, settings)
    assert found is not None
    library, flat = found
    again = engine.engine_of(model, settings)
    assert again is not None
    assert again[1] is flat
    _, passes = begin_passes(model, settings, np.full(4, 60, np.uint8), (2, 2), thorough=True)
    kept = weakref.ref(flat)
    engine._unpacked.pop(library)  # as if another thread had put its own copy there
    del found, again, flat
    gc.collect()
    assert kept() is not None
    assert sum(len(tiles) for _, _, tiles, _ in passes) > 0
    del passes
