"""Damaged payloads of predicted blocks: a sentence or a well-formed block, and no warning."""

from __future__ import annotations

import numpy as np
import pytest

from comeo.codecs import get_codec
from comeo.codecs import payload as pl
from tests.comeo.codecs.blocks import CODECS, decoded
from tests.comeo.codecs.test_prediction import STEP, pair
from tests.watchdog import no_hanging  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("no_hanging")

CASES = {"dct": 2000, "jpeg2000": 600, "learned": 400}


def damaged(payload: bytes, rng: np.random.Generator) -> bytes:
    """A bit turned, some bytes of the beginning replaced, or the end cut off."""
    data = bytearray(payload)
    kind = rng.integers(3)
    if kind == 0:
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    elif kind == 1:
        at = rng.integers(4, 120)
        data[at : at + 8] = rng.bytes(8)
    else:
        del data[rng.integers(len(data)) :]
    return bytes(data)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("name", CODECS)
def test_damage_is_refused_or_decodes_to_a_block(name: str, dtype: str) -> None:
    block, reference = pair(48, 40, dtype=dtype)
    reference[0, :9, :9] = np.nan
    codec, rng = get_codec(name), np.random.default_rng(5)
    payload = codec.encode(block, step=STEP if dtype == "uint16" else STEP / 100, reference=reference)
    assert pl.is_predicted(payload)
    outcomes = [decoded(name, damaged(payload, rng), reference=reference) for _ in range(CASES[name])]
    assert None in outcomes
    assert any(found is not None for found in outcomes)
