"""Payloads of the learned codec, decoded in C and without: the same pixels, or the same words."""

from __future__ import annotations

from itertools import cycle

from comeo.codecs import native
from comeo.errors import CodecError
from tests.comeo.codecs.native.cases import running
from tests.fuzz.payloads import PayloadTarget


class CompiledTarget(PayloadTarget):
    """Damaged payloads, decoded by compiled code at each instruction set by turns, and without it."""

    def __init__(self) -> None:
        library = native.load()
        assert library is not None, "compile the decoder: python -m tools.native"
        self._levels = cycle(library.levels)
        super().__init__("learned")

    def check(self, data: bytes) -> str:
        """Decode twice; see `Target`."""
        outcomes: list[bytes | str] = []
        level = next(self._levels)
        for where in ("none", level):
            with running(where):
                try:
                    outcomes.append(self._codec.decode(data, reduce=len(data) % 4).tobytes())
                except CodecError as error:
                    outcomes.append(str(error))
        assert outcomes[0] == outcomes[1], f"{level} differs: {[one[:80] for one in outcomes]!r}"
        return outcomes[0] if isinstance(outcomes[0], str) else "decoded"
