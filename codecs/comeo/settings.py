"""Settings of the library: how the learned codec runs its networks.

What is handed to `comeo.codecs.get_codec` wins over `configure`, which wins over the environment. The
environment is read again at each use, so that a changed variable counts from the next block on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from comeo.errors import ComeoError

MAX_MODEL_THREADS: Final = 256
_THREADS: Final = "COMEO_MODEL_THREADS"
_PROVIDER: Final = "COMEO_MODEL_PROVIDER"
_MODELS: Final = "COMEO_MODELS"


class SettingsError(ComeoError):
    """A setting has a value that is not allowed."""


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """Settings of codecs. None of them changes a decoded pixel or an encoded byte.

    Attributes:
        model_threads: Threads of each network, 1 to 256.
        model_provider: Execution provider of onnxruntime, in capitals: `CPU`, `CUDA`.
        models: Folder of models that are not in the package, if there is one.

    Raises:
        SettingsError: If a value is out of bounds. Whether this machine has the provider is found out when a
            network is first run.
    """

    model_threads: int = 1
    model_provider: str = "CPU"
    models: Path | None = None

    def __post_init__(self) -> None:
        threads: Any = self.model_threads
        if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MAX_MODEL_THREADS:
            raise _threads_error(threads)
        provider: Any = self.model_provider
        if not isinstance(provider, str) or not provider.isalnum():
            raise SettingsError(
                f"{_PROVIDER} must be the name of a provider, such as CPU or CUDA, not {provider!r}"
            )
        object.__setattr__(self, "model_provider", provider.upper())

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings from `COMEO_MODEL_THREADS`, `COMEO_MODEL_PROVIDER` and `COMEO_MODELS`.

        Empty ones count as unset.

        Args:
            environ: Instead of the process's own environment.

        Raises:
            SettingsError: Naming the variable and its value.
        """
        environ = os.environ if environ is None else environ
        threads, provider = environ.get(_THREADS) or "1", environ.get(_PROVIDER) or "CPU"
        if not (threads.isascii() and threads.isdecimal()):
            raise _threads_error(threads)
        return cls(int(threads), provider, Path(environ[_MODELS]) if environ.get(_MODELS) else None)


def _threads_error(value: object) -> SettingsError:
    return SettingsError(f"{_THREADS} must be a whole number from 1 to {MAX_MODEL_THREADS}, not {value!r}")


_configured: CodecSettings | None = None


def configure(settings: CodecSettings | None) -> None:
    """Set the settings of this process; None goes back to the environment."""
    global _configured  # noqa: PLW0603 - the one place where they are kept
    _configured = settings


def current() -> CodecSettings:
    """Return the settings that count where none are handed over.

    Raises:
        SettingsError: If they come from the environment, and a variable has a value that is not allowed.
    """
    return CodecSettings.from_environment() if _configured is None else _configured
