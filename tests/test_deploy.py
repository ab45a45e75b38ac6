"""The Compose file is one, and its commands and settings are those of the program; it is not run here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tileserver.cli.main import cli
from tileserver.ingest.document import read_source
from tileserver.relay.plan.definition import read_definition
from tileserver.settings import PREFIX, Settings

COMPOSE = Path(__file__).resolve().parents[1] / "deploy" / "compose.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(YAML(typ="safe").load(COMPOSE)["services"])


def test_it_is_what_the_specification_says() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_its_commands_are_there(services: dict[str, dict[str, Any]]) -> None:
    commands = [each["command"][1:] for each in services.values() if each.get("command", [""])[0] == "comeo"]
    assert len(commands) >= 5
    for name, *words in commands:
        known: Any = cli.commands[name]
        if name == "relay":
            known = known.commands[words.pop(0)]
        options = {option for each in known.params for option in each.opts} | {"--executor"}
        assert {word for word in words if word.startswith("--")} <= options, name


def test_its_settings_are_known(services: dict[str, dict[str, Any]]) -> None:
    names = {name for each in services.values() for name in each.get("environment", {})}
    own = {name.removeprefix(PREFIX).lower() for name in names if name.startswith(PREFIX)}
    assert own <= set(Settings.model_fields)
    assert own


def test_the_image_has_the_extra_that_buckets_need() -> None:
    extras = re.search(r'"\.\[([^\]]+)\]"', (COMPOSE.parents[1] / "Dockerfile").read_text())
    assert extras is not None
    assert "s3://" in COMPOSE.read_text()
    assert "objects" in extras[1].split(",")


def test_its_documents_are_read() -> None:
    source = read_source(COMPOSE.with_name("source.toml"))
    assert (str(source.output), str(source.state)) == ("s3://archives/", "/ingest")
    relay = read_definition(COMPOSE.with_name("relay.toml"))
    assert relay.folder == "/relay"


def test_no_password_stands_in_it(services: dict[str, dict[str, Any]]) -> None:
    for each in services.values():
        for name, value in each.get("environment", {}).items():
            if "PASSWORD" in name or "SECRET" in name:
                assert str(value).startswith("${"), name
