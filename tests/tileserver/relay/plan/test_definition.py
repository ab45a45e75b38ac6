"""RELAY.toml: what is read of it, and what is said of what is wrong in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comeo.errors import ComeoError
from tileserver.relay.plan.definition import LAYERS, parse_definition, read_definition, size_of

KEY = "ed25519:" + "A" * 43 + "="
WHOLE = f"""
folder = "relay"
drops = "keep-days 30"
[origin]
url = "https://origin.example.org/comeo"
key = "{KEY}"
[[subscription]]
name = "ministry sites"
priority = 10
collections = ["sentinel-2-l2a", "sentinel-1-rtc"]
area = "sites:forest-watch"
since = 2015-01-01
max_cloud_over_area = 0.5
layers = ["area"]
bands = ["B04", "B08", "VV", "VH"]
keep = "2y"
fade = "coarse"
[[subscription]]
name = "box"
area = [9.0, 45, 10, 46]
[link]
timezone = "Africa/Abidjan"
windows = [ {{ days = "fri-mon", from = "23:00", to = "05:00", kbps = 2000, price = 1.5 }}, {{ kbps = 64 }} ]
daily = "300 MB"
monthly = "6 GB"
reserve_for_alerts = "10 %"
[disk]
most = "64G"
"""


def test_what_is_written_is_read() -> None:
    found = parse_definition(WHOLE)
    sites, box = found.subscriptions
    assert found.origins[0].url == "https://origin.example.org/comeo"
    assert sites.layers == ("head", "area")
    assert (sites.keep, box.keep) == (730, None)
    assert box.layers == LAYERS
    assert box.area == (9, 45, 10, 46)
    night, trickle = found.link.windows
    assert night.days == {4, 5, 6, 0}
    assert (night.begin, night.end, night.kbps, night.price) == (1380, 300, 2000, 1.5)
    assert trickle.days == set(range(7))
    assert (found.link.daily, found.link.monthly) == (300_000_000, 6_000_000_000)
    assert found.link.reserve_for_alerts == pytest.approx(0.1)
    assert found.disk.most == 64_000_000_000
    assert found.drops == timedelta(days=30)


def test_several_origins_are_a_list() -> None:
    two = WHOLE.replace("[origin]", "[[origin]]") + f'[[origin]]\nurl = "file:///media/usb"\nkey = "{KEY}"\n'
    assert [each.url for each in parse_definition(two).origins][1] == "file:///media/usb"
    bucket = two.replace("file:///media/usb", "s3://scenes/africa")
    assert parse_definition(bucket).origins[1].url == "s3://scenes/africa"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('folder = "relay"', "", "RELAY.toml: folder is missing"),
        ("priority = 10", "priorty = 10", "RELAY.toml: subscription[1].priorty is not known here"),
        ('"area"]', '"sharp"]', "subscription[1].layers: 'sharp' is no layer; there are head, coarse"),
        (
            '"sites:forest-watch"',
            '"Ivory Coast"',
            "subscription[1].area: 'Ivory Coast' is no area; give [west",
        ),
        ('"sites:forest-watch"', '"country:"', "subscription[1].area: 'country:' names no countries; write"),
        ('"sites:forest-watch"', '"sites:a b"', "subscription[1].area: 'sites:a b' is no geoservice"),
        ("[9.0, 45, 10, 46]", "[9.0, 46, 10, 45]", "subscription[2].area: the box is empty; its order is"),
        ('"300 MB"', '"300 Mbit"', "link.daily: '300 Mbit' is no size; write one as 300 MB or 6 GB"),
        (
            '"23:00"',
            '"25:00"',
            "link.windows[1].from: '25:00' is no time of day; write one as 23:00, in quot",
        ),
        (', to = "05:00"', "", "link.windows[1]: give both from and to, or neither"),
        ('"fri-mon"', '"Freitag"', "link.windows[1].days: 'freitag' are no days; write them as mon-fri or"),
        ('"Africa/Abidjan"', '"GMT+25"', "link.timezone: 'GMT+25' is no time zone; write one as Africa/Abid"),
        ('"2y"', '"two years"', "subscription[1].keep: 'two years' is no span of time; write one as 90d"),
        ('"10 %"', '"some"', "link.reserve_for_alerts: 'some' is no share; write one as 10 % or 0.1"),
        ('"keep-days 30"', '"never"', "drops: 'never' is not known; write mirror, keep, or keep-days 30"),
        ('"keep-days 30"', "30", "drops: '30' is not known; write mirror, keep, or keep-days 30"),
        ('name = "box"', 'name = "ministry sites"', "the file: two subscriptions have one name"),
        ("ed25519:", "rsa:", "origin[1].key: String should match"),
        ("https://origin", "ftp://origin", "origin[1].url: String should match"),
        ("[disk]", "[disk", "RELAY.toml is not TOML"),
        ('daily = "300 MB"', "daily = true", "link: daily is a number or a text, not true"),
        ('keep = "2y"', "keep = true", "subscription[1]: keep is a number or a text, not true"),
        ("since = 2015-01-01", "since = 0", "subscription[1].since: 0 is no date; write one as 2015-01-01"),
        ('keep = "2y"', 'until = "May"', "subscription[1].until: 'May' is no date; write one as 2015-01-01"),
        (
            "since = 2015-01-01",
            "since = 2026-05-01\nuntil = 2026-04-30T12:00:00Z",
            "subscription[1]: until is not later than since, so that nothing is wanted",
        ),
    ],
)
def test_a_fault_is_one_sentence_with_its_key(old: str, new: str, said: str) -> None:
    assert old in WHOLE
    with pytest.raises(ComeoError, match=r"^RELAY\.toml") as caught:
        parse_definition(WHOLE.replace(old, new))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ComeoError, match="cannot be read: No such file"):
        read_definition(tmp_path / "RELAY.toml")
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ComeoError, match=r"a\.toml is not UTF-8"):
        read_definition(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_bytes(b"#" * (1 << 20 | 1))
    with pytest.raises(ComeoError, match="is larger than"):
        read_definition(tmp_path / "b.toml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(ComeoError):
        parse_definition(text)


@given(st.integers(1, 10**6), st.sampled_from(["B", "kB", "MB", "GB", "k", "M", "G", ""]))
def test_sizes_are_decimal(count: int, unit: str) -> None:
    factor = {"": 1, "B": 1, "k": 10**3, "M": 10**6, "G": 10**9}[unit.removesuffix("B") or unit]
    assert size_of(f"{count} {unit}") == count * factor
