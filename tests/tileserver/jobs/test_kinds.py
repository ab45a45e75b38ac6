"""Kinds of work: orders that come back as they were given, and a worker that knows no HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import ComeoError
from tileserver.jobs.kinds import EXTRACT, KINDS, ExtractOrder, kind_of
from tileserver.jobs.orders import Order
from tileserver.jobs.queue import Job, Jobs
from tileserver.settings import Settings

NUMBERS = st.floats(-1e6, 1e6)
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS).filter(lambda pair: pair[0] < pair[1]), min_size=1, max_size=4)
BODIES = st.fixed_dictionaries(
    {"collection": st.just("optical"), "item": st.just("old")},
    optional={
        "bands": st.lists(st.sampled_from(["B02", "B03", "B04"]), min_size=1, max_size=3),
        "expression": st.just("B04/B03"), "style": st.just("ndvi"), "rescale": RANGES,
        "unscale": st.booleans(), "return_mask": st.booleans(), "format": st.sampled_from(["tif", "kmz"]),
        "bbox": st.just([8.6, 47.4, 8.75, 47.5]), "dst_crs": st.just("epsg:3857"), "max_size": st.integers(1),
        "geometry": st.just({"type": "Polygon", "coordinates": [[[8, 47], [9, 47], [9, 48], [8, 47]]]}),
    },
)  # fmt: skip
LEAN = """
import sys
import {module}
banned = ("flask", "tileserver.http", "tileserver.api")
print(*(name for name in sys.modules if name.startswith(banned)))
"""


@pytest.mark.parametrize("module", ["tileserver.jobs.worker", "tileserver.jobs.kinds"])
def test_work_knows_no_http(module: str) -> None:
    command = [sys.executable, "-c", LEAN.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_process_that_waits_for_its_slot_stays_small() -> None:
    program = "import sys, tileserver.jobs.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"numba", "scipy", "rasterio", "rio_tiler"}.isdisjoint(done.stdout.split())


@given(BODIES)
def test_an_order_comes_back_from_disk_as_it_was_given(body: dict[str, object]) -> None:
    given = ExtractOrder.model_validate(body)
    order = Order(
        kind="extract", body=given.model_dump(mode="json", exclude_none=True), name="old", disk_bytes=1
    )
    again = Order.model_validate_json(order.model_dump_json())
    assert again == order
    read = ExtractOrder.model_validate(again.body)
    assert read == given
    assert read.file_request(100) == given.file_request(100)


def test_kinds_are_found_by_name() -> None:
    assert kind_of("extract") is EXTRACT
    assert all(kind.name == name for name, kind in KINDS.items())
    with pytest.raises(ComeoError, match="no work of the kind nonsense; it has extract"):
        kind_of("nonsense")


def test_an_order_of_another_version_of_the_program_is_refused(tmp_path: Path) -> None:
    job = run(tmp_path, Order(kind="extract", body={}, name="old", disk_bytes=1, code="0" * 64))
    assert job.status == "failed"
    assert "restart the server" in job.stage


def test_an_order_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    job = run(tmp_path, Order(kind="nonsense", body={}, name="old", disk_bytes=1))
    assert job.status == "failed"
    assert "nonsense" in job.stage


def test_a_job_has_the_order_that_it_was_given(tmp_path: Path) -> None:
    order = Order(kind="nonsense", body={"item": "old"}, name="old", estimate={"bytes": 5}, disk_bytes=1)
    job = run(tmp_path, order)
    assert job.order == order
    assert json.loads((tmp_path / "jobs" / job.id / "order.json").read_text())["kind"] == "nonsense"


def run(folder: Path, order: Order) -> Job:
    """Let a job's own process do an order."""
    jobs = Jobs(folder / "jobs", Settings(catalog=folder / "catalog.sqlite"))
    job = jobs.create(order)
    deadline = time.monotonic() + 60
    while job.status in ("accepted", "running"):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
        job = jobs.get(job.id)
    return job
