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
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, openapi
from schemathesis.core.failures import FailureGroup

from tests.tileserver.people import DEFINITION
from tileserver import Settings, create_app
from tileserver.accounts import sessions
from tileserver.store import accounts
from tileserver.store.database import Database
from tileserver.store.geoservices import find_geoservice, set_state
from tileserver.store.migrate import upgrade
from tileserver.watch.setup.register import definition_of, register

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CASES = int(os.environ.get("COMEO_FUZZ_CASES", "250"))
# A request of the right form may still ask for what there isn't, or for too much.
REFUSALS = ["2xx", "303", "304", "400", "401", "403", "404", "409", "412", "413", "416", "422", "428", "429"]
KNOWN: dict[str, list[Any]] = {
    "collection": ["sentinel-2-l2a"],
    "item": ["S2A_T32TMT_20190530_L2A", "S2_UTM37N_lake"],
    "tms": ["WebMercatorQuad", "WorldCRS84Quad"],
    "style": ["true-color", "ndvi"],
    "time": ["current", "2019-05-30"],
    "day": ["2019-05-30"],
    "slug": ["fields", "draft"],
    "number": [1, 2],
    "token": ["a" * 32],
    "name": ["0" * 16],
}
OF_GEOSERVICES = ("/geoservices", "/sites", "/alerts", "/account", "/m/", "/r/", "/u/", "/s/")
COOKIE = "comeo"
Headers = Callable[[random.Random], dict[str, str]]

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # schemathesis does not close the answers of WSGI applications
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]


@pytest.fixture
def schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The document of a server of the sample archives, which is called without HTTP."""
    archives = shutil.copytree(SAMPLES, tmp_path / "archives")
    monkeypatch.setattr("tileserver.relay.feed.origin.WAIT_SECONDS", 0)  # for lines that do not come
    app = create_app(
        Settings(paths=(archives,), workers=1, scan_seconds=3600, catalog=tmp_path / "catalog.sqlite",
                 relay=True, relay_folder=tmp_path / "relay")
    )  # fmt: skip
    return schema_of(app)


def schema_of(app: Any) -> Any:
    schema = openapi.from_wsgi("/openapi.json", app)
    schema.config.checks.positive_data_acceptance.expected_statuses = REFUSALS
    schema.config.checks.negative_data_rejection.expected_statuses = [*REFUSALS[2:], "406", "415"]
    return schema


@pytest.fixture
def signed_in(tmp_path: Path) -> tuple[Any, Headers]:
    """The document of a server of geoservices, and what somebody sends who owns two of them."""
    path, me = tmp_path / "comeo.sqlite", "me@example.org"
    database = Database(str(path))
    upgrade(database)
    (tmp_path / "archives").mkdir()
    app = create_app(
        Settings(paths=(tmp_path / "archives",), workers=1, scan_seconds=3600, database=str(path),
                 catalog=tmp_path / "catalog.sqlite")
    )  # fmt: skip
    now = datetime.now(UTC)
    with database.writing() as connection:
        for slug in ("fields", "draft"):
            register(connection, definition_of({**DEFINITION, "slug": slug}), me, 1000, now)
        one = find_geoservice(connection, "fields")
        assert one
        set_state(connection, one.id, "active")

    def headers(choose: random.Random) -> dict[str, str]:
        """A session of its own each time: some requests end all others."""
        at = datetime.now(UTC)
        with database.writing() as connection:
            person = accounts.person_of(connection, me)
            assert person
            cookie = sessions.begin(connection, person, at)
            found = sessions.find(connection, cookie, at)
            assert found
        token = found[1] if choose.random() < 0.9 else "forged"
        condition = {"If-Match": choose.choice(["*", '"x"', "x"])} if choose.random() < 0.9 else {}
        return {COOKIE: cookie, "X-CSRF-Token": token, **condition}

    return schema_of(app), headers


def test_no_request_of_who_is_signed_in_either(signed_in: tuple[Any, Headers]) -> None:
    schema, headers = signed_in
    operations = [found.ok() for found in schema.get_all_operations()]
    asked = ask_all([each for each in operations if each.path.startswith(OF_GEOSERVICES)], headers)
    assert asked[401] == 0, "who is signed in is not asked to sign in"
    assert {200, 403, 404, 422} < set(asked)


def test_no_request_is_answered_otherwise_than_documented(schema: Any) -> None:
    asked = ask_all([found.ok() for found in schema.get_all_operations()], lambda _: {})
    assert asked.total() >= CASES
    assert max(asked) < 500


def ask_all(operations: list[Any], headers: Headers) -> Counter[int]:
    """Ask all operations, so often as is wanted altogether."""
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    each = math.ceil(1.25 * CASES / (len(operations) * len(modes)))  # some have nothing to get wrong
    asked: Counter[int] = Counter()
    complaints: dict[tuple[str, str], str] = {}
    for operation in operations:
        for mode in modes:
            for name, text in complaints_of(operation, mode, each, asked, headers):
                complaints.setdefault((operation.label, name), text)
    print(f"{asked.total()} cases of {len(operations)} operations: {dict(sorted(asked.items()))}")
    assert not complaints, "\n".join(f"{label}: {text}" for (label, _), text in complaints.items())
    assert max(asked) < 500
    assert asked.total() >= CASES
    return asked


def complaints_of(
    operation: Any, mode: Any, count: int, asked: Counter[int], headers: Headers
) -> list[tuple[str, str]]:
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
        choose = random.Random(seed)
        own = headers(choose)
        if operation.method == "get":  # what a write rests on
            own.pop("If-Match", None)
        cookies = {COOKIE: own.pop(COOKIE)} if COOKIE in own else None
        if known and mode is GenerationMode.POSITIVE:
            for name in KNOWN.keys() & (case.path_parameters or {}).keys():
                case.path_parameters[name] = choose.choice(KNOWN[name])
        answer = case.call(headers={"Accept-Encoding": "identity", **own}, cookies=cookies)
        asked[answer.status_code] += 1
        try:
            case.validate_response(answer)
        except FailureGroup as failures:
            found.extend((type(one).__name__, f"{answer.status_code} {one}") for one in failures.exceptions)

    with contextlib.suppress(Unsatisfiable):  # nothing can be wrong where there are no parameters
        ask()
    return found
