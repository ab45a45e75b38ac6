"""The peer x265: what is counted of its streams, and that what is counted can be decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("imageio_ffmpeg")

from benchmarks import caching
from benchmarks.rate_distortion import x265
from benchmarks.rate_distortion.nal import is_parameter_set, split, units

# bodies as an encoder writes them: no start code within, no zero at the end (H.265, 7.4.2)
BODIES = st.lists(
    st.builds(
        lambda kind, rest: bytes([kind << 1, 1]) + rest,
        st.sampled_from((1, 19, 20, 39)),
        st.binary(min_size=1, max_size=40).map(lambda data: data.replace(b"\0", b"\2")),
    ),
    min_size=1,
    max_size=6,
)
CODES = st.sampled_from((b"\0\0\1", b"\0\0\0\1"))
SETS = [bytes([kind << 1, 1, 7, kind]) for kind in (32, 33, 34)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "CACHE", tmp_path)


@given(bodies=BODIES, data=st.data())
def test_sets_that_are_repeated_are_kept_once_and_nothing_else_is_lost(
    bodies: list[bytes], data: st.DataObject
) -> None:
    stream, pictures = b"", b""
    for body in bodies:
        if not stream or data.draw(st.booleans()):
            stream += b"".join(data.draw(CODES) + each for each in SETS)
        coded = data.draw(CODES) + body
        stream, pictures = stream + coded, pictures + coded
    assert b"".join(units(stream)) == stream
    sets, rest = split(stream)
    assert rest == pictures
    assert sets == b"".join(b"\0\0\0\1" + each for each in SETS)


def test_sets_that_change_between_pictures_are_refused() -> None:
    other = SETS[0][:-1] + b"\x09"
    with pytest.raises(ValueError, match="differ"):
        split(b"".join(b"\0\0\0\1" + each for each in (*SETS, b"\x28\1\1", other)))


@pytest.mark.parametrize("stream", [b"", b"\1\0\0\1\x28", b"\2\2"])
def test_what_is_no_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(ValueError, match="start code"):
        units(stream)


def test_what_is_counted_is_decodable_behind_one_copy_of_the_sets() -> None:
    frames = np.random.default_rng(1).integers(1800, 2300, (3, 64, 64)).astype("<u2")
    stream = x265.encode(frames, 20)
    sets, pictures = split(stream)
    assert sum(map(is_parameter_set, units(stream))) == 9
    assert sum(map(is_parameter_set, units(sets))) == 3
    assert len(units(pictures)) == 3
    np.testing.assert_array_equal(
        x265.decode(sets + pictures, frames.shape), x265.decode(stream, frames.shape)
    )
    assert len(stream) - len(pictures) == 3 * len(sets)


def test_one_quality_is_one_step() -> None:
    y, x = np.mgrid[:64, :64]
    block = (2000 + 800 * np.sin(x / 9) * np.cos(y / 7) + np.arange(2)[:, None, None] * 50).astype(np.uint16)
    fine, coarse = (x265.code(block, quality) for quality in (-20, -40))
    assert fine[0] > coarse[0] > 0
    errors = [float(np.square(decoded - block).mean()) for _, decoded in (fine, coarse)]
    assert errors[0] < errors[1] < 100**2
    again = x265.code(block, -20)
    assert again[0] == fine[0]
    np.testing.assert_array_equal(again[1], fine[1])
