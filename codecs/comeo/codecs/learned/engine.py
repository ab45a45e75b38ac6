"""The learned codec in compiled code (`comeo.codecs.native`), where there is some: the same bits as here."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs import native
from comeo.codecs.base import Coded
from comeo.codecs.lapped import SIZE
from comeo.codecs.learned.features import LARGEST, MAGNITUDE
from comeo.codecs.learned.model import TAG_BYTES, Model, by_tag
from comeo.codecs.native import Context, Flat, Library, Picture, Plan
from comeo.codecs.native.library import (
    BAD_CLASSES,
    BAD_START,
    BAD_SYMBOLS,
    CUT_SHORT,
    NO_MEMORY,
    OK,
    NativeError,
    digest_of,
)
from comeo.errors import CodecError
from comeo.settings import CodecSettings

Passes = Iterator[tuple[int, int, NDArray[np.int64], tuple[NDArray[np.int32], NDArray[np.uint8]]]]

_REFUSALS: Final = {
    CUT_SHORT: "the payload is cut short",
    BAD_CLASSES: "the payload's energy classes are damaged",
    BAD_START: "the payload's symbols are damaged: they begin with 5 bytes",
    BAD_SYMBOLS: "the payload's symbols are damaged",
}
_unpacked: weakref.WeakKeyDictionary[Library, dict[str, Flat]] = weakref.WeakKeyDictionary()


def library_of(settings: CodecSettings) -> Library | None:
    """The compiled code; None where networks run elsewhere.

    Raises:
        NativeError: If the library is not what it should be.
    """
    return native.load() if settings.model_provider == "CPU" else None


def engine_of(model: Model, settings: CodecSettings) -> tuple[Library, Flat] | None:
    """The compiled code that runs a model, and the model as it has it.

    None where networks are to run elsewhere than on the CPU, where nothing was compiled or `COMEO_NATIVE=0`
    says so, and for a model without a blob.

    Raises:
        NativeError: If the library or the blob is not what it should be.
    """
    library = library_of(settings) if model.flat is not None else None
    if library is None or model.flat is None:
        return None
    models = _unpacked.get(library)
    if models is None:
        if not np.array_equal(library.magnitudes(LARGEST + 1), MAGNITUDE):
            raise NativeError("the compiled decoder computes other numbers than it should: compile it again")
        models = _unpacked.setdefault(library, {})
    flat = models.get(model.digest)
    if flat is None:
        if digest_of(model.flat) != model.digest:
            raise NativeError(f"the blob of model {model.name} was made from another file: make it again")
        flat = models.setdefault(model.digest, Flat(library, model.flat))
    return library, flat


def decode(
    coded: Coded, reduce: int, settings: CodecSettings
) -> NDArray[np.uint16] | NDArray[np.float32] | None:
    """Decode a payload's body at 1/2^reduce of the size.

    Returns:
        (bands, y, x), masks not yet put back: uint16 where the block is and the payload is plain, else
        float32. None where there is no compiled code.

    Raises:
        CodecError: If it is damaged.
    """
    header, transform, rest = coded.header, coded.transform, coded.body
    model = by_tag(bytes(rest[:TAG_BYTES]))
    engine = engine_of(model, settings)
    if engine is None:
        return None
    library, flat = engine
    rows, columns = -(-header.height // SIZE), -(-header.width // SIZE)
    plan, context = library.plan(rows, columns, len(model.layout.items(header.bands))), library.context()
    body = np.frombuffer(rest[TAG_BYTES:], np.uint8) if len(rest) > TAG_BYTES else np.empty(0, np.uint8)
    groups = flat.groups_read(reduce, header.bands, rows * columns, body)
    _check(context.decode(flat, plan, body, header.bands, groups))
    size = (header.bands, -(-header.height >> reduce), -(-header.width >> reduce))
    pixels = np.empty(size, np.uint16 if coded.whole else np.float32)
    mean, angles = transform.mean.astype(np.float32), np.ascontiguousarray(transform.angles)
    _check(
        context.inverse(
            Picture(
                header.bands, header.height, header.width, reduce, header.lowest,
                coded.whole, header.step, groups,
                mean.ctypes.data, angles.ctypes.data, pixels.ctypes.data,
            )
        )
    )  # fmt: skip
    return pixels


def begin_passes(
    model: Model,
    settings: CodecSettings,
    energy: NDArray[np.uint8],
    shape: tuple[int, int],
    *,
    thorough: bool,
) -> tuple[NDArray[np.int32], Passes] | None:
    """Predict a block's passes for an encoder, in compiled code: see `passes.begin_passes`.

    Args:
        model: The model.
        settings: How its networks are run.
        energy: (items, components) energy classes.
        shape: Rows and columns of tiles.
        thorough: Whether every symbol is coded.

    Returns:
        The values (tiles + 1, channels), and the passes; None where there is no compiled code.
    """
    engine = engine_of(model, settings)
    if engine is None:
        return None
    library, flat = engine
    plan, context = library.plan(*shape, len(energy)), library.new_context()
    _check(context.begin(flat, plan, energy, thorough=thorough))
    return context.values(flat, plan), _passes(model, context, plan)


def _passes(model: Model, context: Context, plan: Plan) -> Passes:
    """Each pass as of `prediction.predicted_passes`."""
    tiles = np.empty(plan.count, np.int32)
    for group, channels in enumerate(model.layout.groups):
        mean = np.empty((plan.count, channels.count), np.int32)
        index = np.empty((plan.count, channels.count), np.uint8)
        for number in range(channels.passes):
            count = context.predict(group, number, tiles, mean, index)
            if count:
                yield (
                    group,
                    number,
                    tiles[:count].astype(np.int64),
                    (mean[:count].copy(), index[:count].copy()),
                )
            context.note(group, number)
        context.share(group)


def _check(status: int) -> None:
    if status == NO_MEMORY:
        raise MemoryError("there is no memory for the compiled decoder")
    if status != OK:
        raise CodecError(_REFUSALS[status])
