"""Texts of bulletins: what is no heading, list or emphasis stays the characters that it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tileserver.watch.document.markdown import MOST_DEPTH, Block, Placeholder, blocks, placeholders

PIECES = st.sampled_from(
    ["#", "-", "*", "**", "_", "1.", "\n", "\n\n", "  ", "\\", "`", "<b>", "![x](y)", "[x](javascript:1)",
     "{{month}}", "{{value:site-1}}", "{", "}", "a", "é", "العربية", "$", "#set", "&amp;", "|", ">"]
)  # fmt: skip


def told(text: str) -> list[Block]:
    return blocks(text, lambda each: f"<{each.name}>")


def test_a_text_becomes_blocks() -> None:
    found = told("## In {{month}}\n\nA **b *c*** d\ne\n\n- one\n  - two\n\n3. three\n4. four\n\nend")
    assert [(each.kind, each.depth, each.number) for each in found] == [
        ("heading", 0, 0), ("paragraph", 0, 0), ("bullet", 1, 1), ("bullet", 2, 1),
        ("number", 1, 3), ("number", 1, 4), ("paragraph", 0, 0),
    ]  # fmt: skip
    assert found[0].runs[0].text == "In <month>"
    assert [(each.text, each.strong, each.emphasis) for each in found[1].runs] == [
        ("A ", False, False), ("b ", True, False), ("c", True, True), (" d", False, False),
        (" ", False, False), ("e", False, False),
    ]  # fmt: skip


def test_a_second_paragraph_of_an_item_is_no_item() -> None:
    assert [each.kind for each in told("- one\n\n  more\n\n- two")] == ["bullet", "paragraph", "bullet"]


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_becomes_plain_runs(text: str) -> None:
    found = told(text)
    shown = "".join(run.text for each in found for run in each.runs)
    assert all(each.depth <= MOST_DEPTH for each in found)
    for name in ("<b>", "![x](y)", "[x](javascript:1)", "&amp;"):
        assert shown.count(name) <= text.count(name), "characters stay what they are"


@given(st.text(st.characters(categories=["L", "Zs"]), max_size=200))
def test_no_letter_is_lost(text: str) -> None:
    shown = "".join(run.text for each in told(text) for run in each.runs)
    assert "".join(shown.split()) == "".join(text.split())


def test_braces_that_an_escape_has_made_are_no_placeholder() -> None:
    assert list(placeholders(r"{\{x}}")) == []
    assert told(r"{\{x}}")[0].runs[0].text == "{{x}}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{month}}", Placeholder("month")),
        ("{{ value:site-12 }}", Placeholder("value", 12)),
        ("{{usual:site-1:ndvi}}", Placeholder("usual", 1, "ndvi")),
        ("{{alerts:withdrawn}}", Placeholder("alerts", None, "withdrawn")),
    ],
)
def test_placeholders_are_of_a_list(text: str, found: Placeholder) -> None:
    assert list(placeholders(text)) == [found]


@pytest.mark.parametrize(
    "text",
    ["{{}}", "{{secret}}", "{{value}}", "{{value:site-0}}", "{{value:site-1:a:b}}", "{{alerts:all}}",
     "{{month:1}}", "{{ config.items() }}", "{{month", "{{month}} {{"],
)  # fmt: skip
def test_others_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="placeholder"):
        list(placeholders(text))
