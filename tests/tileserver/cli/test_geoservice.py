"""`comeo geoservice` and `comeo work`: from a definition to the mail that asks; errors in a sentence."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comeo.errors import CodecError
from tests.tileserver.watch.mailserver import mail_server
from tests.tileserver.watch.test_worker import DAYS, SAMPLES, archive
from tileserver.cli import work
from tileserver.cli.database import open_database
from tileserver.cli.main import main
from tileserver.errors import BusyError
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.store.lock import only_worker
from tileserver.store.observed import Observed
from tileserver.watch import worker
from tileserver.watch.observing.observe import Work, observe

TOML = """
slug = "retezat"
title = { en = "Retezat", fr = "Le Retezat" }
collections = ["romania-forest"]
start = 2017-01-01
recipients = [{ email = "ranger@example.org", locale = "fr" }]
sites = { type = "Polygon", coordinates = [[[22.152, 45.2045], [22.1532, 45.2045], [22.1532, 45.2054],
    [22.152, 45.2054], [22.152, 45.2045]]] }
[[indicators]]
indicator = "ndvi"
nominal = { kind = "fixed", low = 0.99 }
"""

Comeo = Callable[..., tuple[int, str, str]]


@pytest.fixture
def comeo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Comeo]:
    """Runs the command: exit code, what it printed, and what it said of errors."""
    monkeypatch.setenv("COMEO_DATABASE", str(tmp_path / "comeo.sqlite"))
    monkeypatch.chdir(tmp_path)
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["comeo", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    yield run
    for each, handler in handlers.items():
        signal.signal(each, handler)


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    path = tmp_path / "retezat.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    folder = tmp_path / "archives"
    folder.mkdir()
    for each in DAYS[:4]:
        shutil.copy(SAMPLES / archive(each), folder)
    return folder


def test_from_a_definition_to_the_mail_that_asks(
    comeo: Comeo, definition: Path, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert comeo("geoservice", "add", definition, "--owner", "owner@example.org") == (
        0, "retezat is a draft; `comeo geoservice activate retezat PATHS` starts it\n", "",
    )  # fmt: skip
    assert comeo("geoservice", "activate", "retezat", archives)[:2] == (0, "retezat is active\n")
    with mail_server() as (inbox, smtp):
        monkeypatch.setenv("COMEO_SMTP", f"smtp://{smtp.host}:{smtp.port}")
        monkeypatch.setenv("COMEO_MAIL_FROM", "comeo@example.org")
        monkeypatch.setenv("COMEO_PUBLIC_URL", "https://maps.example.org/")
        for _ in range(2):
            assert comeo("work", archives, "--once")[0] == 0
    mails = {recipients[0]: mail for recipients, mail in inbox.taken}
    assert len(inbox.taken) == 2, "each once"
    asked = mails["owner@example.org"]
    assert asked["Subject"] == "To decide: Vegetation (NDVI) of Site 1 (Retezat)"
    plain = asked.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert "nominal values are not below 0.99" in text
    assert "https://maps.example.org/m/" in text
    assert "item=S2_romania_2017-09-14" in text
    assert mails["ranger@example.org"]["Subject"] == "Confirmez : messages sur Le Retezat"
    _, listed, _ = comeo("geoservice", "list")
    assert listed.split() == ["retezat", "active", "1", "sites", "1", "alerts,", "1", "open"]
    _, explained, _ = comeo("geoservice", "explain", "retezat", archives)
    lines = explained.splitlines()
    assert lines[0].startswith("retezat, site 1: Site 1, 0.9")
    assert sum("OUTSIDE: low, severity 3" in each for each in lines) == 4
    assert any("deviation: low since 2017-06-06" in each for each in lines)
    assert any("candidate" in each for each in lines)
    (archives / archive(DAYS[1])).unlink()
    _, explained, _ = comeo("geoservice", "explain", "retezat", archives)
    assert "  2017-07-01  does not count: withdrawn" in explained.splitlines()


def test_a_scene_that_cannot_be_read_is_listed_until_it_is_run_again(
    comeo: Comeo, definition: Path, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def observing(scenes: Scenes, work: Work, indicator: str) -> Iterator[Observed]:
        if work.record.id == "S2_romania_2017-07-01":
            raise CodecError("block 3 is damaged")
        return observe(scenes, work, indicator)

    comeo("geoservice", "add", definition, "--owner", "owner@example.org")
    said = comeo("geoservice", "run", "retezat", archives)[2]
    assert said == "comeo: retezat is draft; `comeo geoservice activate retezat PATHS` starts it\n"
    comeo("geoservice", "activate", "retezat", archives)
    with monkeypatch.context() as damaged:
        damaged.setattr(worker, "observe", observing)
        assert comeo("geoservice", "run", "retezat", archives) == (
            1, "3 observations, 0 messages sent\n", "comeo: S2_romania_2017-07-01: block 3 is damaged\n"
        )  # fmt: skip
    failure = "  failed once, again from "
    assert failure in comeo("geoservice", "list")[1]
    assert "UTC: S2_romania_2017-07-01: block 3 is damaged\n" in comeo("geoservice", "list")[1]
    assert comeo("work", archives, "--once")[0] == 0
    assert failure in comeo("geoservice", "list")[1], "it is not its time yet"
    with only_worker(open_database(Settings.from_environment())):
        assert "does it in its next round" in comeo("geoservice", "run", "retezat", archives)[1]
    assert comeo("geoservice", "run", "retezat", archives)[:2] == (0, "1 observations, 0 messages sent\n")
    assert "failed" not in comeo("geoservice", "list")[1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TOML.replace("start =", "start"), "comeo: the geoservice cannot be read as TOML: "),
        (TOML.replace('"ndvi"', '"ndwhy"'), "comeo: indicators.0: there is no indicator ndwhy; see /pof\n"),
        (TOML.replace("low = 0.99", "low = 2, high = 1"), "comeo: indicators.0.nominal.fixed: low (2) is"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_definition(comeo: Comeo, definition: Path, text: str, sentence: str) -> None:
    definition.write_text(text)
    code, _, said = comeo("geoservice", "add", definition, "--owner", "owner@example.org")
    assert code == 1
    assert said.startswith(sentence)
    assert said.count("\n") == 1


def test_errors_are_one_sentence(
    comeo: Comeo, definition: Path, archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: object) -> str:
        code, _, told = comeo(*arguments)
        assert code == 1
        assert told.count("\n") == 1
        return told

    add = ("geoservice", "add", definition, "--owner")
    assert "'owner' is no e-mail address" in said(*add, "owner")
    assert comeo(*add, "owner@example.org")[0] == 0
    assert said(*add, "owner@example.org") == "comeo: there is a geoservice retezat; choose another slug\n"
    assert "there is no geoservice other; `comeo geoservice list` names" in said(
        "geoservice", "explain", "other", archives
    )
    assert "retezat has no site 9" in said("geoservice", "explain", "retezat", archives, "--site", 9)
    assert "there is no collection romania-forest" in said(
        "geoservice", "activate", "retezat", tmp_path / "none"
    )
    foreign = tmp_path / "photo.jpg"
    foreign.write_bytes(b"\xff\xd8\xff" * 1000)
    assert "photo.jpg cannot be read: file is not a database" in said(
        "geoservice", "list", "--database", foreign
    )
    other = tmp_path / "bookmarks.sqlite"
    with sqlite3.connect(other) as made:
        made.execute("CREATE TABLE bookmarks (url)")
    made.close()
    assert "tables of something else (bookmarks)" in said("geoservice", "list", "--database", other)
    monkeypatch.setenv("COMEO_SMTP", "mail.example.org")
    assert "COMEO_SMTP is smtp://host:25" in said("work", archives, "--once")
    monkeypatch.setenv("COMEO_SMTP", "smtp://localhost")
    assert "set COMEO_MAIL_FROM" in said("work", archives, "--once")
    monkeypatch.delenv("COMEO_DATABASE")
    assert "there is no database of geoservices; name one with --database" in said("geoservice", "list")


def test_a_worker_goes_on_when_the_database_is_busy(
    comeo: Comeo, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = []

    def busy(_worker: object) -> None:
        rounds.append(1)
        if len(rounds) == 3:
            signal.raise_signal(signal.SIGTERM)
        raise BusyError("the database is busy; try again") if len(rounds) % 2 else OSError(5, "I/O error")

    monkeypatch.setattr(work, "_round", busy)
    assert comeo("work", archives, "--every", 0.1)[0] == 0
    assert len(rounds) == 3
    assert comeo("work", archives, "--once")[0] == 1


def test_a_worker_that_waits_for_another_can_be_ended(comeo: Comeo, archives: Path, tmp_path: Path) -> None:
    database = open_database(Settings.from_environment())
    end = threading.Timer(1.0, signal.raise_signal, [signal.SIGTERM])
    with only_worker(database) as held:
        assert held
        end.start()
        assert comeo("work", archives, "--every", 0.1)[:2] == (0, "")
    end.join()
    database.close()
