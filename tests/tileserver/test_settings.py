"""Settings: from the environment, checked, and sane where nothing is set."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest

from comeo.settings import CodecSettings, SettingsError
from tileserver import settings as module
from tileserver.settings import Settings


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (2, 2), (64, 8)])
def test_as_many_processes_as_processors_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, processors: int, workers: int
) -> None:
    monkeypatch.setattr(module, "cpu_count", lambda: processors)
    assert Settings().workers == workers


def test_what_is_given_wins_over_the_environment() -> None:
    environ = {"COMEO_PORT": "9000", "COMEO_ACCESS_LOG": "1", "COMEO_LOG_FORMAT": "text", "COMEO_HOST": ""}
    found = Settings.from_environment(environ, port=9001, workers=None)
    assert (found.port, found.access_log, found.log_format, found.host) == (9001, True, "text", "127.0.0.1")


@pytest.mark.parametrize(
    ("name", "value"),
    [("COMEO_PORT", "x"), ("COMEO_LOG_FORMAT", "xml"), ("COMEO_WEBHOOK_NETWORKS", "10.0.0.1/8")],
)
def test_a_setting_that_is_not_allowed_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_networks_have_commas_between_them() -> None:
    found = Settings.from_environment({"COMEO_WEBHOOK_NETWORKS": "10.0.0.0/8, fd00:7::/64"})
    assert found.webhook_networks == (IPv4Network("10.0.0.0/8"), IPv6Network("fd00:7::/64"))


def test_settings_of_codecs_are_read_with_all_others() -> None:
    settings = Settings.from_environment({"COMEO_MODEL_THREADS": "3", "COMEO_MODEL_PROVIDER": "cuda"})
    assert settings.codecs == CodecSettings(3, "CUDA")
    assert Settings.from_environment({}).codecs == CodecSettings.from_environment({})


@pytest.mark.parametrize("name", ["COMEO_MAX_MOSAIC_ITEMS", "COMEO_MAX_POINT_ITEMS"])
def test_a_setting_that_has_been_replaced_is_not_ignored(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is gone; set COMEO_MAX_OPENED_SCENES"):
        Settings.from_environment({name: "24"})


@pytest.mark.parametrize(
    "given", ["https://here/items", "https://here/{name}", "{id}", "https://here/{id", "https://here/{}"]
)
def test_the_address_of_originals_is_of_an_item(given: str) -> None:
    with pytest.raises(SettingsError, match=r"\{id\}"):
        Settings.from_environment({"COMEO_ORIGINAL_ITEMS": given})
