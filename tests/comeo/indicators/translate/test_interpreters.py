"""Exports run by the programs that they are for, or by ones of the same language."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from numpy.typing import NDArray

from comeo.indicators.document import Document
from comeo.indicators.formula import names
from comeo.indicators.translate import export_document
from comeo.indicators.tree import Node
from tests.comeo.indicators.translate import made

NODE = shutil.which("node")
WITHOUT_ATAN2 = tuple(name for name in made.BINARY if name != "atan2")  # whose zeros have signs
WITHOUT_DB = tuple(name for name in made.UNARY if name != "db")  # -∞ of no power there, nothing here
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
RUN = """
const {scripts, samples} = JSON.parse(require("fs").readFileSync(0));
const results = scripts.map(text => {
  const {setup, evaluatePixel} = new Function(text + "; return {setup, evaluatePixel};")();
  setup();
  return samples.map(one => evaluatePixel(one).default.map(x => Number.isNaN(x) ? null : x));
});
console.log(JSON.stringify(results));
"""
RUN_SNAP = """
const {scripts, samples} = JSON.parse(require("fs").readFileSync(0));
const {pow, log, log10, sqrt, exp, sin, cos, tan, atan, atan2, tanh, floor, min, max, abs} = Math;
const nan = Number.isNaN;
const results = scripts.map(text => samples.map(({B2, B4, B8}) => {
  const x = Number(eval(text));
  return [Number.isFinite(x) ? x : null];
}));
console.log(JSON.stringify(results));
"""


def run(program: str, scripts: list[str], samples: list[Any]) -> list[NDArray[np.float64]]:
    """Results of each script, (samples, results)."""
    done = subprocess.run(
        [str(NODE), "-e", program], input=json.dumps({"scripts": scripts, "samples": samples}),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [np.array(each, float) for each in json.loads(done.stdout)]


def samples_of(values: dict[str, NDArray[np.float32]]) -> list[dict[str, float]]:
    """Samples as Sentinel Hub gives them: what is missing is 0, and says so."""
    rows = np.stack([values[band][0] for band in made.BANDS], axis=1).tolist()
    return [
        {**dict(zip(made.BANDS, [0.0] * 3 if math.isnan(row[0]) else row, strict=True)),
         "dataMask": int(not math.isnan(row[0]))}
        for row in rows
    ]  # fmt: skip


def random_documents(count: int, **of: Any) -> list[Document]:
    """Documents of formulas at random, the same each time."""
    found = list[Document]()

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(tree=made.trees(binary=WITHOUT_ATAN2, **of))
    def collect(tree: Node) -> None:
        assume(names(tree))
        found.append(made.document(tree))

    collect()
    return found


@needs_node
def test_evalscripts_run_in_node_as_documents_do_here() -> None:
    documents = random_documents(150)
    values = made.pixels(3)
    results = run(RUN, [export_document(each, "evalscript") for each in documents], samples_of(values))
    for document, found in zip(documents, results, strict=True):
        made.same(found[:, 0], made.evaluated(document, values)[0, 0])


@needs_node
def test_snap_formulas_are_those_of_its_language() -> None:
    documents = random_documents(150, unary=WITHOUT_DB)
    values = {band: np.nan_to_num(each, nan=0.3) for band, each in made.pixels(4).items()}
    samples = [
        {band.replace("B0", "B"): number for band, number in each.items()} for each in samples_of(values)
    ]
    results = run(RUN_SNAP, [export_document(each, "snap").strip() for each in documents], samples)
    for document, found in zip(documents, results, strict=True):
        made.same(found[:, 0], made.evaluated(document, values)[0, 0])


INDICES = {
    "NDVI": ("(B08 - B04) / (B08 + B04)", {}),
    "EVI": ("2.5 * (B08 - B04) / (B08 + 6 * B04 - 7.5 * B02 + 1)", {"valid": "B08 > 2 * B02"}),
    "SAVI": ("1.5 * (B08 - B04) / (B08 + B04 + 0.5)", {"valid": "B04 > 0 and B08 > 0.02"}),
    "chosen": ("if_(B08 > 0.2 or not B04 < 0.1, nd(B08, B04), clip(round(B02 * 20) / 10, 0.1, 0.3))", {}),
}


@needs_node
@pytest.mark.parametrize("name", INDICES)
def test_indices_are_equal_to_a_millionth(name: str) -> None:
    formula, value = INDICES[name]
    document = made.document(formula, value=value)
    values = {band: np.abs(each) + np.float32(0.01) for band, each in made.pixels(5, 500).items()}
    (found,) = run(RUN, [export_document(document, "evalscript")], samples_of(values))
    np.testing.assert_allclose(found[:, 0], made.evaluated(document, values)[0, 0], rtol=1e-6, atol=1e-6)


@needs_node
@pytest.mark.parametrize(
    ("statistic", "reduce"), [("median", np.nanmedian), ("mean", np.nanmean), ("max", np.nanmax)]
)
def test_dates_are_combined_and_clouds_left_out(statistic: str, reduce: Any) -> None:
    document = made.document(
        "nd(B08, B04)", mask={"keep": ["land"]},
        temporal={"window": "P1M", "statistic": statistic, "min_dates": 2},
    )  # fmt: skip
    dates = [
        {band: np.abs(each) + np.float32(0.05) for band, each in made.pixels(seed).items()}
        for seed in range(5)
    ]
    classes = np.random.default_rng(9).choice([0, 3, 4, 5, 8], (5, 64))
    samples = [
        [{**samples_of(date)[pixel], "SCL": int(classes[index, pixel])} for index, date in enumerate(dates)]
        for pixel in range(64)
    ]
    (found,) = run(RUN, [export_document(document, "evalscript")], samples)
    series = np.stack([made.evaluated(document, date)[0, 0] for date in dates])
    series[~np.isin(classes, [4, 5])] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = reduce(series, axis=0)
    expected[np.isfinite(series).sum(axis=0) < 2] = np.nan
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6, atol=1e-6)


def test_expressions_of_renders_run_in_numexpr() -> None:
    numexpr = pytest.importorskip("numexpr")
    documents = list[Document]()

    @settings(max_examples=120, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(tree=made.trees(unary=WITHOUT_DB, binary=WITHOUT_ATAN2))
    def collect(tree: Node) -> None:
        assume(names(tree))
        documents.append(made.document(tree, value={"range": [-50, 50]}))

    collect()
    values = {band: np.nan_to_num(each, nan=0.3).astype(np.float64) for band, each in made.pixels(6).items()}
    single = {band: each.astype(np.float32) for band, each in values.items()}
    for document in documents:
        expression = json.loads(export_document(document, "render"))["expression"]
        with np.errstate(all="ignore"):
            found = np.broadcast_to(numexpr.evaluate(expression, values), (1, 64)).astype(float)
        made.same(np.where(np.isfinite(found), found, np.nan), made.evaluated(document, single)[0])
