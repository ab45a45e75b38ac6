"""What dashboards need of alerts and series: which indicator, which collection, what happened in words."""

from __future__ import annotations

from tests.tileserver.api.geoservices.test_rights import add_alert
from tests.tileserver.people import DEFINITION, House
from tileserver.store.geoservices import find_geoservice


def test_alerts_say_their_indicator_and_what_happened_in_a_language(server_of: House) -> None:
    me = server_of.enter("owner@example.org")
    assert me.send("POST", "/geoservices", {**DEFINITION, "visibility": "public"}).status_code == 201
    with server_of.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        number = add_alert(connection, one.id, one.site, "candidate", "confirmed")
    nobody = server_of.nobody()
    (plain,) = nobody.get("/geoservices/fields/alerts").get_json()["alerts"]
    assert (plain["id"], plain["indicator"]) == (number, "ndvi")
    assert "sentences" not in plain
    (told,) = nobody.get("/geoservices/fields/alerts?lang=fr").get_json()["alerts"]
    what, since, verified = told["sentences"]
    assert "0,100 ± 0,020" in what
    assert "1 janvier 2021" in what
    assert since.startswith("Hors des valeurs nominales")
    assert verified
    (other,) = nobody.get("/geoservices/fields/alerts?lang=xx").get_json()["alerts"]
    assert "nominal values" in other["sentences"][0], "English where there are no words of a language"
    assert nobody.get("/geoservices/fields/alerts?lang=!").status_code == 422
    assert nobody.get(f"/alerts/{number}").get_json()["indicator"] == "ndvi"
