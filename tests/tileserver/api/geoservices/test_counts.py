"""Geoservices in the server's metrics: numbers, and nobody's name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from tests.tileserver.api.geoservices.test_rights import add_alert
from tests.tileserver.people import DEFINITION, House
from tileserver.store import alerts as stored
from tileserver.store.geoservices import find_geoservice

ME = "me@example.org"


def test_alerts_are_counted_by_rule_state_and_reason(server_of: House) -> None:
    me = server_of.enter(ME)
    me.send("POST", "/geoservices", DEFINITION)
    with server_of.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        number = add_alert(connection, one.id, one.site, "candidate")
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        stored.change_alert(connection, number, {"opened": an_hour_ago})
    decided = me.send("POST", f"/alerts/{number}/decision", {"decision": "dismiss", "reason": "cloud"})
    assert decided.status_code == 200
    told = me.get("/metrics").text
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }
    assert found["comeo_geoservices", (("state", "draft"),)] == 1
    rule = (("rule", "fixed"), ("state", "dismissed"), ("verified", "holds"))
    assert found["comeo_alerts", rule] == 1
    assert found["comeo_alerts_dismissed", (("reason", "cloud"),)] == 1
    assert found["comeo_alert_decision_seconds_count", ()] == 1
    assert 3600 <= found["comeo_alert_decision_seconds_sum", ()] < 7200
    assert found["comeo_messages", (("channel", "email"), ("state", "queued"))] >= 1
    assert ME not in told
    assert '"fields"' not in told
