"""Sessions of onnxruntime, which run a model's networks: made on first use and dropped before a fork."""

from __future__ import annotations

import importlib
import logging
import os
import threading
import weakref
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from comeo.errors import CodecError
from comeo.settings import CodecSettings

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_log = logging.getLogger("comeo")
_making = threading.Lock()
_all: weakref.WeakSet[Sessions] = weakref.WeakSet()

Key = tuple[int, int]


class Sessions:
    """Sessions of one model file, one for each network and settings, shared by all threads."""

    def __init__(self) -> None:
        self._made: dict[tuple[Key, CodecSettings], InferenceSession] = {}

    def get(self, key: Key, settings: CodecSettings, graph: Callable[[], bytes]) -> InferenceSession:
        """Return the session of a network.

        Args:
            key: Group and pass.
            settings: How it is run.
            graph: Called for its ONNX graph, if there is no session yet.

        Raises:
            CodecError: If onnxruntime is missing, or has no such provider.
        """
        session = self._made.get((key, settings))
        if session is None:
            with _making:
                session = self._made.get((key, settings))
                if session is None:
                    session = _new_session(graph(), settings)
                    if not any(kept == settings for _, kept in self._made):
                        _log.info("learned codec: networks run on %s", settings.model_provider)
                    self._made[key, settings] = session
                    _all.add(self)
        return session

    def clear(self) -> None:
        """Let go of all sessions; they are made again when they are needed."""
        self._made.clear()


def _new_session(graph: bytes, settings: CodecSettings) -> InferenceSession:
    """Make a session.

    The networks are so small that they run on the CPU beside the entropy coder, which waits for each. With
    the provider CUDA they run on a GPU as far as it has the operators that they need, with the same results.
    """
    onnxruntime = check_provider(settings)
    wanted = settings.model_provider
    _drop_sessions_before_forks()
    exact: list[Any] = [("CUDAExecutionProvider", {"use_tf32": "0"})] if wanted == "CUDA" else []
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.model_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session: InferenceSession = onnxruntime.InferenceSession(
        graph, options, providers=[*exact, "CPUExecutionProvider"]
    )
    return session


def check_provider(settings: CodecSettings) -> Any:
    """Find out whether networks can run as settings say; return onnxruntime.

    Raises:
        CodecError: If onnxruntime is missing, or has no such provider.
    """
    onnxruntime = _runtime()
    if f"{settings.model_provider}ExecutionProvider" not in onnxruntime.get_available_providers():
        raise CodecError(
            f"onnxruntime has no provider {settings.model_provider!r} on this machine (COMEO_MODEL_PROVIDER)"
        )
    return onnxruntime


@cache
def _runtime() -> Any:
    """Import onnxruntime, its telemetry switched off.

    Telemetry runs in a thread that starts with the import, and makes forked children hang when they end.
    Only the environment variable keeps it from starting: `onnxruntime.disable_telemetry_events` does not
    (measured with 1.32).
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise CodecError(
            "the codec `learned` needs onnxruntime: install comeo[cpu], or comeo[gpu] for an NVIDIA GPU "
            "(`dct` and `jpeg2000` do without)"
        ) from error


@cache
def _drop_sessions_before_forks() -> None:
    """Drop sessions before each fork, from the first session on.

    The threads of a session do not survive the fork, and its destructor joins them: a child that destroyed
    one would wait for ever.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_making.release, after_in_child=_making.release
        )


def _before_fork() -> None:
    _making.acquire()
    for sessions in list(_all):
        sessions.clear()
