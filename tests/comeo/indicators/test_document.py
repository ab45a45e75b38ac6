"""Documents: what is read, what is wrong with others and where, their one form, and their own tests."""

from __future__ import annotations

import json

import pytest

from comeo.errors import ParameterError
from comeo.indicators.catalogue import Catalogue, predefined
from comeo.indicators.compiled import compile_for
from comeo.indicators.document import (
    MOST_BYTES,
    MOST_MEMBERS,
    Document,
    canonical,
    fingerprint,
    read_document,
)
from comeo.indicators.problems import DocumentError
from comeo.indicators.trials import check_published, run_tests
from comeo.scene import Band

TEXT = """pof = 1
id = "forest-vigour"
version = "1.1.0"
title = { en = "Forest vigour", fr = "Vigueur de la forêt" }

[inputs.s2]
constellation = "sentinel-2"
bands = { red = "B04", nir = ["B08", "B8A"] }
mask = { keep = ["land"], buffer_m = 80 }

[let]
ratio = "difference / total"
total = "nir + red"
difference = "nir - red"

[value]
formula = "ratio"
valid = "red > 0 and nir > 0 and total > 0.05"
range = [-1, 1]
floor_uncertainty = 0.02

[display]
rescale = [-0.2, 0.9]
colormap = "rdylgn"

[[tests]]
given = { red = 0.05, nir = 0.35 }
expect = 0.75

[[tests]]
given = { red = 0.0, nir = 0.0 }
expect = "invalid"
"""
BANDS = [Band("B04", unit="reflectance", mission="sentinel-2"), Band("B8A", unit="reflectance")]


def read(text: str) -> Document:
    return read_document(text.encode(), "toml")


def test_its_tests_pass_and_steps_may_be_in_any_order() -> None:
    document = read(TEXT)
    assert [each.passed for each in run_tests(document)] == [True, True]
    check_published(document)


