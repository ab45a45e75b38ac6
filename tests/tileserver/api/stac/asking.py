"""Requests to the STAC API, as its tests make them."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient


def get(client: FlaskClient, url: str) -> Any:
    """The JSON of an answer that has to be 200."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.data[:300]
    return answer.json


def path_of(address: str) -> str:
    """An address of the server without the server."""
    assert address.startswith("http://localhost/")
    return address.removeprefix("http://localhost")


def found(client: FlaskClient, query: str) -> list[str]:
    """Ids of the Items that a search by GET finds."""
    return [item["id"] for item in get(client, f"/stac/search?{query}")["features"]]
