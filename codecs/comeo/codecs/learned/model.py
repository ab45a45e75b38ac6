"""Model files: the networks and tables that a payload was coded with.

A model file is a ZIP of stored entries, named by its SHA-256, never changed once it has been shipped:

    model.json       name, format and facts
    order.npy        (1024,) uint16: which coefficient each channel is
    tables.npy       (75, 42) uint32: see `tables`
    pass_G_P.onnx    pass P of group G: features (and neighbours) to scale indexes (and means); exact integers

Sessions are made on first use, once a process: their threads don't survive a fork.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import logging
import os
import threading
import weakref
import zipfile
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.learned import tables
from comeo.codecs.learned.layout import CHANNELS, PASSES
from comeo.errors import CodecError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FORMAT: Final = 1
DEFAULT: Final = "sentinel2-1"
TAG_BYTES: Final = 2

_log = logging.getLogger("comeo")
_making_sessions = threading.Lock()
_all_models: weakref.WeakSet[Model] = weakref.WeakSet()


@dataclass(eq=False)
class Model:
    """One model file.

    Attributes:
        name: Its name in the package.
        content: Its bytes.
    """

    name: str
    content: bytes
    _sessions: dict[tuple[int, int], InferenceSession] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _all_models.add(self)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex: what archives call it."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def tag(self) -> bytes:
        """What payloads call it: the start of the digest."""
        return bytes.fromhex(self.digest)[:TAG_BYTES]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `model.json` tells."""
        facts: dict[str, Any] = json.loads(self._entry("model.json"))
        if facts["format"] != FORMAT:
            raise CodecError(f"model {self.name} is of format {facts['format']}; this program reads {FORMAT}")
        return facts

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Which coefficient each channel is: component · 256 + row · 16 + column."""
        order = self._array("order.npy").astype(np.int64)
        if not np.array_equal(np.sort(order), np.arange(CHANNELS)):
            raise CodecError(f"model {self.name} is damaged")
        return order

    @cached_property
    def tables(self) -> tables.Tables:
        """The entropy coder's tables."""
        return tables.check(self._array("tables.npy"))

    def predict(
        self, group: int, number: int, features: NDArray[np.uint8], neighbours: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.int32] | None, NDArray[np.uint8]]:
        """Run the network of a pass.

        Args:
            group: The group of channels.
            number: The pass within it.
            features: (tiles, features).
            neighbours: (tiles, symbols), or None.

        Returns:
            Means in quarters (None: all are zero) and scale indexes, (tiles, channels).
        """
        feeds: dict[str, NDArray[Any]] = {"features": features}
        if neighbours is not None:
            feeds["neighbours"] = neighbours
        found = self._session(group, number).run(None, feeds)
        return (found[1] if len(found) > 1 else None), found[0]

    def _session(self, group: int, number: int) -> InferenceSession:
        key = group, number
        session = self._sessions.get(key)
        if session is None:
            with _making_sessions:
                session = self._sessions.get(key) or new_session(self._entry(f"pass_{group}_{number}.onnx"))
                self._sessions[key] = session
        return session

    def graphs(self) -> dict[tuple[int, int], bytes]:
        """The ONNX graph of each (group, pass)."""
        return {
            (group, number): self._entry(f"pass_{group}_{number}.onnx")
            for group, count in enumerate(PASSES)
            for number in range(count)
        }

    def _entry(self, name: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(self.content)) as file:
            return file.read(name)

    def _array(self, name: str) -> NDArray[Any]:
        array: NDArray[Any] = np.load(io.BytesIO(self._entry(name)), allow_pickle=False)
        return array


def new_session(graph: bytes) -> InferenceSession:
    """A session that runs a graph with COMEO_MODEL_THREADS threads (default 1).

    The networks are so small that they run on the CPU beside the entropy coder, which waits for each. Where
    COMEO_MODEL_PROVIDER says CUDA they run on a GPU as far as it has what they need, with the same results.

    Raises:
        CodecError: If onnxruntime isn't installed, or has no such provider.
    """
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session: InferenceSession = onnxruntime.InferenceSession(graph, options, providers=_providers())
    return session


def _threads() -> int:
    text = os.environ.get("COMEO_MODEL_THREADS", "1")
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise CodecError(f"COMEO_MODEL_THREADS is a number from 1 to 256, not {text!r}")
    return int(text)


@cache
def _runtime() -> Any:
    # It would send usage to its makers, in a thread that makes forked children hang when they end.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise CodecError(
            "the codec `learned` needs onnxruntime: install comeo[cpu], or comeo[gpu] for an NVIDIA GPU "
            "(`dct` and `jpeg2000` do without)"
        ) from error


@cache
def _providers() -> list[Any]:
    wanted = os.environ.get("COMEO_MODEL_PROVIDER", "CPU").upper()
    available = _runtime().get_available_providers()
    if f"{wanted}ExecutionProvider" not in available:
        raise CodecError(f"onnxruntime has no provider {wanted!r} here (COMEO_MODEL_PROVIDER)")
    _log.info("learned codec: networks run on %s, onnxruntime %s", wanted, _runtime().__version__)
    exact: list[Any] = [("CUDAExecutionProvider", {"use_tf32": "0"})] if wanted == "CUDA" else []
    return [*exact, "CPUExecutionProvider"]


@cache
def models() -> dict[str, Model]:
    """The models in the package, by name."""
    folder = resources.files(__package__) / "models"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".zip")), key=lambda file: file.name
    )
    return {file.name[:-4]: Model(file.name[:-4], file.read_bytes()) for file in files}


def find_model(digest: str) -> Model | None:
    """The model of an archive, by its SHA-256."""
    return next((model for model in models().values() if model.digest == digest), None)


def by_tag(tag: bytes) -> Model:
    """The model of a payload.

    Raises:
        CodecError: If it isn't in the package.
    """
    for model in models().values():
        if model.tag == tag:
            return model
    raise CodecError(f"the payload needs the model {tag.hex()}…, which this version of comeo doesn't have")


def _before_fork() -> None:
    """Let go of all sessions: a child that destroyed one would wait for ever for its threads to end."""
    _making_sessions.acquire()
    for model in list(_all_models):
        model._sessions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_making_sessions.release,
        after_in_child=_making_sessions.release,
    )
