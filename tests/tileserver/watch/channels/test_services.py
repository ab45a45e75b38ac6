"""Phones and chats: only services with hosts of their own, nothing that an address could smuggle in."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import apprise
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import ParameterError
from tileserver.store.outbox import Message
from tileserver.watch.channels.services import (
    CHATS,
    MOST_SHORT,
    SERVICES,
    SMS,
    Services,
    check_service,
    masked,
    short_text,
)
from tileserver.watch.channels.transport import PostponedError, RefusedError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = "AAabcdefghijklmnopqrstuvwxyz0123456"
GOOD = {
    "atalk": "atalk://user@key1234/+15557654321",
    "bulksms": "bulksms://user:pass1234@+15557654321",
    "clickatell": "clickatell://abcdefgh1234/+15557654321",
    "clicksend": "clicksend://user:pass1234@+15557654321",
    "d7sms": f"d7sms://{KEY}@15557654321",
    "msgbird": f"msgbird://{'a' * 25}/15551234567/15557654321",
    "plivo": f"plivo://{'a' * 25}@{'b' * 40}/15551234567/15557654321",
    "seven": "seven://abcdefgh1234/15557654321",
    "twilio": f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/15557654321",
    "vonage": "vonage://ApiKey12:ApiSecret12345678@15551234567/15557654321",
    "tgram": f"tgram://123456789:{KEY}/12345",
    "whatsapp": "whatsapp://token1234@123456/15557654321",
    "pover": f"pover://{'u' * 30}@{'t' * 30}",
}


def message(url: str) -> Message:
    body = {"text": "A long text.\n", "short": "Short. http://here/t/x"}
    return Message(1, "k", "apprise", url, 1, "Alert", body, "queued", 0, NOW, NOW, None)


def addresses(plugin: Any) -> list[str]:
    """What a service's code has as its addresses."""
    found = getattr(plugin, "notify_url", None) or plugin.notify_sms_url
    return [str(each) for each in (found.values() if isinstance(found, dict) else [found])]


def hosts(plugin: Any) -> set[str]:
    return {urlsplit(each).netloc for each in addresses(plugin)}


@pytest.mark.parametrize("scheme", SERVICES)
def test_each_service_talks_to_hosts_that_its_code_names(scheme: str) -> None:
    plugin = apprise.Apprise.instantiate(GOOD[scheme])
    assert plugin is not None
    assert all(host and "{" not in host for host in hosts(plugin))
    assert all(each.startswith("https://") for each in addresses(plugin))
    assert not getattr(plugin, "protocol", None), "it may be reached without TLS"
    assert "host" not in plugin.template_tokens


@pytest.mark.parametrize("scheme", SERVICES)
def test_what_is_sent_goes_there_and_says_it_shortly(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaves is looked at where it would leave, in requests."""
    import requests

    asked: list[tuple[str, str]] = []

    def request(_session: Any, method: str, url: str, **options: Any) -> requests.Response:
        asked.append((url, str(options.get("data")) + str(options.get("json")) + str(options.get("params"))))
        answer = requests.Response()
        answer.status_code = 503
        return answer

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(PostponedError, match=f"{SERVICES[scheme]} has not taken it"):
        Services().send(message(GOOD[scheme]), "name", NOW)
    known = hosts(apprise.Apprise.instantiate(GOOD[scheme]))
    assert asked
    for url, data in asked:
        assert urlsplit(url).netloc in known
        said = data + url
        assert ("Short" in said) if scheme in SMS else ("long" in said)


def test_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []

    def notify(_plugin: Any, **what: Any) -> bool:
        said.append(what)
        return True

    monkeypatch.setattr(apprise.NotifyBase, "notify", notify)
    Services().send(message(GOOD["tgram"]), "name", NOW)
    assert said == [{"body": "A long text.\n", "title": "Alert", "body_format": "text"}]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("json://localhost/", "json is no service"),
        ("mailto://user:pass@example.org", "mailto is no service"),
        ("ntfy://127.0.0.1/topic", "ntfy is no service"),
        ("file:///etc/passwd", "file is no service"),
        ("slack://a/b/c?template=/etc/passwd", "slack is no service"),
        (GOOD["tgram"] + "?verify=no", "no options here"),
        (GOOD["tgram"] + "?template=http://169.254.169.254/", "no options here"),
        (GOOD["twilio"] + "?method=call", "no options here"),
        (GOOD["twilio"] + "?to=15550000000", "no options here"),
        (GOOD["twilio"] + "?rto=9999", "no options here"),
        (GOOD["twilio"] + "#x", "no options here"),
        ("twilio://x", "not one of Twilio"),
        ("tgram://nothing/1", "not one of Telegram"),
        (GOOD["twilio"] + "/15550000000", "name one number or chat"),
        ("tgram://", "not one of Telegram"),
    ],
)  # fmt: skip
def test_what_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        check_service(url)
    with pytest.raises(RefusedError):
        Services().send(message(url), "name", NOW)


@pytest.mark.parametrize("scheme", SERVICES)
def test_addresses_are_shown_without_their_keys(scheme: str) -> None:
    check_service(GOOD[scheme])
    shown = masked(GOOD[scheme])
    assert shown.startswith(f"{scheme}://")
    for secret in (
        KEY,
        "key1234",
        "pass1234",
        "abcdefgh1234",
        "b" * 32,
        "a" * 25,
        "ApiSecret12345678",
        "token1234",
    ):
        assert secret not in shown
    assert "?" not in shown


def test_where_apprise_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ParameterError, match=r"need apprise on the server; install comeo\[notify\]"):
        check_service(GOOD["tgram"])
    assert masked(GOOD["tgram"]) == "tgram://…"
    with pytest.raises(PostponedError):
        Services().send(message(GOOD["tgram"]), "name", NOW)


def test_keys_are_in_no_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    def fail(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError(f"bot{KEY} cannot be reached")

    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(requests.Session, "request", fail)
    with pytest.raises(PostponedError) as told:
        Services().send(message(GOOD["tgram"]), "name", NOW)
    assert KEY not in caplog.text + str(told.value)


@given(st.text(max_size=400), st.integers(0, 300))
def test_short_texts_fit_and_keep_their_link(sentence: str, length: int) -> None:
    link = "https://h/" + "t" * length
    made = short_text(sentence, link)
    assert len(made) <= MOST_SHORT
    assert made.endswith(link) or length > 100
    if len(sentence) + len(link) < MOST_SHORT and length <= 100:
        assert made == f"{sentence} {link}"


def test_tables() -> None:
    assert set(GOOD) == set(SERVICES) == set(SMS) | set(CHATS)
