"""`comeo pof`: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tileserver.cli.main import cli

GOOD = """pof = 1
id = "vigour"
version = "1.0.0"
title = { en = "Vigour" }
[inputs.s2]
constellation = "sentinel-2"
bands = { nir = "B08", red = "B04" }
[value]
formula = "(nir - red) / (nir + red)"
range = [-1, 1]
[[classes]]
from = -1
to = 0.3
color = "#c0392b"
title = { en = "bare" }
[[classes]]
from = 0.3
to = 1
color = "#2ecc71"
title = { en = "green" }
[[tests]]
given = { nir = 0.35, red = 0.05 }
expect = 0.75
[[tests]]
given = { nir = 0, red = 0 }
expect = "invalid"
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "vigour.toml"
    path.write_text(GOOD)
    return path


def pof(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["pof", *map(str, arguments)])


def test_a_valid_document_is_checked(good: Path) -> None:
    done = pof("check", good)
    assert (done.exit_code, done.stdout) == (0, f"{good}: vigour@1.0.0 is valid\n")


def test_what_is_wrong_is_said_with_line_and_advice(good: Path) -> None:
    good.write_text(GOOD.replace("color", "colour", 1))
    done = pof("check", good)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"{good}:14: classes[0].colour: there is no such field; did you mean color?" in done.stderr
    good.write_text(GOOD.replace("(nir + red)", "(nir + rde)"))
    done = pof("check", good)
    assert f"{good}:9: value.formula: rde is no band" in done.stderr
    assert "did you mean red?" in done.stderr
    (told,) = json.loads(pof("check", "--json", good).stdout)
    (problem,) = told["problems"]
    assert (problem["path"], problem["line"], problem["offset"], problem["length"]) == (
        "value.formula",
        9,
        21,
        3,
    )


def test_tests_are_run_and_counted(good: Path) -> None:
    done = pof("test", good)
    assert done.exit_code == 0
    assert done.stdout.count("passed") == 2
    good.write_text(GOOD.replace("0.75", "0.7"))
    done = pof("test", good)
    assert done.exit_code == 1
    assert "FAILED: test 1 gives 0.75, and 0.7 is expected" in done.stdout
    good.write_text(GOOD[: GOOD.rindex("[[tests]]")])
    done = pof("test", good)
    assert done.exit_code == 1
    assert "1 tests are too few" in done.stderr


def test_show_tells_formula_bands_cost_classes_and_tests(good: Path) -> None:
    facts = json.loads(pof("show", "--json", good).stdout)
    assert facts["formula"] == ["(nir - red) / (nir + red)"]
    assert facts["bands"] == {"nir": "B08, reflectance", "red": "B04, reflectance"}
    assert (facts["halo"], facts["cost"]) == (0, 7)
    assert facts["classes"] == {"0": "-1…0.3 bare", "1": "0.3…1 green"}
    assert [each.split(":")[0] for each in facts["tests"]] == ["passed", "passed"]
    text = pof("show", "ndvi").stdout
    assert "max(nir, 0)" in text
    assert "B08 or B8A" in text


def test_there_and_back_through_openeo(good: Path, tmp_path: Path) -> None:
    assert pof("export", "--to", "openeo", good, "-o", tmp_path / "graph.json").exit_code == 0
    done = pof(
        "import", "--from", "openeo", tmp_path / "graph.json", "-o", tmp_path / "back.toml", "--id", "back"
    )
    assert done.exit_code == 0
    assert json.loads(pof("show", "--json", tmp_path / "back.toml").stdout)["id"] == "back"
    assert (
        pof("import", "--from", "openeo", tmp_path / "graph.json", "-o", tmp_path / "back.txt").exit_code == 2
    )


def test_errors_are_one_sentence_and_exit_1(tmp_path: Path) -> None:
    script = tmp_path / "a.pofml"
    script.write_text("dispar(ch(B8),\nch(B4))")
    command = [sys.executable, "-W", "error", "-m", "tileserver.cli", "pof"]

    def run(*arguments: object) -> tuple[int, str]:
        done = subprocess.run(
            [*command, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ},
        )  # fmt: skip
        return done.returncode, done.stderr

    code, text = run("import", "--from", "pofml", script)
    assert (code, text) == (
        1,
        f"comeo: {script}: dispar: disparities of two products are no formula of bands\n",
    )
    code, text = run("show", "nothing")
    assert code == 1
    assert text.startswith("comeo: nothing is neither a file .toml or .json nor one of the documents ")
