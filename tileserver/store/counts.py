"""Geoservices in numbers, for Prometheus: alerts by rule, what became of them, and how soon.

Whoever may read the server's metrics learns nothing of a single geoservice or person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric, SummaryMetricFamily
from sqlalchemy import Connection, Select, func, select

from tileserver.store.tables import (
    alert,
    alert_event,
    geoservice,
    gs_indicator,
    message,
    observation,
)


def families(connection: Connection) -> Iterator[Metric]:
    """Metrics of a database as it is."""
    yield _gauge(connection, "comeo_geoservices", "Geoservices.", [geoservice.c.state])
    yield _gauge(connection, "comeo_observations", "Observations.", [observation.c.state])
    yield _gauge(connection, "comeo_messages", "Messages.", [message.c.channel, message.c.state])
    rule = gs_indicator.c.nominal["kind"].as_string().label("rule")
    alerts = select(rule, alert.c.state, alert.c.verified, func.count()).join_from(alert, gs_indicator)
    yield _family(
        connection, "comeo_alerts", "Alerts.", ["rule", "state", "verified"],
        alerts.group_by(rule, alert.c.state, alert.c.verified),
    )  # fmt: skip
    dismissed = select(alert.c.decision, func.count()).where(alert.c.state == "dismissed")
    yield _family(
        connection, "comeo_alerts_dismissed", "Alerts that moderators dismissed.", ["reason"],
        dismissed.group_by(alert.c.decision),
    )  # fmt: skip
    yield _delays(connection)


def _gauge(connection: Connection, name: str, words: str, by: Sequence[Any]) -> Metric:
    query = select(*by, func.count()).group_by(*by)
    return _family(connection, name, words, [each.name for each in by], query)


def _family(
    connection: Connection, name: str, words: str, labels: Sequence[str], query: Select[Any]
) -> Metric:
    family = GaugeMetricFamily(name, words, labels=labels)
    for *values, count in connection.execute(query):
        family.add_metric([str(each) for each in values], count)
    return family


def _delays(connection: Connection) -> Metric:
    """From when an alert was opened until somebody decided."""
    query = (
        select(alert.c.opened, func.min(alert_event.c.at))
        .join_from(alert, alert_event, alert_event.c.alert == alert.c.id)
        .where(alert_event.c.actor.is_not(None))
        .group_by(alert.c.id, alert.c.opened)
    )
    seconds = [(decided - opened).total_seconds() for opened, decided in connection.execute(query)]
    words = "Time from an alert to its moderator's decision."
    return SummaryMetricFamily(
        "comeo_alert_decision_seconds", words, count_value=len(seconds), sum_value=sum(seconds)
    )