def test_one_form_of_both_languages() -> None:
    document = read(TEXT)
    again = read_document(canonical(document), "json")
    assert canonical(again) == canonical(document)
    assert fingerprint(again) == fingerprint(document)
    assert run_tests(again)[0] == run_tests(document)[0]
    assert fingerprint(read(TEXT.replace("0.02", "0.03"))) != fingerprint(document)


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "words"),
    [
        ('formula = "ratio"', 'formula = "rato"', 17, "value.formula", "did you mean ratio"),
        ('total = "nir + red"', 'total = "ratio"', 11, "let", "need each other"),
        ("range = [-1, 1]", "range = [1, -1]", 19, "value.range", "less"),
        ("range = [-1, 1]", "rnge = [-1, 1]", 19, "value.rnge", "did you mean range"),
        ('keep = ["land"]', 'keep = ["lnd"]', 9, "inputs.s2.mask.keep[0]", "no class"),
        ('id = "forest-vigour"', 'id = "Forest"', 2, "id", "pattern"),
        ('version = "1.1.0"\n', "", 0, "version", "missing"),
        ("expect = 0.75", "expect = [1, 2]", 28, "tests[0].expect", "number"),
        ("red = 0.0, nir = 0.0", "red = 0.0", 31, "tests[1].given", "nir is missing"),
        ("red = 0.0, nir", "rd = 1, red = 0.0, nir", 31, "tests[1].given.rd", "no band"),
        ('"nir - red"', '"nir -* red"', 14, "let.difference", "not expected"),
        ("pof = 1", "pof = 2", 1, "pof", "1"),
        ("[-0.2, 0.9]", "[[0, 1], [0, 1]]", 23, "display.rescale", "2 ranges for 1"),
        ("[value]", "[value", 16, "", "TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, line: int, path: str, words: str) -> None:
    assert old in TEXT
    with pytest.raises(DocumentError) as caught:
        read(TEXT.replace(old, new))
    assert words in str(caught.value)
    assert caught.value.path == path
    assert (caught.value.line or _line_in(str(caught.value))) == line


def _line_in(message: str) -> int:
    return int(message.partition("at line ")[2].partition(",")[0]) if "at line " in message else 0


def test_lines_of_json() -> None:
    text = json.dumps(json.loads(canonical(read(TEXT))), indent=1).replace('"rdylgn"', "7")
    with pytest.raises(DocumentError) as caught:
        read_document(text.encode(), "json")
    assert "7" in text.split("\n")[caught.value.line - 1]
    assert caught.value.path == "display.colormap"


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"\xff", "toml"), (b"x" * (MOST_BYTES + 1), "toml"), (b"[1, 2]", "json"), (b'{"a":NaN}', "json"),
        (b'{"a":1,"a":2}', "json"), (b"[" * 60000, "json"), (b"a = " + b"[" * 60000, "toml"),
        (b"a = " + b"9" * 5000, "toml"), (b'{"a":' + b"9" * 5000 + b"}", "json"),
        (b'{"id":"\\ud800"}', "json"),
        (b"a = 1979-05-27", "toml"),
        (json.dumps({"title": {f"k{each}": 1 for each in range(MOST_MEMBERS)}}).encode(), "json"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(data: bytes, form: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(data, "toml" if form == "toml" else "json")
    assert len(str(caught.value)) < 700


def test_all_problems_of_a_document_are_told_at_once() -> None:
    text = TEXT.replace('"nir - red"', '"nir -"').replace('valid = "red >', 'valid = "rd >')
    with pytest.raises(DocumentError) as caught:
        read(text)
    assert {each.path for each in caught.value.problems} == {"let.difference", "value.valid"}


def test_a_draft_without_tests_is_not_published() -> None:
    document = read(TEXT[: TEXT.index("[[tests]]")])
    with pytest.raises(DocumentError, match="too few"):
        check_published(document)
    wrong = read(TEXT.replace("expect = 0.75", "expect = 0.74"))
    with pytest.raises(DocumentError, match=r"gives 0.75, and 0.74 is expected"):
        check_published(wrong)


def test_steps_that_grow_beyond_all_bounds_are_refused() -> None:
    steps = "\n".join(f's{n} = "s{n - 1} * s{n - 1}"' for n in range(1, 32))
    text = TEXT.replace('ratio = "difference / total"', f's0 = "nir"\n{steps}\nratio = "s31"')
    with pytest.raises(DocumentError, match="let"):
        read(text.replace('difference = "nir - red"', ""))


def test_a_scene_gives_the_first_band_that_it_has() -> None:
    indicator = compile_for(read(TEXT), BANDS)
    assert [band.name for band in indicator.sources] == ["B8A", "B04"]
    assert indicator.rescale == ((-0.2, 0.9),)
    assert indicator.mask is not None
    assert (indicator.mask.names, indicator.mask.buffer) == (("land",), 80.0)
    with pytest.raises(ParameterError, match=r"needs B04, and B08 or B8A in reflectance"):
        compile_for(read(TEXT), BANDS[:1])
    with pytest.raises(ParameterError, match=r"needs B04"):
        compile_for(read(TEXT), [Band("B04", unit="reflectance", mission="sentinel-1"), BANDS[1]])


def test_catalogues_find_the_newest_or_the_version_asked_for() -> None:
    old, new = read(TEXT), read(TEXT.replace("1.1.0", "1.10.0"))
    catalogue = Catalogue([new, old], [lambda name: old if name == "draft-1" else None])
    assert catalogue.find("forest-vigour") is new
    assert catalogue.find("forest-vigour@1.1.0") is old
    assert catalogue.find("forest-vigour@1.2.0") is None
    assert catalogue.find("draft-1") is old
    assert catalogue.all() == (new,)
    with pytest.raises(DocumentError, match="two different"):
        Catalogue([old, read(TEXT.replace("0.02", "0.03"))])


@pytest.mark.parametrize("document", predefined().all(), ids=lambda each: each.id)
def test_predefined_documents_pass_their_tests(document: Document) -> None:
    check_published(document)
    assert set(document.title) == {"en", "fr", "pt", "es", "ar"}
    assert document.reference


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('en = "Forest vigour"', 'en = "Forest\\u0000 vigour"', "title.en"),
        ('en = "Forest vigour"', 'en = "Forest\\u2028alert(1)"', "title.en"),
        ('en = "Forest vigour"', 'en = "\\u202evigour"', "title.en"),
        ('en = "Forest vigour"', 'en = "\\uffff"', "title.en"),
        ('"B8A"', '"B8A\\n"', "inputs.s2.bands.nir"),
        ("range =", 'unit = "a\\u000b"\nrange =', "value.unit"),
        ("[inputs", 'author = "a\\nb"\n[inputs', "author"),
        ("[inputs", 'description = { en = "a\\u001b[2J" }\n[inputs', "description.en"),
        ('"1.1.0"', '"01.1.0"', "version"),
        ('"1.1.0"', '"1.1.\u0660"', "version"),
    ],
)
def test_text_that_nothing_can_carry_is_refused(old: str, new: str, path: str) -> None:
    with pytest.raises(DocumentError) as error:
        read(TEXT.replace(old, new))
    assert error.value.path == path


def test_a_description_has_several_lines() -> None:
    text = TEXT.replace("[inputs", 'description = { ar = "\\u200fسطر\\nثان" }\n[inputs')
    assert read(text).description == {"ar": "\u200fسطر\nثان"}


def test_one_version_has_one_name() -> None:
    """`ndvi@01.0.0` and `ndvi@1.0.٠` found it, too: what a name means has to be one thing."""
    assert predefined().find("ndvi@1.0.0") is not None
    for name in ("ndvi@01.0.0", "ndvi@1.0.00", "ndvi@1.0.\u0660", "ndvi@1.0.0\n"):
        assert predefined().find(name) is None


def test_tests_that_take_long_are_refused() -> None:
    """100 tests of filters within filters, in 3 kB, took minutes to check."""
    test = "\n[[tests]]\ngiven = { red = 0.05, nir = 0.35 }\nexpect = 0.75\n"
    slow = TEXT.replace('"ratio"', '"lee(lee(lee(lee(lee(lee(ratio, 7), 7), 7), 7), 7), 7)"')
    read(slow)
    with pytest.raises(DocumentError, match="fewer tests") as error:
        read(slow + 98 * test)
    assert error.value.path == "tests"
    read(TEXT + 98 * test)


@pytest.mark.parametrize("path", ["title.en", "author", "value.unit", "abbreviation", "licence"])
def test_halves_of_characters_are_refused(path: str) -> None:
    """JSON can carry them, UTF-8 cannot."""
    fields = json.loads(canonical(read(TEXT)))
    name, _, inner = path.partition(".")
    if inner:
        fields[name][inner] = "\ud800"
    else:
        fields[name] = "\ud800"
    with pytest.raises(DocumentError, match=r"D800|unicode") as error:
        read_document(json.dumps(fields).encode(), "json")
    assert error.value.path == path
