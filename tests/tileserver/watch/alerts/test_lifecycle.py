"""Alerts follow from what is observed now, whatever came before, late, twice or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from tests.tileserver.watch.followed import NOW, OWNER, follow, observation, rule
from tileserver.errors import ConflictError
from tileserver.store import accounts, geoservices, observed, outbox
from tileserver.store import alerts as stored
from tileserver.store.alerts import Alert
from tileserver.store.database import Database
from tileserver.store.geoservices import Geoservice
from tileserver.store.observed import Observed
from tileserver.store.tables import alert, alert_event, judged, message, share
from tileserver.watch.alerts import counting, lifecycle
from tileserver.watch.alerts.counting import verdicts
from tileserver.watch.alerts.explain import explain
from tileserver.watch.alerts.lifecycle import Decision, reconcile
from tileserver.watch.document import states
from tileserver.watch.document.rules import Rule
from tileserver.watch.messages.tell import Teller

Series = Mapping[int, float]
"""Values by day."""


class Case:
    """A geoservice of one site, at a time that goes on by a day a step."""

    def __init__(self, database: Database, **changes: Any) -> None:
        self.database = database
        self.geoservice: Geoservice = follow(database, **changes)
        self.rule: Rule = rule(database, self.geoservice)
        self.now = NOW

    def see(self, series: Series | Sequence[Observed]) -> None:
        """Bring alerts in step."""
        seen = (
            [observation(day, value) for day, value in sorted(series.items())]
            if isinstance(series, Mapping)
            else series
        )
        self.now += timedelta(hours=1)
        with self.database.writing() as connection:
            known = stored.alerts_of(connection, self.geoservice.id)
            reconcile(connection, self.rule, seen, known, self.now)

    def tell(self) -> None:
        """Put messages into the outbox."""
        with self.database.writing() as connection:
            Teller(connection, self.geoservice, "http://here", self.now).tell()

    def verify(self) -> None:
        """Say of all that the originals are not at hand."""
        with self.database.writing() as connection:
            for each in stored.in_states(connection, "verifying", "candidate"):
                lifecycle.look_up(connection, each, "unreachable", "not at hand", self.now)

    def decide(self, decision: Decision) -> None:
        """Decide on all that are to be decided."""
        with self.database.writing() as connection:
            owner = accounts.person_of(connection, OWNER)
            assert owner is not None
            for each in stored.in_states(connection, "candidate"):
                lifecycle.decide(connection, each, decision, "", owner.id, self.now)

    def alerts(self) -> list[Alert]:
        with self.database.reading() as connection:
            return stored.alerts_of(connection, self.geoservice.id)

    def subjects(self) -> list[str]:
        with self.database.reading() as connection:
            return [each.subject.partition(":")[0] for each in outbox.messages(connection)]

    def clear(self) -> None:
        """Forget all alerts."""
        with self.database.writing() as connection:
            for table in (share, message, alert_event, judged, alert):
                connection.execute(delete(table))

    def states(self) -> list[str]:
        return [each.state for each in self.alerts()]

    def told(self) -> list[tuple[object, ...]]:
        """All that matters of alerts that were not withdrawn."""
        return sorted(
            (
                each.kind, each.first_item, each.first_at, each.last_item, each.last_at, each.severity,
                each.score, each.state, repr(each.evidence),
            )
            for each in self.alerts()
            if each.state != "withdrawn"
        )  # fmt: skip


@pytest.fixture
def case(database: Database) -> Case:
    return Case(database)


IN, OUT, GRAVE = 0.6, 0.475, 0.2


def test_an_alert_opens_goes_on_and_closes(case: Case) -> None:
    case.see({1: IN, 2: OUT})
    assert case.states() == []
    case.see({1: IN, 2: OUT, 3: OUT})
    (one,) = case.alerts()
    assert (one.state, one.kind, one.severity, one.first_item, one.last_item) == (
        "candidate",
        "low",
        1,
        "day-2",
        "day-3",
    )
    case.see({1: IN, 2: OUT, 3: OUT, 4: GRAVE})
    (one,) = case.alerts()
    assert (one.state, one.severity, one.last_item) == ("candidate", 3, "day-4")
    case.see({1: IN, 2: OUT, 3: OUT, 4: GRAVE, 5: IN, 6: IN})
    (one,) = case.alerts()
    assert (one.state, one.closed) == ("closed", case.now)
    with case.database.reading() as connection:
        events = [(each.before, each.after) for each in stored.events_of(connection, one.id)]
    assert events == [(None, "candidate"), ("candidate", "closed")]


def test_a_single_grave_date_is_verified_first(case: Case) -> None:
    case.see({1: GRAVE})
    assert case.states() == ["verifying"]
    case.see({1: GRAVE, 2: IN, 3: OUT})
    assert case.states() == ["candidate"]


def test_another_deviation_opens_while_the_ground_of_the_first_goes(case: Case) -> None:
    """Only one alert of a rule may be open: the database itself refuses a second one."""
    case.see({1: OUT, 2: OUT})
    case.see({1: IN, 2: IN, 8: OUT, 9: OUT})
    assert case.states() == ["withdrawn", "candidate"]


def test_another_deviation_opens_at_once_with_the_end_of_the_first(case: Case) -> None:
    case.see({1: OUT, 2: OUT})
    case.see({1: OUT, 2: OUT, 3: IN, 4: IN, 5: OUT, 6: OUT})
    assert case.states() == ["closed", "candidate"]


def test_two_deviations_become_one_when_a_scene_between_them_goes(case: Case) -> None:
    case.see({1: OUT, 2: OUT, 3: IN, 4: IN, 5: OUT, 6: OUT})
    case.see({1: OUT, 2: OUT, 3: IN, 5: OUT, 6: OUT})
    assert case.states() == ["withdrawn", "candidate"]


def test_one_becomes_two_when_a_scene_comes_late(case: Case) -> None:
    case.see({1: OUT, 2: OUT, 3: IN, 5: OUT, 6: OUT})
    case.see({1: OUT, 2: OUT, 3: IN, 4: IN, 5: OUT, 6: OUT})
    assert sorted(case.states()) == ["candidate", "closed"]
    goes_on = next(each for each in case.alerts() if each.state == "candidate")
    assert goes_on.id == 1, "people know of the one that goes on"


def test_an_alert_that_closed_too_early_goes_on(case: Case) -> None:
    case.see({1: OUT, 2: OUT, 3: IN, 4: IN})
    case.see({1: OUT, 2: OUT, 3: IN, 4: OUT})  # a scene was replaced
    assert case.states() == ["candidate"]


def test_an_alert_that_closed_without_ground_is_withdrawn(case: Case) -> None:
    case.see({1: OUT, 2: OUT, 3: IN, 4: IN})
    case.see({1: IN, 2: OUT, 3: IN, 4: IN})
    assert case.states() == ["withdrawn"]
    case.see({1: OUT, 2: OUT, 3: IN, 4: IN})
    assert case.states() == ["closed"]


def test_a_single_date_that_is_left_is_verified_again(case: Case) -> None:
    case.see({1: IN, 2: OUT, 3: GRAVE})
    assert case.states() == ["candidate"]
    case.see({1: IN, 2: IN, 3: GRAVE})
    assert case.states() == ["verifying"]


def test_what_people_were_told_stays(case: Case) -> None:
    case.see({1: OUT, 2: OUT})
    case.decide("confirm")
    case.tell()
    assert case.states() == ["notified"]
    case.see({1: OUT, 2: OUT, 3: IN, 4: IN})
    case.tell()
    case.see({1: OUT, 2: OUT, 3: IN})
    case.tell()
    assert case.states() == ["notified"]
    case.see({1: IN})
    case.tell()
    assert case.states() == ["closed"]
    case.see({})
    assert case.states() == ["closed"]
    assert case.subjects() == ["Alert", "Over"], "each once"


def test_what_was_dismissed_stays_dismissed(case: Case) -> None:
    case.see({1: OUT, 2: OUT})
    case.decide("harvest")
    case.see({1: OUT, 2: OUT, 3: GRAVE})
    assert case.states() == ["dismissed"]
    case.see({1: OUT, 2: OUT, 3: IN, 4: IN, 5: OUT, 6: OUT})
    assert case.states() == ["dismissed", "candidate"]


def test_a_moderator_is_asked_once_and_again_when_the_link_has_ended(database: Database) -> None:
    case = Case(database, alerts={"expires_days": 60})
    case.see({1: OUT, 2: OUT})
    case.verify()
    for _ in range(3):
        case.tell()
    assert case.subjects() == ["To decide"]
    case.now += timedelta(days=15)
    for _ in range(3):
        case.tell()
    assert case.subjects() == ["To decide"] * 2


def test_what_nobody_decides_on_expires(case: Case) -> None:
    case.see({1: OUT, 2: OUT})
    case.verify()
    case.tell()
    case.now += timedelta(days=15)
    case.tell()
    assert case.states() == ["expired"]
    assert case.subjects() == ["To decide"]


def test_two_scenes_of_one_pass_are_one_date(case: Case) -> None:
    """Neighbouring tiles overlap: the same pixels twice bear nothing out."""
    pass_ = [
        observation(1, OUT, item="T31", clear=0.92),
        observation(1.001, OUT, item="T32", clear=0.99),
    ]
    assert [each.point.item for each in verdicts(pass_, case.rule)] == ["T32"]
    case.see(pass_)
    assert case.states() == []
    case.see([*pass_, observation(2, OUT)])
    assert case.states() == ["candidate"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"clear": 0.89}, "89% of the site is clear"), ({"cloud_near": 0.31}, "31% cloud"),
        ({"pixels": 3.0}, "3.0 pixels count"), ({"covered": 0.5}, "shows 50% of the site"),
        ({"value": None}, "it has no value"), ({"clear": None, "cloud_near": None}, None),
    ],
)  # fmt: skip
def test_dates_that_do_not_count(case: Case, changes: dict[str, Any], reason: str | None) -> None:
    one = observation(1, OUT)
    seen = (
        observation(1, OUT, **changes) if "value" not in changes else type(one)(**{**_fields(one), **changes})
    )
    told = counting.counts(seen, case.rule.policy)
    assert (told is None) if reason is None else (told is not None and reason in told)


def _fields(one: Observed) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def test_deviations_that_were_over_before_the_geoservice_began_are_no_alerts(case: Case) -> None:
    case.see({-9: OUT, -8: OUT, -7: IN, -6: IN})
    assert case.states() == []
    case.see({-2: OUT, -1: OUT, 1: OUT})
    assert case.states() == ["candidate"]


def test_a_decision_and_another_at_the_same_time(case: Case) -> None:
    """Both have seen it open; the second is told so."""
    case.see({1: OUT, 2: OUT})
    (one,) = case.alerts()
    case.decide("confirm")
    with pytest.raises(ConflictError, match="no longer candidate"), case.database.writing() as connection:
        lifecycle.decide(connection, one, "cloud", "", 1, case.now)
    assert case.states() == ["confirmed"]


VALUES = st.sampled_from([IN, 0.505, OUT, GRAVE, 0.9])
SERIES = st.dictionaries(st.integers(0, 12), VALUES, max_size=12)
NOMINALS: list[dict[str, Any]] = [
    {"kind": "fixed", "low": 0.5, "high": 0.85},
    {"kind": "change", "dates": 3, "side": "both"},
]


@pytest.fixture
def cases(sqlite_database: Database) -> list[Case]:
    return [
        Case(
            sqlite_database,
            slug=f"wood-{number}",
            indicators=[{"indicator": "ndvi", "nominal": nominal}],
            alerts={"of": 3 + 3 * number},
        )
        for number, nominal in enumerate(NOMINALS)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(history=st.lists(SERIES, max_size=4), end=SERIES, number=st.integers(0, 1))
def test_order_does_not_matter(cases: list[Case], history: list[Series], end: Series, number: int) -> None:
    """Scenes came, were replaced and withdrawn in any way: what alerts are is what the last state makes."""
    case = cases[number]
    case.clear()
    for each in history:
        case.see(each)
    case.see(end)
    left = case.told()
    case.clear()
    case.see(end)
    assert left == case.told()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    steps=st.lists(
        st.one_of(SERIES, st.sampled_from(get_args(Decision)), st.sampled_from(["tell", "verify", "expire"])),
        max_size=12,
    )
)
def test_no_step_is_outside_the_table(cases: list[Case], steps: list[Any]) -> None:
    """Of all that happened to each alert, and it is all written down."""
    case = cases[0]
    case.clear()
    for each in steps:
        if isinstance(each, dict):
            case.see(each)
        elif each == "tell":
            case.tell()
        elif each == "verify":
            case.verify()
        elif each == "expire":
            case.now += timedelta(days=15)
            case.tell()
        else:
            case.decide(each)
    found = case.alerts()
    assert sum(each.is_open for each in found) <= 2
    with case.database.reading() as connection:
        for each in found:
            before: str | None = None
            for row in stored.events_of(connection, each.id):
                assert row.before == before
                if before is not None and row.after != before:
                    states.check(states.ALERT, before, row.after)
                before = row.after
            assert before == each.state
            assert (each.closed is None) == each.is_open


def test_a_step_outside_a_table_is_refused() -> None:
    with pytest.raises(
        ConflictError, match="what is dismissed cannot become confirmed; it can become nothing"
    ):
        states.check(states.ALERT, "dismissed", "confirmed")
    for table in (states.ALERT, states.GEOSERVICE):
        assert {after for steps in table.values() for after in steps} <= set(table)
    assert set(get_args(stored.State)) == set(states.ALERT)
    assert set(get_args(geoservices.State)) == set(states.GEOSERVICE)


def test_what_the_catalogue_no_longer_has_is_explained_as_withdrawn(case: Case) -> None:
    with case.database.writing() as connection:
        observed.keep(connection, [observation(1, OUT, etag="z"), observation(2, OUT), observation(3, OUT)])
    with case.database.writing() as connection:
        observed.keep(connection, [observation(1, IN, etag="a"), observation(2, IN)])  # one of them is known
    archives = {("scenes", "day-1", "a"), ("scenes", "day-3", "e")}
    with case.database.reading() as connection:
        lines = list(explain(connection, case.geoservice, None, archives))
    assert [line.split()[:2] for line in lines[2:]] == [
        ["2026-01-02", "0.600"], ["2026-01-03", "does"], ["2026-01-04", "0.475"]
    ]  # fmt: skip
    assert lines[3].endswith("does not count: withdrawn")


def test_links_to_pictures_are_addresses(case: Case) -> None:
    case.see([observation(day, OUT, item=f"{day} & <b>\n") for day in (1, 2)])
    case.verify()
    case.tell()
    with case.database.reading() as connection:
        (asked,) = outbox.messages(connection)
    assert "http://here/#collection=scenes&item=2%20%26%20%3Cb%3E%0A\n" in asked.body["text"]


def test_times_are_of_one_zone(case: Case) -> None:
    case.see({1: OUT, 2: OUT})
    (one,) = case.alerts()
    assert one.first_at == datetime(2026, 1, 2, tzinfo=UTC)
