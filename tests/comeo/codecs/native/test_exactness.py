"""Compiled code gives the bits of onnxruntime and Numba: values, pixels, payloads, at every instruction set.

`learned/test_exactness.py` holds those to a reference in NumPy integers.
"""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comeo.codecs import get_codec, native
from comeo.codecs.learned import engine, features, models
from comeo.codecs.learned.model import DEFAULT
from comeo.codecs.spectral import SpectralTransform
from comeo.errors import CodecError
from comeo.settings import CodecSettings
from tests.comeo.codecs.blocks import textured
from tests.comeo.codecs.native.cases import blocks, expected, payloads, running

pytest.importorskip("onnxruntime", reason="compared with what runs on it")


def test_it_is_compiled_code_that_runs(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = models()[DEFAULT]
    assert engine.engine_of(shipped, CodecSettings()) is not None
    assert engine.engine_of(shipped, CodecSettings(model_provider="CUDA")) is None
    monkeypatch.setenv("COMEO_NATIVE", "0")
    assert engine.engine_of(shipped, CodecSettings()) is None


def test_a_model_lives_as_long_as_what_uses_it(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two threads that meet a model first, both unpack it, and one of the two is kept for later."""
    shipped = models()[DEFAULT]
    monkeypatch.setattr(engine, "_unpacked", weakref.WeakKeyDictionary())
    own = engine.engine_of(shipped, CodecSettings())
    assert own is not None
    flat = weakref.ref(own[1])
    del own
    items = len(shipped.layout.items(4))
    energy = np.full((items, shipped.layout.components), 40, np.uint8)
    begun = engine.begin_passes(shipped, CodecSettings(), energy, (3, 4), thorough=False)
    engine._unpacked.clear()
    gc.collect()
    assert flat() is not None
    del begun
    gc.collect()
    assert flat() is None


def test_an_instruction_set_that_is_not_there_is_refused(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMEO_NATIVE_LEVEL", "mmx")
    with pytest.raises(native.NativeError, match="this processor has plain"):
        native.load()


@pytest.mark.parametrize("reduce", [0, 1, 2, 3])
def test_pixels_are_the_same_at_every_level(compiled: list[str], reduce: int) -> None:
    for level in compiled:
        with running(level):
            found = get_codec("learned").decode_many(payloads(), reduce=reduce)
        for one, other in zip(found, expected(reduce), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other, err_msg=level)


def test_payloads_are_the_same(compiled: list[str]) -> None:
    for level in (compiled[0], compiled[-1]):
        with running(level):
            for (block, step, mask), payload in zip(blocks(), payloads(), strict=True):
                assert get_codec("learned").encode(block, step=step, mask=mask) == payload, level


def test_magnitudes_are_the_tables(compiled: list[str]) -> None:
    for level in compiled:
        with running(level):
            library = native.load()
        assert library is not None
        np.testing.assert_array_equal(library.magnitudes(features.LARGEST + 1), features.MAGNITUDE)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 70), st.integers(1, 70)),
    step=st.floats(0.5, 3000),
    contrast=st.floats(1, 6000),
    seed=st.integers(0, 99),
    reduce=st.integers(0, 3),
    data=st.data(),
)
def test_any_block(
    compiled: list[str],
    shape: tuple[int, int, int],
    step: float,
    contrast: float,
    seed: int,
    reduce: int,
    data: st.DataObject,
) -> None:
    codec, block = get_codec("learned"), textured(*shape, seed=seed, contrast=contrast)
    with running("none"):
        payload = codec.encode(block, step=step)
        wanted = codec.decode(payload, reduce=reduce)
    with running(data.draw(st.sampled_from(compiled))):
        assert codec.encode(block, step=step) == payload
        np.testing.assert_array_equal(codec.decode(payload, reduce=reduce), wanted)


def test_inverse_against_sums_in_double_precision(compiled: list[str]) -> None:
    """The order of sums is defined in float32; in float64 they are what they should be but for rounding."""
    rng = np.random.default_rng(5)
    for bands in (1, 2, 4, 10):
        transform = SpectralTransform(
            rng.uniform(500, 4000, bands).astype(np.float16),
            rng.integers(0, 256, bands * (bands - 1) // 2).astype(np.uint8),
        )
        components = rng.normal(size=(bands, 7, 9)).astype(np.float32) * 1000
        wanted = np.einsum("cb,cyx->byx", transform.matrix.astype(np.float64), components)
        wanted += transform.mean.astype(np.float64)[:, None, None]
        np.testing.assert_allclose(transform.inverse(components), wanted, rtol=1e-5, atol=2e-3)


def test_threads_share_a_library(compiled: list[str]) -> None:
    found: list[list[np.ndarray]] = []
    failed: list[BaseException] = []

    def decode() -> None:
        try:
            found.extend(get_codec("learned").decode_many(payloads()) for _ in range(3))
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    for decoded in found:
        for one, other in zip(decoded, expected(0), strict=True):
            np.testing.assert_array_equal(one, other)


def test_damage_is_refused_in_the_same_words(compiled: list[str]) -> None:
    rng = np.random.default_rng(8)
    codec, sound, same = get_codec("learned"), payloads()[6], 0
    for case in range(300):
        data = bytearray(sound)
        if case % 3 == 0:
            del data[int(rng.integers(len(data))) :]
        for _ in range(case % 3):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        outcomes = []
        for where in ("none", compiled[case % len(compiled)]):
            with running(where):
                try:
                    outcomes.append(codec.decode(bytes(data), reduce=case % 4).tobytes())
                except CodecError as error:
                    outcomes.append(str(error))  # type: ignore[arg-type] # compared as they are
        assert outcomes[0] == outcomes[1], case
        same += isinstance(outcomes[0], str)
    assert same > 150
