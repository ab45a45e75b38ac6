"""From a product at the source to a map, an alert and a bulletin behind a bad line, as operators do it."""

from __future__ import annotations

from pathlib import Path

from tools.demo_relay import DAYS, Demo

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def test_the_whole_way_of_a_scene(tmp_path: Path) -> None:
    said: list[str] = []
    demo = Demo(SAMPLES, tmp_path / "demo", said.append)
    for _ in demo.run():
        pass
    seen = demo.seen
    assert len(seen["compressed"]) == seen["relayed"] == seen["on the map"] == len(DAYS)
    assert seen["useful"] == sum(seen["compressed"])
    alert, told = seen["alert"], seen["told"]
    assert (alert["kind"], alert["first"][:10]) == ("low", "2020-06-30"), "when trees had been felled"
    assert alert["verified"] == "holds", "by the original, which only the origin has"
    assert alert["state"] == "notified"
    assert sorted(told["bulletins"]) == ["2020-07-r1/en", "2020-07-r1/fr"]
    assert len(said) == 6
