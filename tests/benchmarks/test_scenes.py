"""The harness that compares codecs on whole scenes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("imageio_ffmpeg")
pytest.importorskip("matplotlib")

from benchmarks.rate_distortion.peers import Method
from benchmarks.rate_distortion.plots import draw, write_plots
from benchmarks.rate_distortion.scenes import (
    Point,
    SceneCoder,
    bd_rate,
    bd_table,
    read_points,
    write_points,
)


def test_bd_rate_of_a_codec_that_always_needs_a_tenth_less() -> None:
    anchor = [(1000.0 * 2**n, 30.0 + 3 * n) for n in range(5)]
    assert bd_rate(anchor, anchor) == pytest.approx(0)
    assert bd_rate(anchor, [(0.9 * rate, psnr) for rate, psnr in anchor]) == pytest.approx(-10)
    # 1 dB more at equal bytes is a third of an octave where 3 dB are one
    expected = 100 * (2 ** (-1 / 3) - 1)
    assert bd_rate(anchor, [(rate, psnr + 1) for rate, psnr in anchor]) == pytest.approx(expected)


def test_bd_rate_without_overlap_is_not_a_number() -> None:
    anchor = [(1000.0, 30.0), (2000.0, 33.0)]
    assert math.isnan(bd_rate(anchor, [(1000.0, 40.0), (2000.0, 43.0)]))
    assert math.isnan(bd_rate(anchor, anchor[:1]))


def points() -> list[Point]:
    out = [
        Point(
            "fields",
            codec,
            ratio,
            ratio * 1.001,
            50 - better - 5 * math.log2(ratio / 25),
            0.9,
            0.1,
            0.95,
            0.01,
        )
        for codec, better in (("one", 0), ("two", 1))
        for ratio in (25, 50, 100)
    ]
    return [*out, Point("fields", "two", 300, *[math.nan] * 6)]


def test_figures_survive_the_file(tmp_path: Path) -> None:
    write_points(tmp_path / "p.csv", points())
    back = read_points(tmp_path / "p.csv")
    assert [point[:3] for point in back] == [point[:3] for point in points()]
    np.testing.assert_allclose([p[3:] for p in back], [p[3:] for p in points()], rtol=1e-5)
    assert read_points(tmp_path / "missing.csv") == []


def test_table_and_plots(tmp_path: Path) -> None:
    table = bd_table(points(), "one")
    assert "| one | +0.0 % |" in table
    assert f"| two | {100 * (2**0.2 - 1):+.1f} % |" in table
    files = write_plots(tmp_path, points())
    assert len(files) == 10
    assert {file.suffix for file in files} == {".png", ".svg"}
    assert all(file.stat().st_size > 3000 for file in files)


def test_a_codec_looks_the_same_in_every_panel_and_is_in_the_legend() -> None:
    without = [p._replace(scene="town") for p in points() if p.codec == "two"]
    figure = draw("psnr_db", "PSNR", [*without, *points()[:3]])
    colours = [[line.get_color() for line in panel.get_lines()] for panel in figure.axes]
    assert colours == [["C0"], ["C1"]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["two", "one"]


def test_a_scene_is_coded_to_the_ratio() -> None:
    """A codec whose bytes are known: 2^quality a block."""
    method = Method("made up", lambda block, quality: (int(2**quality), block + 1.0), 0, 16)
    group = np.full((2, 512, 512), 500, np.uint16)
    coded = SceneCoder(method, [group]).at_ratio(100)
    assert coded is not None
    assert coded.size == pytest.approx(group.nbytes / 100, rel=0.01)
    assert (coded.groups[0] == 501).all()
    assert SceneCoder(method, [group]).at_ratio(10**6) is None
