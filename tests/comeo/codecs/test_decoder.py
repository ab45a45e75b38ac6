"""Which decoder is in use, in words."""

from __future__ import annotations

import pytest

from comeo.codecs import native
from comeo.codecs.decoder import decoder_in_use
from comeo.codecs.learned import sessions
from comeo.errors import CodecError
from comeo.settings import CodecSettings


def test_compiled_code_is_named_by_its_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        level = "avx2"

    monkeypatch.setattr(native, "load", Library)
    used = decoder_in_use(CodecSettings())
    assert used.words == "compiled code for avx2"
    assert used.slow is None


def test_a_slow_decoder_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "load", lambda: None)
    missing = decoder_in_use(CodecSettings())
    assert "onnxruntime on CPU" in missing.words
    assert missing.slow is not None
    assert "install comeo again" in missing.slow
    monkeypatch.setenv("COMEO_NATIVE", "0")
    off = decoder_in_use(CodecSettings())
    assert off.slow is not None
    assert "COMEO_NATIVE=0 switches it off" in off.slow


def test_a_gpu_needs_no_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Runtime:
        @staticmethod
        def get_available_providers() -> list[str]:
            return ["CUDAExecutionProvider"]

    monkeypatch.setattr(native, "load", lambda: None)
    monkeypatch.setattr(sessions, "_runtime", lambda: Runtime)
    used = decoder_in_use(CodecSettings(model_provider="CUDA"))
    assert used.words == "onnxruntime on CUDA, and Numba"
    assert used.slow is None


def test_a_provider_that_is_missing_is_refused() -> None:
    with pytest.raises(CodecError, match="no provider 'ABACUS' on this machine"):
        decoder_in_use(CodecSettings(model_provider="abacus"))


@pytest.mark.parametrize("value", ["off", "no", "2"])
def test_compiled_code_is_on_or_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMEO_NATIVE", value)
    with pytest.raises(native.NativeError, match=f"COMEO_NATIVE is '{value}'; it is 0"):
        decoder_in_use(CodecSettings())
