"""PDF/A of bulletins: the same bytes each time, all fonts inside, nothing that anybody wrote is markup."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tileserver.watch.bulletins import pdf
from tileserver.watch.bulletins.content import Content
from tileserver.watch.bulletins.page import Visa, bulletin_page
from tileserver.watch.bulletins.pdf import FontError, PdfError, bulletin_pdf
from tileserver.watch.words import LANGUAGES

pikepdf = pytest.importorskip("pikepdf", reason="pikepdf is not installed")
pytest.importorskip("typst", reason="Typst is not installed")
VISA = Visa("A. Moderator", datetime(2020, 8, 9, tzinfo=UTC), "Seen on the ground")


def row(site: int, value: float) -> dict[str, Any]:
    dates = [
        {"datetime": f"2020-0{month}-07T09:00:00Z", "value": value, "u": 0.02, "low": 0.6, "high": None,
         "side": "low" if month == 7 else None}
        for month in range(3, 8)
    ]  # fmt: skip
    return {
        "site": site, "dates": 3, "clear_dates": 2, "outside": 1, "value": value, "u": 0.01,
        "nominal": 0.8, "difference": -0.1, "curve": dates,
    }  # fmt: skip


def content(**changes: Any) -> Content:
    """All that a bulletin may say."""
    text = "## In {{month}}\n\n**{{value:site-1}}**, *{{alerts:opened}}*\n\n- one\n  - two\n\n1. three"
    found = {
        "format": 2, "number": "fields-2020-07-r2",
        "geoservice": {"slug": "fields", "title": {"en": "Fields", "ar": "حقول"}},
        "period": {"start": "2020-07-01T00:00:00Z", "end": "2020-08-01T00:00:00Z", "zone": "UTC"},
        "sites": [{"id": 7, "version": 1, "name": {"en": "North"}, "hectares": 1.4},
                  {"id": 9, "version": 1, "name": {"ar": "الجنوب"}, "hectares": 1234.5}],
        "indicators": [{"id": "ndvi", "version": "1.0.0", "sha256": "0", "title": {"en": "Vegetation"},
                        "unit": "", "nominal": {}, "scenes": 4, "clear_scenes": 3,
                        "ratios": [90.0, 98.0, 101.0], "sites": [row(7, 0.7), row(9, 0.75)]}],
        "ranks": {"sites": [{"site": 9, "outside": 1, "alerts": 1}],
                  "periods": [{"label": "2020-07", "outside": 2, "alerts": 1}]},
        "alerts": {"opened": 3, "confirmed": 1, "undecided": 0, "dismissed": {"cloud": 1}, "withdrawn": 1,
                   "share_withdrawn": 0.333333,
                   "list": [{"id": 1, "site": 7, "kind": "low", "severity": 2,
                             "first": "2020-07-07T09:00:00Z",
                             "last": "2020-07-09T09:00:00Z", "state": "notified", "verified": "holds",
                             "comment": "felled"}]},
        "policy": {"min_clear": 0.9, "dates": 2, "of": 3},
        "sections": [{"kind": "text", "text": {"en": text}}, {"kind": "sites", "curves": 40},
                     {"kind": "ranks", "most": 5}, {"kind": "alerts", "comments": True}, {"kind": "method"}],
        "collections": ["c"], "observations": "0",
        "erratum": {"of": "fields-2020-07-r1", "changes": [
            {"indicator": "ndvi", "site": 7, "field": "value", "before": 0.8, "after": 0.7},
            {"indicator": "ndvi", "site": 8, "field": "value", "before": 0.8, "after": None}]},
    }  # fmt: skip
    return {**found, **changes}


def many(sites: int) -> Content:
    """Of many sites, with names that HTML makes long, all of them outside all year."""
    rows = [row(number, 0.5 + number / 10_000) for number in range(sites)]
    dates = [{**rows[0]["curve"][0], "datetime": f"2020-{1 + n // 12:02}-{1 + n % 12:02}T09:00:00Z"}
             for n in range(73)]  # fmt: skip
    plain = content()
    one = plain["indicators"][0]
    places = [
        {"id": number, "version": 1, "name": {"en": "&" * 200}, "hectares": 1e6} for number in range(sites)
    ]
    alerts = {**plain["alerts"], "list": [{**plain["alerts"]["list"][0], "site": n} for n in range(sites)]}
    rows = [{**each, "curve": dates if number < 40 else []} for number, each in enumerate(rows)]
    change = {"indicator": "ndvi", "field": "value", "before": 0.8, "after": 0.7}
    erratum = {"of": "x", "changes": [{**change, "site": number} for number in range(sites)]}
    return {**plain, "sites": places, "alerts": alerts, "erratum": erratum,
            "indicators": [{**one, "id": f"n{n}", "sites": rows} for n in range(3)]}  # fmt: skip


def test_however_much_there_is_a_page_stays_light() -> None:
    page = bulletin_page(many(500), "en", VISA)
    assert 100_000 < len(page.encode()) < 300_000
    assert "100 of 500 are shown" in page
    made = bulletin_pdf(many(500), "en", VISA)
    assert len(made) < 1 << 20, "and is attached"


@pytest.mark.parametrize("locale", LANGUAGES)
def test_it_is_pdf_a(locale: str) -> None:
    with pikepdf.open(io.BytesIO(bulletin_pdf(content(), locale, VISA))) as made:
        assert made.check_pdf_syntax() == []
        assert not made.is_encrypted
        with made.open_metadata() as told:
            assert told.pdfa_status == "2B"
            assert told["xmp:CreateDate"].startswith("2020-08-09")
        assert made.Root.OutputIntents[0].S == pikepdf.Name.GTS_PDFA1
        assert str(made.Root.Lang) == locale
        assert made.Root.MarkInfo.Marked, "read aloud in its order"
        assert not {"/JavaScript", "/EmbeddedFiles"} & set(made.Root.get("/Names", {}))
        objects = [each for each in made.objects if isinstance(each, pikepdf.Dictionary)]
        fonts = [each for each in objects if each.get("/Type") == "/FontDescriptor"]
        assert fonts
        for each in fonts:
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(each.keys()), each.FontName
        actions = {str(each.S) for each in objects if each.get("/Type") == "/Action"}
        assert actions <= {"/GoTo"}


def test_two_processes_make_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import sys; from tests.tileserver.watch.bulletins.test_pdf import VISA, content\n"
        "from tileserver.watch.bulletins.pdf import bulletin_pdf\n"
        "open(sys.argv[1], 'wb').write(bulletin_pdf(content(), 'ar', VISA))"
    )
    made = []
    for name, seed in (("one", "1"), ("other", "2")):
        path = tmp_path / name
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "TZ": f"UTC-{seed}"}
        subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=environment)
        made.append(path.read_bytes())
    assert made[0] == made[1]
    assert made[0] != bulletin_pdf(content(number="fields-2020-07-r3"), "ar", VISA)


def test_what_anybody_wrote_is_no_markup() -> None:
    text = '#read("/etc/passwd") #import "@preview/cetz:0.1.0" $x$ `y` \\ @label <label> = a'
    plain = content(sections=[{"kind": "text", "text": {"en": text}}], sites=[
        {"id": 7, "version": 1, "name": {"en": "#panic()"}, "hectares": 1.0},
        {"id": 9, "version": 1, "name": {"en": "<svg>&"}, "hectares": 1.0},
    ])  # fmt: skip
    assert bulletin_pdf(plain, "en", Visa("#panic(1)", VISA.at, "*#panic(2)*")).startswith(b"%PDF-")


def test_characters_without_a_font_are_told_and_not_printed_as_boxes() -> None:
    title = {"en": "\U00012000 fields"}  # cuneiform
    try:
        made = bulletin_pdf(content(geoservice={"slug": "fields", "title": title}), "en", None)
    except FontError as error:
        assert "no font on this machine has \U00012000" in str(error)
    else:  # the machine has a font of that script
        assert made.startswith(b"%PDF-")
    with pytest.raises(FontError, match=r"no font on this machine has U\+E000"):
        bulletin_pdf(content(geoservice={"slug": "f", "title": {"en": "\ue000"}}), "en", None)


def test_it_takes_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MEMORY_BYTES", 1 << 20)
    with pytest.raises(PdfError, match="PDF"):
        bulletin_pdf(content(), "en", None)


def test_it_ends_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "geoservices").mkdir()
    (tmp_path / "geoservices" / "bulletin.typ").write_text(
        "#for a in range(9000) { for b in range(9000) { for c in range(9000) { let d = a * b } } }"
    )
    monkeypatch.setattr(pdf, "templates_folder", lambda: tmp_path)
    monkeypatch.setattr(pdf, "SECONDS", 1)
    with pytest.raises(PdfError, match="too much time or memory"):
        bulletin_pdf(content(), "en", None)


def test_it_fetches_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "geoservices").mkdir()
    (tmp_path / "geoservices" / "bulletin.typ").write_text('#import "@preview/cetz:0.3.0"')
    monkeypatch.setattr(pdf, "templates_folder", lambda: tmp_path)
    with pytest.raises(PdfError, match="cannot be set"):
        bulletin_pdf(content(), "en", None)


def test_without_typst_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "find_spec", lambda _: None)
    with pytest.raises(PdfError, match=r"pip install 'comeo\[pdf\]'"):
        bulletin_pdf(content(), "en", None)
