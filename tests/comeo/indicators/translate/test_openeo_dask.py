"""Documents computed by openeo-processes-dask, an implementation of openEO, are what they are here.

It needs packages that the others' pins do not allow: `COMEO_OPENEO_PYTHON` names the interpreter of an
environment with `openeo-processes-dask[implementations]`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from comeo.indicators.document import Document
from comeo.indicators.translate.openeo import write_openeo
from tests.comeo.indicators.translate import made

PYTHON = os.environ.get("COMEO_OPENEO_PYTHON") or (
    sys.executable if importlib.util.find_spec("openeo_processes_dask") else ""
)
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="openeo-processes-dask is not installed (COMEO_OPENEO_PYTHON names its interpreter)"
)
PROGRAM = Path(__file__).with_name("openeo_dask.py")
TIMES = ["2020-05-03", "2020-05-08", "2020-05-13", "2020-05-18", "2020-05-23"]
SIDE = 40


def cube(seed: int) -> dict[str, NDArray[np.float32]]:
    """Reflectances (dates, rows, columns), in steps of a ten-thousandth, some missing; and classes."""
    random = np.random.default_rng(seed)
    shape = (len(TIMES), SIDE, SIDE)
    made_up = {band: random.integers(150, 6000, shape) for band in ("B02", "B03", "B04", "B08")}
    values = {band: (numbers / np.float64(1e4)).astype(np.float32) for band, numbers in made_up.items()}
    gone = random.random(shape) < 0.05
    for each in values.values():
        each[gone] = np.nan
    return {**values, "SCL": random.integers(0, 12, shape).astype(np.float32)}


def by_openeo(document: Document, values: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    scales = {name: 1 if name == "SCL" else 1e4 for name in values}
    digital = {
        name: [
            [[None if np.isnan(x) else round(float(x) * scales[name]) for x in row] for row in day]
            for day in each
        ]
        for name, each in values.items()
    }
    order = {"process": write_openeo(document), "values": digital, "times": TIMES}
    done = subprocess.run(
        [PYTHON, "-W", "ignore", str(PROGRAM)], input=json.dumps(order), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return np.array(json.loads(done.stdout), float)


def here(document: Document, values: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack(
        [
            made.evaluated(document, {band: values[band][day] for band in made.BANDS})[0]
            for day in range(len(TIMES))
        ]
    )


CASES: dict[str, dict[str, Any]] = {
    "NDVI": {"formula": "(B08 - B04) / (B08 + B04)"},
    "EVI": {
        "formula": "2.5 * (B08 - B04) / (B08 + 6 * B04 - 7.5 * B02 + 1)",
        "value": {"valid": "B08 + 6 * B04 - 7.5 * B02 + 1 > 0.99998"},
    },
    "NDWI": {"formula": "nd(B02, B08)", "value": {"range": [-0.9, 0.9]}},
    "predefined": {"formula": "(max(B08, 0) - max(B04, 0)) / max(max(B08, 0) + max(B04, 0), 0.0001)"},
    "masked NDVI": {"formula": "(B08 - B04) / (B08 + B04)", "mask": {"keep": ["clear"]}},
    "temporal median": {
        "formula": "(B08 - B04) / (B08 + B04)", "mask": {"keep": ["land", "water"]},
        "temporal": {"window": "P1M", "statistic": "median", "min_dates": 2},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_results_are_equal_to_a_millionth(name: str) -> None:
    fields = dict(CASES[name])
    document = made.document(fields.pop("formula"), **fields)
    values = cube(7)
    expected = here(document, values)
    mask = document.inputs["s2"].mask
    if mask is not None:
        kept = [4, 5, 6, 11] if mask.keep == ["clear"] else [4, 5, 6]
        expected = np.where(np.isin(values["SCL"], kept), expected, np.nan)
    if document.temporal is not None:
        counts = np.isfinite(expected).sum(axis=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = np.where(counts >= 2, np.nanmedian(expected, axis=0), np.nan)
    found = by_openeo(document, values)
    assert np.isfinite(found).any()
    np.testing.assert_allclose(found, expected.ravel(), rtol=1e-6, atol=1e-6)
