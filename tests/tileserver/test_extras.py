"""What an installation without extras can do, and what it says of the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

MISSING = "import sys\nfor name in {names}: sys.modules[name] = None\n"


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_a_plain_server_needs_no_database() -> None:
    without = MISSING.format(names=("sqlalchemy", "alembic", "babel", "psycopg"))
    done = run(without + "import tileserver.app, tileserver.cli.main")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["geoservice list", "account list"])
def test_what_is_missing_is_named_with_what_to_install(command: str) -> None:
    without = MISSING.format(names=("sqlalchemy",))
    arguments = ["comeo", *command.split(), "--database", "x.sqlite"]
    done = run(f"{without}sys.argv = {arguments}\nfrom tileserver.cli.main import main\nmain()")
    assert done.returncode == 1
    assert "comeo[geoservices]" in done.stderr
    assert "Traceback" not in done.stderr
