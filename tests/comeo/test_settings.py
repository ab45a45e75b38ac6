"""Settings of the library: where they come from, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comeo import settings
from comeo.settings import CodecSettings, SettingsError


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("COMEO_MODEL_THREADS", raising=False)
    monkeypatch.delenv("COMEO_MODEL_PROVIDER", raising=False)
    yield
    settings.configure(None)


def test_code_wins_over_the_environment_which_wins_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.current() == CodecSettings(1, "CPU")
    monkeypatch.setenv("COMEO_MODEL_THREADS", "3")
    monkeypatch.setenv("COMEO_MODEL_PROVIDER", "cuda")
    assert settings.current() == CodecSettings(3, "CUDA")
    settings.configure(CodecSettings(model_threads=2))
    assert settings.current() == CodecSettings(2, "CPU")
    settings.configure(None)
    assert settings.current().model_threads == 3


def test_empty_variables_count_as_unset() -> None:
    empty = {"COMEO_MODEL_THREADS": "", "COMEO_MODEL_PROVIDER": ""}
    assert CodecSettings.from_environment(empty) == CodecSettings()


@pytest.mark.parametrize("threads", ["0", "many", "-1", "257", "1.5", "²", "٣", " 2"])
def test_wrong_thread_counts_are_refused(threads: str) -> None:
    with pytest.raises(
        SettingsError, match=r"^COMEO_MODEL_THREADS must be a whole number from 1 to 256, not "
    ):
        CodecSettings.from_environment({"COMEO_MODEL_THREADS": threads})


@pytest.mark.parametrize("threads", [0, -1, 257, True, 1.0, "2", None])
def test_code_is_held_to_the_same_bounds(threads: object) -> None:
    with pytest.raises(SettingsError, match="COMEO_MODEL_THREADS"):
        CodecSettings(model_threads=threads)  # type: ignore[arg-type]


@pytest.mark.parametrize("provider", [" ", "CPU,CUDA", "../CPU"])
def test_wrong_provider_names_are_refused(provider: str) -> None:
    with pytest.raises(SettingsError, match=r"^COMEO_MODEL_PROVIDER must be the name of a provider"):
        CodecSettings.from_environment({"COMEO_MODEL_PROVIDER": provider})
