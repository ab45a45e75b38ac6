"""Model files: the networks and tables that a payload was coded with.

A model file is a ZIP of stored entries, named by its SHA-256, never changed once it has been shipped:

    model.json       name, format and facts
    order.npy        (256,) uint8: the frequency (row · 16 + column) of each rank
    tables.npy       (25, 42) uint32: see `tables`
    points.npy       (25, 3) int8: see `tables`
    pass_G_P.onnx    pass P of group G: inputs (see `features`) to scale indexes and means; exact integers

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
from comeo.codecs.learned.features import Inputs
from comeo.codecs.learned.layout import FREQUENCIES, GROUPS, channel_places
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
    def places(self) -> NDArray[np.int64]:
        """Which coefficient each channel is: component · 256 + row · 16 + column."""
        order = self._array("order.npy").astype(np.int64)
        if not np.array_equal(np.sort(order), np.arange(FREQUENCIES)):
            raise CodecError(f"model {self.name} is damaged")
        component, rank = channel_places()
        places: NDArray[np.int64] = component * FREQUENCIES + order[rank]
        return places

    @cached_property
    def tables(self) -> tables.Tables:
        """The entropy coder's tables."""
        return tables.check(self._array("tables.npy"), self._array("points.npy"))

    def predict(self, group: int, number: int, inputs: Inputs) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Run the network of a pass.

        Args:
            group: The group of channels.
            number: The pass within it.
            inputs: What it looks at.

        Returns:
            Means in sixteenths and scale indexes, (tiles, channels).
        """
        feeds = {name: array for name, array in inputs._asdict().items() if array is not None}
        found = self._session(group, number).run(None, feeds)
        index: NDArray[np.uint8] = found[0]
        mean = found[1] if len(found) > 1 else np.zeros(index.shape, np.int32)
        return mean, index

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
            for group, channels in enumerate(GROUPS)
            for number in range(channels.passes)
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
