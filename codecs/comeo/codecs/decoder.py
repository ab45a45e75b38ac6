"""Which decoder the codec `learned` runs on here, in words: `comeo codecs`, the server's log."""

from __future__ import annotations

import os
from dataclasses import dataclass

from comeo.codecs import native
from comeo.codecs.learned.sessions import check_provider
from comeo.settings import CodecSettings, current

_ADVICE = "install comeo again where gcc, clang or PyPI's ziglang can compile it"


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder in use.

    Attributes:
        words: Half a sentence that names it.
        slow: Why it is several times slower than need be, a sentence; None where it is not.
    """

    words: str
    slow: str | None = None


def decoder_in_use(settings: CodecSettings | None = None) -> Decoder:
    """Say what decodes `learned` with these settings, by default the current ones.

    Raises:
        NativeError: If there is a compiled library that cannot be used.
        CodecError: If onnxruntime is wanted elsewhere than on the CPU, and cannot run there.
        SettingsError: If the environment has a setting that is not allowed.
    """
    settings = settings or current()
    provider = settings.model_provider
    library = native.load() if provider == "CPU" else None
    if library is not None:
        return Decoder(f"compiled code for {library.level}")
    words = f"onnxruntime on {provider}, and Numba"
    if provider != "CPU":
        check_provider(settings)
        return Decoder(words)
    off = os.environ.get("COMEO_NATIVE") == "0"
    reason = "COMEO_NATIVE=0 switches it off" if off else f"there is none in this installation: {_ADVICE}"
    return Decoder(words, f"Blocks are decoded without compiled code, several times more slowly; {reason}")
