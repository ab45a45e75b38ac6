"""Payloads written when the format was frozen decode to the same pixels for ever.

The files in `golden` are never made anew: a reader that fails here cannot read the archives that exist.
Rounding of sums may differ between processors, hence one digital number in a thousandth of the pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from comeo.codecs import get_codec

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.payload")), ids=lambda path: path.stem)
def test_golden_payloads(path: Path) -> None:
    codec = get_codec(path.stem.split("_")[0])
    payload = path.read_bytes()
    with np.load(path.with_suffix(".npz")) as expected:
        for reduce, name in ((0, "full"), (2, "reduced")):
            pixels = codec.decode(payload, reduce=reduce)
            reference = expected[name]
            assert pixels.dtype == reference.dtype
            if pixels.dtype == np.float32:
                np.testing.assert_allclose(pixels, reference, rtol=0, atol=2e-4)
            else:
                difference = np.abs(pixels.astype(int) - reference)
                assert difference.max() <= 1
                assert np.mean(difference > 0) < 1e-3


def test_there_are_golden_payloads_of_every_codec() -> None:
    assert len(list(GOLDEN.glob("dct_*.payload"))) == 3
    assert len(list(GOLDEN.glob("jpeg2000_*.payload"))) == 3
    assert len(list(GOLDEN.glob("learned_*.payload"))) == 4
