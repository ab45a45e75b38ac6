"""Many sites outside at once are one alert of their group, whatever came before, late or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from tests.tileserver.watch.followed import NOW, OWNER, START, follow, observation, square
from tileserver.store import accounts, geoservices, observed, outbox, sites
from tileserver.store import alerts as stored
from tileserver.store.alerts import Alert
from tileserver.store.database import Database
from tileserver.store.observed import Observed
from tileserver.store.tables import alert, alert_event, judged, message, share
from tileserver.store.tables import observation as observations
from tileserver.watch.alerts import lifecycle
from tileserver.watch.alerts.baseline import Point, Verdict
from tileserver.watch.alerts.detect import Episode
from tileserver.watch.alerts.explain import explain
from tileserver.watch.alerts.groups import group_episodes
from tileserver.watch.alerts.judging import judge_sites
from tileserver.watch.document.definition import GroupPolicy
from tileserver.watch.messages.compose import alert_line, sentences
from tileserver.watch.messages.tell import Names, Teller
from tileserver.watch.observing.observe import Place
from tileserver.watch.observing.verify import Outcome, together
from tileserver.watch.words import LANGUAGES

IN, OUT, GRAVE = 0.6, 0.475, 0.2
COUNT = 5
States = Mapping[int, Mapping[int, float]]
"""Values by site, from 0, and day."""


class Case:
    """A geoservice of a group of five sites, three of which have to be outside."""

    def __init__(
        self, database: Database, definition: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        self.database = database
        features = [
            {"type": "Feature", "properties": {"name": f"Field {number}"}, "geometry": square(10 + number)}
            for number in range(COUNT)
        ]
        policy = {"group": {"share": 0.5, "days": 5, "least": 2}, **changes}
        collection = {"type": "FeatureCollection", "features": features}
        self.geoservice = follow(
            database, slug="fields", sites=collection, alerts=policy, **(definition or {})
        )
        self.now = NOW
        with database.reading() as connection:
            (self.indicator,) = geoservices.followed(connection, self.geoservice.id)
            leaves = sites.leaves(connection, self.geoservice.site)
        self.places = [Place(each.id, each.site, None) for each in leaves]  # type: ignore[arg-type]
        self.archives: set[tuple[str, str, str]] = set()

    def see(self, state: States) -> None:
        """Bring alerts in step; observations are what the catalogue has now."""
        made: list[Observed] = [
            observation(day, value, version=self.places[site].version, etag=f"{site} {value}")
            for site, values in state.items()
            for day, value in sorted(values.items())
        ]
        self.archives = {each.archive for each in made}
        self.now += timedelta(hours=1)
        with self.database.writing() as connection:
            observed.keep(connection, made)
            judge_sites(
                connection,
                self.geoservice,
                self.indicator,
                self.places,
                {each.key for each in made},
                self.now,
            )

    def verify(self) -> None:
        with self.database.writing() as connection:
            for each in stored.in_states(connection, "verifying", "candidate"):
                if each.verified == "unknown":
                    lifecycle.look_up(connection, each, "unreachable", "not at hand", self.now)

    def tell(self) -> None:
        with self.database.writing() as connection:
            Teller(connection, self.geoservice, "http://here", self.now).tell()

    def confirm(self) -> None:
        with self.database.writing() as connection:
            owner = accounts.person_of(connection, OWNER)
            assert owner is not None
            for each in stored.in_states(connection, "candidate"):
                lifecycle.decide(connection, each, "confirm", "", owner.id, self.now)

    def alerts(self) -> list[Alert]:
        with self.database.reading() as connection:
            found = stored.alerts_of(connection, self.geoservice.id)
        return [each for each in found if each.state != "withdrawn"]

    def of(self, *, group: bool) -> list[str]:
        """States of alerts of the group, or of sites."""
        return [each.state for each in self.alerts() if (each.site == self.geoservice.site) == group]

    def clear(self) -> None:
        with self.database.writing() as connection:
            for table in (share, message, alert_event, judged, alert, observations):
                connection.execute(delete(table))

    def told(self) -> list[tuple[object, ...]]:
        return sorted(
            (each.site, each.kind, each.first_item, each.first_at, each.last_item, each.last_at,
             each.severity, each.score or 0.0, each.state, repr(each.evidence))
            for each in self.alerts()
        )  # fmt: skip


@pytest.fixture
def case(database: Database) -> Case:
    return Case(database)


def drought(*numbers: int, **days: float) -> dict[int, dict[int, float]]:
    """Two dates outside at some sites, and clear dates inside at the others."""
    return {
        number: {1: IN, 2: OUT, 3: OUT} if number in numbers else {1: IN, 2: IN, 3: IN}
        for number in range(COUNT)
    }


def test_few_sites_are_alerts_of_their_own(case: Case) -> None:
    case.see(drought(0, 1))
    assert (case.of(group=True), case.of(group=False)) == ([], ["candidate"] * 2)


def test_many_sites_are_one_alert(case: Case) -> None:
    state = drought(0, 1, 2, 4)
    state[4] = {1: IN, 2: GRAVE, 3: GRAVE}
    case.see(state)
    (one,) = case.alerts()
    assert (one.site, one.state, one.kind) == (case.geoservice.site, "candidate", "low")
    assert one.severity == 1, "as many sites have as are needed"
    assert (one.first_at, one.last_at) == (START + timedelta(days=2), START + timedelta(days=3))
    group = one.evidence["group"]
    assert (group["count"], group["of"]) == (4, COUNT)
    numbers = [each.site for each in case.places]
    assert [each["site"] for each in group["sites"]] == [numbers[number] for number in (4, 0, 1, 2)]
    assert group["witnesses"][0]["name"] == {"en": "Field 4"}
    assert one.evidence["worst"]["value"] == GRAVE
    assert lifecycle.sites_in(one) == {numbers[number] for number in (0, 1, 2, 4)}


def test_an_alert_of_a_site_that_nobody_knows_of_goes_into_that_of_the_group(case: Case) -> None:
    case.see(drought(0, 1))
    case.see(drought(0, 1, 2))
    assert (case.of(group=True), case.of(group=False)) == (["candidate"], [])
    case.see(drought(0, 1))
    assert (case.of(group=True), case.of(group=False)) == ([], ["candidate"] * 2), "and comes back"


@pytest.mark.parametrize("confirmed", [False, True])
def test_an_alert_of_a_site_that_people_know_of_stays(case: Case, confirmed: bool) -> None:
    case.see(drought(0))
    case.verify()
    case.tell()
    if confirmed:
        case.confirm()
    state = case.of(group=False)
    case.see(drought(0, 1, 2))
    case.verify()
    case.tell()
    after = {"candidate": "candidate", "confirmed": "notified"}[state[0]]
    assert (case.of(group=True), case.of(group=False)) == (["candidate"], [after])
    with case.database.reading() as connection:
        subjects = [each.subject for each in outbox.messages(connection)]
    assert sum("To decide" in each for each in subjects) == 2
    case.see({**drought(0, 1, 2), 0: {1: IN, 2: OUT, 3: OUT, 4: IN, 5: IN}})
    assert case.of(group=False) == ["closed"], "it goes on as a site's does"


def test_it_is_over_when_enough_sites_are_back(case: Case) -> None:
    state = drought(0, 1, 2)
    case.see(state)
    state[0] |= {4: IN, 5: IN}
    case.see(state)
    assert case.of(group=True) == ["candidate"], "three sites were outside within five days"
    for number in range(COUNT):
        state[number] |= {9: IN if number in (0, 3, 4) else OUT}
    case.see(state)
    assert (case.of(group=True), case.of(group=False)) == (["closed"], [])


def test_sites_that_are_never_outside_within_the_days_are_no_matter_of_the_group(case: Case) -> None:
    state = {
        number: {day: OUT if day in (1 + 8 * number, 2 + 8 * number) else IN for day in range(1, 40)}
        for number in range(COUNT)
    }
    case.see(state)
    assert case.of(group=True) == []
    assert len(case.of(group=False)) == COUNT


def test_without_the_rule_nothing_is_of_the_group(database: Database) -> None:
    case = Case(database, group=None)
    case.see(drought(*range(COUNT)))
    assert (case.of(group=True), case.of(group=False)) == ([], ["candidate"] * COUNT)


def test_a_rule_that_is_taken_back_leaves_alerts_of_sites(case: Case) -> None:
    case.see(drought(0, 1, 2))
    with case.database.writing() as connection:
        policy = {**case.geoservice.alert_policy, "group": None}
        geoservices.change_geoservice(connection, case.geoservice.id, {"alert_policy": policy})
        case.geoservice = geoservices.get_geoservice(connection, case.geoservice.id)
    case.see(drought(0, 1, 2))
    assert (case.of(group=True), case.of(group=False)) == ([], ["candidate"] * 3)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_messages_say_how_many_and_which_is_the_worst(case: Case, locale: str) -> None:
    state = drought(0, 1, 2)
    state[2] = {1: IN, 2: GRAVE, 3: GRAVE}
    case.see(state)
    (one,) = case.alerts()
    with case.database.reading() as connection:
        about = Names(connection, case.geoservice).of(one)
    first, *_ = sentences(one, about, locale)
    assert alert_line(one, about, locale, "confirmed") == first, "phones and digests say the same"
    assert "3" in first
    assert "5" in first
    assert "Field 2" in first
    assert "The wood" in first, "the group's name"


def test_it_is_explained_at_each_of_its_sites(case: Case) -> None:
    case.see(drought(0, 1, 2))
    with case.database.reading() as connection:
        lines = [list(explain(connection, case.geoservice, each.site, case.archives)) for each in case.places]
    said = [any("alert of the group" in line for line in some) for some in lines]
    assert said == [True, True, True, False, False]
    assert any("candidate: 3 of 5 sites outside since 2026-01-03" in line for line in lines[0])


def test_what_most_originals_say_holds() -> None:
    holds, not_, away = (Outcome(each, {}, each) for each in ("holds", "withdrawn", "unreachable"))
    assert together([away, away]).verified == "unreachable"
    assert together([away, holds, not_]).verified == "holds"
    assert together([not_, holds, not_]).verified == "withdrawn"
    assert together([not_, holds, not_]).reason == "the originals of 1 of 3 sites bear it out"


DAYS = st.dictionaries(st.integers(0, 9), st.sampled_from([IN, OUT, GRAVE, IN]), max_size=10)
STATE = st.lists(DAYS, min_size=COUNT, max_size=COUNT).map(lambda each: dict(enumerate(each)))


@pytest.fixture
def lasting(sqlite_database: Database) -> Case:
    return Case(sqlite_database, group={"share": 0.4, "days": 2, "least": 2})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(history=st.lists(STATE, max_size=3), end=STATE)
def test_order_does_not_matter(lasting: Case, history: list[States], end: States) -> None:
    """Scenes came, were replaced and withdrawn in any way: what alerts are is what the last state makes."""
    lasting.clear()
    for each in history:
        lasting.see(each)
    lasting.see(end)
    left = lasting.told()
    lasting.clear()
    lasting.see(end)
    assert left == lasting.told()


@st.composite
def deviations(draw: st.DrawFn) -> dict[int, list[Episode]]:
    """Of some sites, each with up to two deviations."""

    def verdict(day: int) -> Verdict:
        return Verdict(
            Point(START + timedelta(days=day), f"day-{day}", 0.0, None), low=0.5, side="low", score=3.0
        )

    def deviation(first: int, last: int, over: int) -> Episode:
        began = verdict(first)
        return Episode("low", began, began, verdict(last), began, persistent=True, over=verdict(over))

    found: dict[int, list[Episode]] = {}
    for site in range(draw(st.integers(1, 6))):
        ends = sorted(draw(st.lists(st.integers(0, 40), min_size=3, max_size=6, unique=True)))
        found[site] = [deviation(*ends[:3])]
        if len(ends) == 6:
            found[site].append(deviation(*ends[3:]))
        elif draw(st.booleans()):
            found[site] = [replace(found[site][0], over=None)]
    return found


@settings(max_examples=200, deadline=None)
@given(found=deviations(), share=st.sampled_from([0.2, 0.5, 1.0]), days=st.integers(1, 10))
def test_days_of_a_group_by_counting_each_day(
    found: dict[int, list[Episode]], share: float, days: int
) -> None:
    """The rule as it is written, day by day."""
    until, of = START + timedelta(days=40), 6

    def is_outside(one: Episode, day: datetime) -> bool:
        if day < one.first.point.at:
            return False
        if one.over is None:
            return True
        end = max(one.over.point.at, one.last.point.at + timedelta(days=days))
        return day < end

    made = group_episodes(found, of, until, GroupPolicy(share=share, days=days, least=2))
    needed = max(2, -(-int(share * of * 10) // 10))
    for number in range(41):
        day = START + timedelta(days=number)
        count = sum(any(is_outside(one, day) for one in some) for some in found.values())
        inside = [
            each for each in made
            if each.episode.first.point.at <= day
            and (each.episode.over is None or day < each.episode.over.point.at)
        ]  # fmt: skip
        assert len(inside) == (count >= needed), f"day {number}: {count} of {needed}"
        if inside:
            assert inside[0].count >= needed
    for each in made:
        assert each.episode.first.point.at <= each.episode.last.point.at
