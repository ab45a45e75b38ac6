"""Bringing alerts in step with what has been observed.

Deviations are a pure function of a site's observations (`baseline`, `detect`); alerts are those of them that
were not over when the geoservice began, with what people have decided. So scenes may come late, be replaced
or go, in any order: each time what alerts should be is compared with what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection

from tileserver.errors import ConflictError
from tileserver.render.temporal import rfc3339
from tileserver.store import alerts as stored
from tileserver.store import audit
from tileserver.store.alerts import Alert, State, Verified
from tileserver.store.observed import Observed
from tileserver.store.tables import OPEN_STATES
from tileserver.watch.alerts.baseline import Side, Verdict
from tileserver.watch.alerts.counting import verdicts
from tileserver.watch.alerts.detect import GRAVE, Episode, episodes
from tileserver.watch.document import states
from tileserver.watch.document.definition import AlertPolicy
from tileserver.watch.document.rules import Rule

EVIDENCE_DATES: Final = 12
"""Last dates that an alert carries as evidence."""
Reason = Literal["cloud", "season", "harvest", "artefact", "other"]
"""Why an alert is dismissed."""
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
Decision = Literal["confirm", Reason]
UNDECIDED: Final = ("verifying", "candidate")


def reconcile(
    connection: Connection, rule: Rule, observations: Sequence[Observed], known: Sequence[Alert],
    now: datetime, told_by_group: Set[tuple[Side, datetime]] = frozenset(),
) -> None:  # fmt: skip
    """Open, go on with, close and withdraw alerts of an indicator at a site.

    Args:
        connection: In a transaction that writes.
        rule: What they are made by.
        observations: Of the site that count by the catalogue as it is, oldest first.
        known: Alerts that there are of this rule.
        now: Time.
        told_by_group: Side and first date of deviations of which an alert of the group tells.
    """
    told = verdicts(observations, rule)
    wanted = [
        (each, evidence_of(each, told, rule))
        for each in episodes(told, rule.policy)
        if each.last.point.at >= rule.start
    ]
    bring_in_step(connection, rule, wanted, known, now, told_by_group)


def bring_in_step(
    connection: Connection, rule: Rule, wanted: Sequence[tuple[Episode, Mapping[str, Any]]],
    known: Sequence[Alert], now: datetime, told_by_group: Set[tuple[Side, datetime]] = frozenset(),
) -> None:  # fmt: skip
    """Bring alerts in step with deviations of a site or a group, each with its evidence: see `reconcile`."""
    pairs = _paired([each for each, _ in wanted], known)
    evidence = {id(each): facts for each, facts in wanted}
    grounded = {alert.id for _, alert in pairs if alert is not None}
    for each in known:
        if each.id not in grounded:
            _take_back(connection, each, now)
    for episode, alert in pairs:
        facts = evidence[id(episode)]
        is_told = (episode.side, episode.first.point.at) in told_by_group
        if is_told and (alert is None or _is_of_nobody(connection, alert)):
            if alert is not None and alert.state != "withdrawn":
                move(connection, alert, "withdrawn", "an alert of the group tells of it", now)
        elif alert is None:
            _open(connection, rule, episode, facts, now)
        else:
            _go_on(connection, alert, episode, facts, now)


def _is_of_nobody(connection: Connection, alert: Alert) -> bool:
    """Whether nobody has been asked or told of an alert."""
    if alert.state not in (*UNDECIDED, "closed", "withdrawn") or _was_decided(connection, alert):
        return False
    return not stored.was_asked(connection, alert)


def _paired(wanted: Sequence[Episode], known: Sequence[Alert]) -> list[tuple[Episode, Alert | None]]:
    """Each deviation with its alert, in the order in which they can be written: only one may be open.

    What goes on chooses first, and an alert that is open is chosen first: people know of it.
    """
    left = sorted(known, key=lambda each: (not each.is_open, each.state == "withdrawn"))
    pairs: list[tuple[Episode, Alert | None]] = []
    for episode in sorted(wanted, key=lambda each: each.over is not None):
        same = next((each for each in left if _is_of(each, episode)), None)
        if same is not None:
            left.remove(same)
        pairs.append((episode, same))
    return pairs[::-1]


def _is_of(alert: Alert, episode: Episode) -> bool:
    """Whether an alert is a deviation's: they have a date in common."""
    return (
        alert.kind == episode.side
        and alert.first_at <= episode.last.point.at
        and episode.first.point.at <= alert.last_at
    )


