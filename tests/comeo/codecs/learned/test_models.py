"""Every model in the package encodes and decodes, whichever is the one that new archives take."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the learned codec needs the extra `cpu` or `gpu`")

from comeo.codecs import get_codec, payload
from comeo.codecs.learned import LearnedCodec, models
from comeo.codecs.learned.model import TAG_BYTES
from comeo.codecs.spectral import SpectralTransform
from tests.comeo.codecs.blocks import textured


@pytest.mark.parametrize("name", sorted(models()))
@pytest.mark.parametrize("compiled", [True, False])
def test_a_payload_names_its_model(name: str, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to run it code the same bytes, and any codec reads them."""
    block, model = textured(4, 80, 70), models()[name]
    expected = LearnedCodec(model).encode(block, step=40)
    if not compiled:
        monkeypatch.setenv("COMEO_NATIVE", "0")
    data = LearnedCodec.customised(model, None).encode(block, step=40)
    assert data == expected
    _, body = SpectralTransform.from_bytes(payload.parse(data, LearnedCodec.number).body, 4)
    assert bytes(body[:TAG_BYTES]) == model.tag
    assert np.abs(get_codec("learned").decode(data).astype(int) - block).max() < 5 * 40
