"""Sessions of onnxruntime: settings, threads, forks, and the message when one cannot be made."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the learned codec needs the extra `cpu` or `gpu`")

from comeo.codecs import get_codec
from comeo.codecs.learned import LearnedCodec, Model, model, models, sessions
from comeo.errors import CodecError
from comeo.settings import CodecSettings, SettingsError
from tests.comeo.codecs.blocks import textured

FORKING = """
import os, sys, threading
import numpy as np
from comeo.codecs import get_codec
from tests.comeo.codecs.blocks import textured

codec = get_codec("learned")
block = textured(2, 40, 40)
payload = codec.encode(block, step=100)
expected = codec.decode(payload)
others = [threading.Thread(target=codec.decode, args=(payload,)) for _ in range(2)]
for other in others:
    other.start()
child = os.fork()
if child == 0:
    sys.exit(0 if np.array_equal(codec.decode(payload), expected) else 3)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
for other in others:
    other.join()
assert np.array_equal(codec.decode(payload), expected)
sys.exit(status)
"""


def fresh(settings: CodecSettings | None = None) -> LearnedCodec:
    """A codec that shares no sessions with others."""
    return LearnedCodec(Model("fresh", models()[model.DEFAULT].content), settings)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_forked_child_decodes_and_ends(threads: str) -> None:
    """Threads of a session do not survive the fork: who waits for them in the child waits for ever."""
    environment = os.environ | {"COMEO_MODEL_THREADS": threads, "PYTHONWARNINGS": "ignore"}
    finished = subprocess.run(
        [sys.executable, "-c", FORKING],
        check=False,
        env=environment,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr


def test_onnxruntime_sends_nothing_to_its_makers() -> None:
    codec = fresh()  # which has no compiled code
    codec.decode(codec.encode(textured(1, 16, 16), step=100))
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_threads_share_one_codec() -> None:
    codec = fresh()
    blocks = [textured(1 + i % 5, 20 + 9 * i, 48, seed=i) for i in range(8)]
    expected = [get_codec("learned").encode(block, step=90) for block in blocks]
    with ThreadPoolExecutor(8) as pool:
        payloads = list(pool.map(lambda block: codec.encode(block, step=90), blocks * 2))
        decoded = list(pool.map(codec.decode, payloads))
    assert payloads == expected * 2
    for payload, pixels in zip(payloads, decoded, strict=True):
        np.testing.assert_array_equal(pixels, get_codec("learned").decode(payload))


def test_a_wrong_variable_is_refused_at_the_next_block(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, block = fresh(), textured(1, 16, 16)
    expected = codec.encode(block, step=100)
    monkeypatch.setenv("COMEO_MODEL_THREADS", "many")
    with pytest.raises(SettingsError, match=r"COMEO_MODEL_THREADS must be a whole number from 1 to 256, not"):
        codec.encode(block, step=100)
    assert fresh(CodecSettings()).encode(block, step=100) == expected


def test_unknown_providers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMEO_MODEL_PROVIDER", "NoSuch")
    for codec in (fresh(), fresh(CodecSettings(model_provider="nosuch"))):
        with pytest.raises(CodecError, match=r"no provider 'NOSUCH' .*COMEO_MODEL_PROVIDER"):
            codec.encode(textured(1, 16, 16), step=100)


def test_settings_and_models_can_be_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[int] = []
    make = sessions._new_session

    def noted(graph: bytes, settings: CodecSettings) -> object:
        wanted.append(settings.model_threads)
        return make(graph, settings)

    monkeypatch.setattr(sessions, "_new_session", noted)
    other = Model("other", models()[model.DEFAULT].content)
    codec, block = get_codec("learned", model=other, settings=CodecSettings(2)), textured(1, 16, 16)
    assert isinstance(codec, LearnedCodec)
    assert codec.model is other
    assert codec.encode(block, step=100) == get_codec("learned").encode(block, step=100)
    assert set(wanted) == {2}
    with pytest.raises(CodecError, match=r"codec 'dct' uses no model"):
        get_codec("dct", model=other)


def test_without_onnxruntime_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = get_codec("learned").encode(textured(1, 16, 16), step=100)
    for one in models().values():
        one._sessions.clear()

    sessions._runtime.cache_clear()
    monkeypatch.setenv("COMEO_NATIVE", "0")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    try:
        for attempt in (
            lambda: fresh().encode(textured(1, 16, 16), step=100),
            lambda: fresh().decode(payload),
        ):
            with pytest.raises(CodecError, match=r"needs onnxruntime: install comeo\[cpu\]") as caught:
                attempt()
            assert "\n" not in str(caught.value)
    finally:
        sessions._runtime.cache_clear()
    assert get_codec("dct").decode(get_codec("dct").encode(textured(1, 16, 16), step=100)).any()


def test_the_log_says_once_what_networks_run_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "comeo"):
        fresh().encode(textured(2, 33, 33), step=100)
    assert [record.message for record in caplog.records] == ["learned codec: networks run on CPU"]


def test_payloads_of_an_unknown_model_are_refused() -> None:
    codec = get_codec("learned")
    payload = bytearray(codec.encode(textured(1, 16, 16), step=100))
    tag = models()[model.DEFAULT].tag
    place = bytes(payload).index(tag)
    payload[place : place + 2] = bytes(255 - byte for byte in tag)
    unknown = bytes(255 - byte for byte in tag).hex()
    with pytest.raises(CodecError, match=rf"needs the model {unknown}…, which this version of comeo doesn't"):
        codec.decode(bytes(payload))


def test_models_are_found_by_digest() -> None:
    shipped = models()[model.DEFAULT]
    assert get_codec("learned").model_digest == shipped.digest
    assert model.find_model(shipped.digest) is shipped
    assert model.find_model("0" * 64) is None
    tags = [one.tag for one in models().values()]
    assert len(set(tags)) == len(tags), "two shipped models would be told apart by nothing"
