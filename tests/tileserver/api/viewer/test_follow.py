"""The page of geoservices, and what its list is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tileserver.api.geoservices.test_rights import add_alert
from tests.tileserver.conftest import Server
from tests.tileserver.people import DEFINITION, house
from tileserver.store.geoservices import find_geoservice


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A folder of a built viewer with the page in two languages."""
    folder = tmp_path / "static"
    (folder / "follow").mkdir(parents=True)
    (folder / "index.html").write_text("viewer")
    for name, word in {"index.html": "plain", "index.en.html": "hello", "index.fr.html": "bonjour"}.items():
        (folder / "follow" / name).write_text(f"<!doctype html>{word}")
    return folder


def test_the_page_comes_with_the_viewers_headers_in_the_readers_language(
    archives: Path, static: Path, tmp_path: Path
) -> None:
    client = house(archives, tmp_path, static=static).app.test_client()
    page = client.get("/follow", headers={"Accept-Language": "fr-SN"})
    assert page.text == "<!doctype html>bonjour"
    viewer = client.get("/")
    for name in ("Content-Security-Policy", "Cache-Control"):
        assert page.headers[name] == viewer.headers[name]
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "Accept-Language" in page.headers["Vary"]
    again = client.get("/follow", headers={"If-None-Match": page.headers["ETag"], "Accept-Language": "fr"})
    assert again.status_code == 304
    assert client.get("/viewer-config.json").get_json()["geoservices"] is True


def test_its_relative_addresses_hold_whether_or_not_one_types_a_slash(
    archives: Path, static: Path, tmp_path: Path
) -> None:
    client = house(
        archives, tmp_path, static=static, public_url="https://eo.example.org/tiles"
    ).app.test_client()
    answer = client.get("/follow/")
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://eo.example.org/tiles/follow")


def test_there_is_no_page_without_geoservices_nor_without_a_built_viewer(
    server: Server, archives: Path, static: Path, tmp_path: Path
) -> None:
    plain = server(archives, static=static)
    assert [plain.get(path).status_code for path in ("/follow", "/follow/", "/follow.html")] == [404] * 3
    assert plain.get("/viewer-config.json").get_json()["geoservices"] is False
    assert house(archives, tmp_path).app.test_client().get("/follow").status_code == 503


def test_the_list_counts_alerts_that_one_may_see(archives: Path, tmp_path: Path) -> None:
    made = house(archives, tmp_path)
    owner, nobody = made.enter("owner@example.org"), made.nobody()
    for slug in ("fields", "quiet"):
        answer = owner.send("POST", "/geoservices", {**DEFINITION, "slug": slug, "visibility": "public"})
        assert answer.status_code == 201, answer.text
    with made.database.writing() as connection:
        one = find_geoservice(connection, "fields")
        assert one
        add_alert(connection, one.id, one.site, "candidate", "confirmed", "closed")
        add_alert(connection, one.id, one.site, "dismissed")
        add_alert(connection, one.id, one.site, "candidate")

    def counted(caller: object) -> dict[str, int]:
        rows = caller.get("/geoservices").json["geoservices"]  # type: ignore[attr-defined]
        return {each["slug"]: each["open_alerts"] for each in rows}

    assert counted(owner) == {"fields": 1, "quiet": 0}
    assert counted(nobody) == {"fields": 0, "quiet": 0}
    with made.database.writing() as connection:
        connection.exec_driver_sql("UPDATE alert SET state = 'closed'")
        add_alert(connection, one.id, one.site, "candidate", "confirmed")
    assert counted(nobody) == {"fields": 1, "quiet": 0}
    made.database.close()
