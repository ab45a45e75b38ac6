"""Filters by chance: what is found is what plain Python finds, and nothing is a mistake of the server.

`make fuzz` tries 100 000 of them, by `COMEO_FUZZ_FILTERS`; the suite fewer.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from random import Random
from typing import Any

from flask.testing import FlaskClient

from tests.tileserver.api.stac.cql2.evaluation import holds
from tests.tileserver.api.stac.cql2.sentences import as_text, broken, expression

CASES = int(os.environ.get("COMEO_FUZZ_FILTERS", "600"))
SEED = int(os.environ.get("COMEO_FUZZ_SEED", "0"))


def test_filters_find_what_plain_python_finds(filtered: FlaskClient) -> None:
    items: list[Any] = filtered.post("/stac/search", json={"limit": 100}).get_json()["features"]
    chance = Random(SEED)
    sizes: Counter[int] = Counter()
    for _ in range(CASES // 2):
        node = expression(chance)
        body = {"limit": 100, "fields": {"include": ["id"]}, "sortby": [{"field": "id"}]}
        text = as_text(node, chance)
        given = chance.choice(({"filter": node}, {"filter": text, "filter-lang": "cql2-text"}))
        answer = filtered.post("/stac/search", json={**body, **given})
        assert answer.status_code == 200, (text, answer.text)
        page = answer.get_json()
        expected = sorted(item["id"] for item in items if holds(node, item) is True)
        assert [item["id"] for item in page["features"]] == expected, (text, json.dumps(node))
        assert page["numberMatched"] == len(expected)
        sizes[len(expected)] += 1
    print(
        f"{sizes.total()} filters by how many of {len(items)} items they found: {dict(sorted(sizes.items()))}"
    )
    assert len(sizes) > len(items) / 2


def test_no_filter_is_a_mistake_of_the_server(filtered: FlaskClient) -> None:
    chance = Random(SEED + 1)
    asked: Counter[int] = Counter()
    for _ in range(CASES - CASES // 2):
        node = expression(chance)
        body: Any = {"limit": 1, "filter": broken(as_text(node, chance), chance), "filter-lang": "cql2-text"}
        if chance.random() < 0.4:
            body = broken(json.dumps({"limit": 1, "filter": _spoilt(node, chance)}), chance)
        data = body if isinstance(body, str) else json.dumps(body)
        answer = filtered.post(
            "/stac/search", data=data.encode(errors="replace"), content_type="application/json"
        )
        assert answer.status_code in (200, 400, 413), (data, answer.text)
        assert answer.status_code == 200 or len(answer.get_json()["detail"]) > 20
        asked[answer.status_code] += 1
    print(f"{asked.total()} broken filters: {dict(sorted(asked.items()))}")
    assert set(asked) >= {200, 400}


def _spoilt(node: Any, chance: Random) -> Any:
    """JSON with a part in the wrong place."""
    if isinstance(node, dict) and chance.random() < 0.7:
        key = chance.choice(list(node))
        return {**node, key: _spoilt(node[key], chance)}
    if isinstance(node, list) and node and chance.random() < 0.7:
        place = chance.randrange(len(node))
        return [*node[:place], _spoilt(node[place], chance), *node[place + 1 :]]
    return chance.choice(
        (None, [], {}, -1, 10**400, 1e999, "\ud800", "\0", True, [[]], node, {"property": "gsd"},
         {"op": "and"}, {"op": "not", "args": [node]}, {"timestamp": "x"}, {"bbox": [0, 0, 1, 1]},
         {"property": {}}, "x" * 2000)
    )  # fmt: skip