def _fields(episode: Episode, evidence: Mapping[str, Any]) -> dict[str, Any]:
    first, last = episode.first.point, episode.last.point
    return {
        "severity": episode.worst.severity, "score": episode.worst.score,
        "first_item": first.item, "first_at": first.at, "last_item": last.item, "last_at": last.at,
        "evidence": dict(evidence),
    }  # fmt: skip


def _open(
    connection: Connection, rule: Rule, episode: Episode, evidence: Mapping[str, Any], now: datetime
) -> None:
    state: State = "candidate" if episode.persistent else "verifying"
    if episode.over is not None:  # it came and went before anybody could look
        state = "closed"
    values = {
        "geoservice": rule.geoservice, "site": rule.site, "gs_indicator": rule.gs_indicator,
        "kind": episode.side, "state": state, "opened": now, "closed": now if state == "closed" else None,
        "verified": "unknown", **_fields(episode, evidence),
    }  # fmt: skip
    made = stored.add_alert(connection, values)
    stored.add_event(connection, made, None, state, opening_words(episode, rule.policy, evidence), now)


def _go_on(
    connection: Connection, alert: Alert, episode: Episode, evidence: Mapping[str, Any], now: datetime
) -> None:
    fields = _fields(episode, evidence)
    if fields != {name: getattr(alert, name) for name in fields}:
        stored.change_alert(connection, alert.id, fields)
    after = _state_after(connection, alert, episode)
    if after == "closed" and episode.over is not None:
        move(connection, alert, after, f"inside again on {_day(episode.over)}", now)
    elif after is not None and alert.state in UNDECIDED:
        move(connection, alert, after, opening_words(episode, None, evidence), now)
    elif after is not None:
        move(connection, alert, after, "its dates count again, and it is not over", now, opened=now)


def _state_after(connection: Connection, alert: Alert, episode: Episode) -> State | None:
    """The state that a deviation brings its alert into; None if it stays. What people decided stands."""
    is_sure = episode.persistent or alert.verified == "holds"
    undecided: State = "candidate" if is_sure else "verifying"
    if alert.state == "withdrawn":
        found = undecided if episode.over is None else "closed"
        return None if alert.verified == "withdrawn" else found
    if episode.over is not None:
        return "closed" if alert.is_open else None
    if alert.state in UNDECIDED:
        return undecided if undecided != alert.state else None
    if alert.state == "closed":
        events = stored.events_of(connection, alert.id)
        if events[-1].actor is not None:
            return None
        return "notified" if any(each.after == "notified" for each in events) else undecided
    return None


def _take_back(connection: Connection, alert: Alert, now: datetime) -> None:
    """The ground of an alert has gone: a scene was withdrawn or replaced, or an earlier one came late."""
    reason = "what was observed has changed, and no longer makes an alert"
    if alert.state in UNDECIDED or (alert.state == "closed" and not _was_decided(connection, alert)):
        move(connection, alert, "withdrawn", reason, now)
    elif alert.is_open:
        move(connection, alert, "closed", reason, now)


def _was_decided(connection: Connection, alert: Alert) -> bool:
    """Whether somebody, or the rule for all, has had a say."""
    events = stored.events_of(connection, alert.id)
    return any(each.after == "confirmed" or each.actor is not None for each in events)


