"""Models that are not in the package: files of a folder, `<SHA-256>.zip`, and whether one can be run.

They are of versions that are newer than this one. Nothing compiled knows them: their networks are run by
onnxruntime.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from comeo.codecs.learned.model import Model
from comeo.codecs.learned.sessions import check_provider
from comeo.errors import CodecError
from comeo.settings import CodecSettings, current

MOST_BYTES: Final = 1 << 24
"""Of a model file; those in the package have 2 MB."""
_MOST_ENTRIES: Final = 256
_NAME: Final = re.compile(r"([0-9a-f]{64})\.zip")


def file_name(digest: str) -> str:
    """Name of a model's file, by its SHA-256."""
    return f"{digest}.zip"


def model_of(folder: Path, digest: str) -> Model | None:
    """The model of a folder that has a SHA-256; None if there is none.

    Raises:
        CodecError: If its file cannot be read, or has another content.
    """
    name = file_name(digest)
    if not _NAME.fullmatch(name):  # archives say what they like
        return None
    try:
        return _read(folder / name)
    except CodecError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def models_in(folder: Path, begin: str) -> list[Model]:
    """The models of a folder whose SHA-256 begins with some digits, each compared with it.

    Raises:
        CodecError: If one cannot be read, or has another content.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.startswith(begin))
    except OSError as error:
        raise CodecError(
            f"the folder of models {folder} cannot be read: {error.strerror} (COMEO_MODELS)"
        ) from error
    return [_read(folder / name) for name in names if _NAME.fullmatch(name)]


@lru_cache(maxsize=64)
def _read(path: Path) -> Model:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CodecError(f"the model file {path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES or file_name(hashlib.sha256(content).hexdigest()) != path.name:
        raise CodecError(f"the model file {path} is damaged, its SHA-256 is not its name; remove it")
    return Model(path.stem, content)


def check_model(content: bytes, settings: CodecSettings | None = None) -> Model:
    """Find out whether bytes are a model that this version can run, by coding a block with it.

    Args:
        content: From elsewhere.
        settings: How networks are run; by default `comeo.settings.current()`.

    Raises:
        CodecError: If they are not, or onnxruntime is missing.
    """
    settings = settings or current()
    check_provider(settings)
    try:
        _check_entries(content)
        model = Model("model", content)
        _code(model, settings)
    except Exception as error:  # whatever NumPy, json and onnxruntime make of bytes from elsewhere
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise CodecError(f"it is no model that this version of comeo can run: {reason}") from error
    return model


def _check_entries(content: bytes) -> None:
    """Refuse what would be larger unpacked."""
    if len(content) > MOST_BYTES:
        raise CodecError(f"it has more than {MOST_BYTES} bytes")
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        entries = file.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or len(entries) > _MOST_ENTRIES or sum(entry.file_size for entry in entries) > len(content):
        raise CodecError("its entries are not stored as they are")


def _code(model: Model, settings: CodecSettings) -> None:
    """Code a block of noise, of which nothing is left out."""
    from comeo.codecs.learned.codec import LearnedCodec  # noqa: PLC0415 - which finds models here

    _ = model.graphs(), model.places, model.reduced
    block = np.random.default_rng(0).integers(1, 10_000, (model.layout.components, 32, 32), np.uint16)
    LearnedCodec(model, settings).encode(block, step=20.0)
    if model.filter is not None:
        model.filter.apply(np.zeros((1, 16, 16), np.float32))
