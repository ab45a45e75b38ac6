"""The compiled library's functions as Python objects. Calls don't hold the interpreter's lock."""

from __future__ import annotations

import ctypes
import threading
import weakref
from ctypes import POINTER, Structure, c_char_p, c_float, c_int, c_int32, c_size_t, c_void_p
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.errors import ComeoError

PATH: Final = Path(__file__).with_name("_native.lib")

OK: Final = 0
CUT_SHORT: Final = -1
BAD_CLASSES: Final = -2
BAD_START: Final = -3
BAD_SYMBOLS: Final = -4
NO_MEMORY: Final = -5

_DIGEST_AT, _DIGEST_BYTES = 16, 32
_ADVICE: Final = "compile it again (make install, or python -m tools.native); or install the wheel again"


@cache
def _sources() -> str | None:
    """Digest of the sources where they are at hand; None in a wheel, whose build has compiled its own."""
    try:
        from comeo.codecs.native.build import digest  # noqa: PLC0415 - not in wheels
    except ModuleNotFoundError:
        return None
    return digest()


class NativeError(ComeoError):
    """The compiled decoder cannot be used."""


class Picture(Structure):
    """`comeo_picture`: how values become pixels."""

    _fields_ = (
        ("bands", c_int32),
        ("height", c_int32),
        ("width", c_int32),
        ("reduce", c_int32),
        ("lowest", c_int32),
        ("whole", c_int32),
        ("step", c_float),
        ("groups", c_int32),
        ("mean", c_void_p),
        ("angles", c_void_p),
        ("pixels", c_void_p),
    )


_FUNCTIONS: Final[dict[str, tuple[Any, ...]]] = {
    "comeo_sources": (c_char_p,),
    "comeo_level_count": (c_int,),
    "comeo_level_name": (c_char_p, c_int),
    "comeo_level_usable": (c_int, c_int),
    "comeo_magnitudes": (c_int, c_int, c_void_p, c_int),
    "comeo_model_new": (c_void_p, c_char_p, c_size_t),
    "comeo_model_free": (None, c_void_p),
    "comeo_model_groups": (c_int, c_void_p),
    "comeo_model_channels": (c_int, c_void_p),
    "comeo_model_read": (c_int, c_void_p, c_int, c_int, c_int, c_void_p, c_size_t),
    "comeo_plan_new": (c_void_p, c_int, c_int, c_int),
    "comeo_plan_free": (None, c_void_p),
    "comeo_context_new": (c_void_p, c_int),
    "comeo_context_free": (None, c_void_p),
    "comeo_decode": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_int, c_int),
    "comeo_inverse": (c_int, c_void_p, POINTER(Picture)),
    "comeo_values": (c_void_p, c_void_p),
    "comeo_begin": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_int),
    "comeo_predict": (c_int, c_void_p, c_int, c_int, c_void_p, c_void_p, c_void_p),
    "comeo_note": (c_int, c_void_p, c_int, c_int),
    "comeo_share": (c_int, c_void_p, c_int),
}  # the result, then the arguments


class Library:
    """A loaded library, at one instruction set.

    Args:
        path: The file.
        level: The instruction set; by default the best that this processor has.

    Attributes:
        calls: The functions of `comeo_native.h`.
        level: The instruction set.
        levels: All that this processor has.

    Raises:
        NativeError: If it cannot be loaded, was compiled from other sources than those that lie here, or has
            no such level.
    """

    def __init__(self, path: Path, level: str | None = None) -> None:
        try:
            self.calls: Any = ctypes.CDLL(str(path))
            for name, (result, *arguments) in _FUNCTIONS.items():
                function = getattr(self.calls, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError) as error:
            raise NativeError(f"{path} cannot be used ({error}): {_ADVICE}") from error
        if _sources() not in (None, self.calls.comeo_sources().decode()):
            raise NativeError(f"{path} was compiled from other sources than those beside it: {_ADVICE}")
        names = [self.calls.comeo_level_name(i).decode() for i in range(self.calls.comeo_level_count())]
        self.levels = [name for i, name in enumerate(names) if self.calls.comeo_level_usable(i)]
        self.level = level or self.levels[-1]
        if self.level not in self.levels:
            raise NativeError(
                f"COMEO_NATIVE_LEVEL is {self.level!r}; this processor has {', '.join(self.levels)}"
            )
        self._number = names.index(self.level)
        self._local = threading.local()

    def magnitudes(self, count: int) -> NDArray[np.uint8]:
        """Logarithmic magnitudes of 0…count − 1, as the kernels compute them."""
        found = np.empty(count, np.uint8)
        self.calls.comeo_magnitudes(self._number, found.ctypes.data, count)
        return found

    def context(self) -> Context:
        """The calling thread's context."""
        found: Context | None = getattr(self._local, "context", None)
        if found is None:
            found = self._local.context = self.new_context()
        return found

    def new_context(self) -> Context:
        """A context of its own, for what goes on while others decode in the same thread."""
        return Context(self, self._number)

    @lru_cache(maxsize=64)  # noqa: B019 - a library lives as long as the process
    def plan(self, rows: int, columns: int, items: int) -> Plan:
        """The plan of passes over a block's tiles.

        Raises:
            MemoryError: If there is none.
        """
        return Plan(self, rows, columns, items)