def move(
    connection: Connection, alert: Alert, after: State, note: str, now: datetime, actor: int | None = None,
    **fields: Any,
) -> None:  # fmt: skip
    """Bring an alert into another state, and write it down.

    Raises:
        ConflictError: If that state cannot follow, or the alert has got another one meanwhile.
    """
    states.check(states.ALERT, alert.state, after)
    closed = now if after not in OPEN_STATES else None
    if not stored.set_state(connection, alert.id, alert.state, after, {"closed": closed, **fields}):
        raise ConflictError(f"alert {alert.id} is no longer {alert.state}; look at it again")
    stored.add_event(connection, alert.id, alert.state, after, note, now, actor)


def decide(
    connection: Connection,
    alert: Alert,
    decision: Decision,
    comment: str,
    actor: int,
    now: datetime,
) -> None:
    """Write down what a moderator has decided.

    Args:
        connection: In a transaction that writes.
        alert: That is decided on.
        decision: `confirm`, or why it is dismissed.
        comment: Of the moderator, may be empty.
        actor: Id of the account.
        now: Time.

    Raises:
        ConflictError: If it is no longer to be decided on.
    """
    after: State = "confirmed" if decision == "confirm" else "dismissed"
    note = decision if not comment else f"{decision}: {comment}"
    fields = {"moderator": actor, "decision": decision, "comment": comment}
    move(connection, alert, after, note, now, actor, **fields)
    told = {"alert": alert.id, "decision": decision}
    audit.write(connection, now, actor, "alert.decided", "geoservice", alert.geoservice, **told)


def look_up(connection: Connection, alert: Alert, verified: Verified, reason: str, now: datetime) -> None:
    """Write down what the originals say of an alert, and what follows of it.

    Args:
        connection: In a transaction that writes.
        alert: It.
        verified: What they say.
        reason: One sentence.
        now: Time.
    """
    if verified == "withdrawn":
        move(connection, alert, "withdrawn", reason, now, verified=verified)
    elif verified == "holds" and alert.state == "verifying":
        move(connection, alert, "candidate", reason, now, verified=verified)
    else:
        stored.change_alert(connection, alert.id, {"verified": verified})
        stored.add_event(connection, alert.id, alert.state, alert.state, reason, now)


def sites_in(alert: Alert) -> set[int]:
    """Ids of the sites that an alert is about: one, or those of a group that are outside."""
    group = alert.evidence.get("group")
    return {each["site"] for each in group["sites"]} if group else {alert.site}


def opening_words(episode: Episode, policy: AlertPolicy | None, evidence: Mapping[str, Any]) -> str:
    """Why there is an alert."""
    if "group" in evidence:
        group = evidence["group"]
        return f"{group['count']} of {group['of']} sites outside since {_day(episode.first)}"
    if not episode.persistent:
        return f"a single date of severity {GRAVE} ({_day(episode.opening)}): to be verified on the original"
    rule = f"{policy.dates} of {policy.of}" if policy else "enough"
    return f"{rule} clear dates outside since {_day(episode.first)}"


def evidence_of(episode: Episode, told: Sequence[Verdict], rule: Rule) -> dict[str, Any]:
    """What an alert rests on: the last dates with their limits, and its rule."""
    until = [each for each in told if each.point.at <= episode.last.point.at]
    return {
        "rule": rule.nominal.model_dump(mode="json"),
        "dates": [date_facts(each) for each in until[-EVIDENCE_DATES:]],
        "worst": date_facts(episode.worst),
        "over": rfc3339(episode.over.point.at) if episode.over else None,
    }


def date_facts(verdict: Verdict) -> dict[str, Any]:
    """A date as evidence has it."""
    point = verdict.point
    return {
        "item": point.item, "datetime": rfc3339(point.at), "value": point.value, "u": point.u,
        "low": verdict.low, "high": verdict.high, "middle": verdict.middle, "spread": verdict.spread,
        "side": verdict.side, "score": verdict.score,
    }  # fmt: skip


def _day(verdict: Verdict) -> str:
    return verdict.point.at.date().isoformat()
