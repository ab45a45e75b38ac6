"""Schemathesis over /openapi.json: whatever is asked, the answer is one that the document tells of.

`make fuzz` asks 5000 times; the suite fewer times, and always the same.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, openapi
from schemathesis.core.failures import FailureGroup

from tileserver import Settings, create_app

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CASES = int(os.environ.get("COMEO_FUZZ_CASES", "250"))
# A request of the right form may still ask for what there isn't, or for too much.
REFUSALS = ["2xx", "304", "400", "403", "404", "409", "412", "413", "416", "422", "429"]
KNOWN = {
    "collection": ["sentinel-2-l2a"],
    "item": ["S2A_T32TMT_20190530_L2A", "S2_UTM37N_lake"],
    "tms": ["WebMercatorQuad", "WorldCRS84Quad"],
    "style": ["true-color", "ndvi"],
    "time": ["current", "2019-05-30"],
    "day": ["2019-05-30"],
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # schemathesis does not close the answers of WSGI applications
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]


@pytest.fixture
def schema(tmp_path: Path) -> Any:
    """The document of a server of the sample archives, which is called without HTTP."""
    archives = shutil.copytree(SAMPLES, tmp_path / "archives")
    app = create_app(
        Settings(paths=(archives,), workers=1, scan_seconds=3600, catalog=tmp_path / "catalog.sqlite")
    )
    schema = openapi.from_wsgi("/openapi.json", app)
    schema.config.checks.positive_data_acceptance.expected_statuses = REFUSALS
    return schema


def test_no_request_is_answered_otherwise_than_documented(schema: Any) -> None:
    operations = [found.ok() for found in schema.get_all_operations()]
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    each = math.ceil(1.25 * CASES / (len(operations) * len(modes)))  # some have nothing to get wrong
    asked: Counter[int] = Counter()
    complaints: dict[tuple[str, str], str] = {}
    for operation in operations:
        for mode in modes:
            for name, text in complaints_of(operation, mode, each, asked):
                complaints.setdefault((operation.label, name), text)
    print(f"{asked.total()} cases of {len(operations)} operations: {dict(sorted(asked.items()))}")
    assert not complaints, "\n".join(f"{label}: {text}" for (label, _), text in complaints.items())
    assert max(asked) < 500
    assert asked.total() >= CASES


def complaints_of(operation: Any, mode: Any, count: int, asked: Counter[int]) -> list[tuple[str, str]]:
    """Ask an operation; return the names and texts of what did not hold."""
    found: list[tuple[str, str]] = []

    @given(
        case=operation.as_strategy(generation_mode=mode),
        known=st.sampled_from([True, True, False]),
        seed=st.integers(),
    )
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate], derandomize=CASES < 1000,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(case: Any, known: bool, seed: int) -> None:
        if known and mode is GenerationMode.POSITIVE:
            choose = random.Random(seed)
            for name in KNOWN.keys() & (case.path_parameters or {}).keys():
                case.path_parameters[name] = choose.choice(KNOWN[name])
        answer = case.call(headers={"Accept-Encoding": "identity"})
        asked[answer.status_code] += 1
        try:
            case.validate_response(answer)
        except FailureGroup as failures:
            found.extend((type(one).__name__, f"{answer.status_code} {one}") for one in failures.exceptions)

    with contextlib.suppress(Unsatisfiable):  # nothing can be wrong where there are no parameters
        ask()
    return found