class _Owner:
    """Owns something that the library made, and frees it when nobody refers to it."""

    def __init__(self, made: int | None, free: Any) -> None:
        if not made:
            raise MemoryError("there is no memory for the compiled decoder")
        self.pointer = c_void_p(made)
        weakref.finalize(self, free, made)


class Plan(_Owner):
    """`comeo_plan`. Arguments as of `Library.plan`."""

    def __init__(self, library: Library, rows: int, columns: int, items: int) -> None:
        super().__init__(library.calls.comeo_plan_new(rows, columns, items), library.calls.comeo_plan_free)
        self.count = rows * columns * items


class Flat(_Owner):
    """`comeo_model`: a model's blob, unpacked.

    Args:
        library: What reads it.
        blob: Its bytes.

    Attributes:
        groups: Number of groups of channels.
        channels: Number of channels.

    Raises:
        NativeError: If it is none that the library reads.
    """

    def __init__(self, library: Library, blob: bytes) -> None:
        made = library.calls.comeo_model_new(blob, len(blob))
        if not made:
            raise NativeError("the model's blob is damaged, or of another version than the compiled decoder")
        super().__init__(made, library.calls.comeo_model_free)
        self.groups: int = library.calls.comeo_model_groups(self.pointer)
        self.channels: int = library.calls.comeo_model_channels(self.pointer)
        self._read = library.calls.comeo_model_read

    def groups_read(self, reduce: int, bands: int, tiles: int, body: NDArray[np.uint8]) -> int:
        """As `Model.groups_read`; tiles of one band."""
        count: int = self._read(self.pointer, reduce, bands, tiles, body.ctypes.data, len(body))
        return count


class Context(_Owner):
    """`comeo_context`: the memory of one decoding at a time, used by one thread.

    Args:
        library: What it belongs to.
        level: Number of the instruction set.
    """

    def __init__(self, library: Library, level: int) -> None:
        self._calls = library.calls
        self._in_use: tuple[Flat, Plan] | None = None  # the library keeps pointers into them
        super().__init__(self._calls.comeo_context_new(level), self._calls.comeo_context_free)

    def decode(self, model: Flat, plan: Plan, body: NDArray[np.uint8], bands: int, groups: int) -> int:
        """Decode the first groups of a body (uint8): energy classes, symbols; returns the status."""
        self._in_use = model, plan
        status: int = self._calls.comeo_decode(
            self.pointer, model.pointer, plan.pointer, body.ctypes.data, len(body), bands, groups
        )
        return status

    def inverse(self, picture: Picture) -> int:
        """Bring decoded values to pixels; returns the status."""
        status: int = self._calls.comeo_inverse(self.pointer, ctypes.byref(picture))
        return status

    def values(self, model: Flat, plan: Plan) -> NDArray[np.int32]:
        """(tiles + 1, channels): the values themselves, until the next decoding; they keep the context."""
        shape = plan.count + 1, model.channels
        memory: Any = (c_int32 * (shape[0] * shape[1])).from_address(self._calls.comeo_values(self.pointer))
        memory.owner = self
        found: NDArray[np.int32] = np.frombuffer(memory, np.int32).reshape(shape)
        return found

    def begin(self, model: Flat, plan: Plan, energy: NDArray[np.uint8], *, thorough: bool) -> int:
        """Begin to decode pass by pass; energy is (items, components). Returns the status."""
        self._in_use = model, plan
        energy = np.ascontiguousarray(energy)  # by a name, so that it lives until C has read it
        status: int = self._calls.comeo_begin(
            self.pointer, model.pointer, plan.pointer, energy.ctypes.data, thorough
        )
        return status

    def predict(
        self,
        group: int,
        number: int,
        tiles: NDArray[np.int32],
        mean: NDArray[np.int32],
        index: NDArray[np.uint8],
    ) -> int:
        """Fill in a pass's tiles (n,), means and scale indexes (n, channels); returns n."""
        count: int = self._calls.comeo_predict(
            self.pointer, group, number, tiles.ctypes.data, mean.ctypes.data, index.ctypes.data
        )
        return count

    def note(self, group: int, number: int) -> None:
        """Take note of the values of the pass that was predicted last."""
        self._calls.comeo_note(self.pointer, group, number)

    def share(self, group: int) -> None:
        """End a group."""
        self._calls.comeo_share(self.pointer, group)


def digest_of(blob: bytes) -> str:
    """SHA-256 of the model file that a blob was made from, in hex."""
    return blob[_DIGEST_AT : _DIGEST_AT + _DIGEST_BYTES].hex()
