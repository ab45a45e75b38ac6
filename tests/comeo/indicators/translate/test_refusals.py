"""What other languages say and documents do not, and the other way round: refused with line and reason."""

from __future__ import annotations

import json

import pytest

from comeo.indicators.translate import TranslationError, export_document, import_document
from tests.comeo.indicators.translate import made

SCRIPT = """//VERSION=3
function setup() { return { input: ["B04", "B08", "SCL", "dataMask"], output: { bands: 1 } }; }
function evaluatePixel(s) {
  BODY
}
"""


def script(body: str) -> str:
    return SCRIPT.replace("BODY", body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("for (let i = 0; i < 3; i++) {} return [1];", "line 4: a loop"),
        ("let v = 0;\n  while (true) { v = 1; }\n  return [v];", "line 5: a loop"),
        ("return [s.B04 +];", "line 4: this is not JavaScript"),
        ("return [s.B04 + x];", "line 4: x is unknown"),
        ("return [Math.random()];", "line 4: the member random"),
        ("return [s.B11];", "the band B11 is not in the input"),
        ("return [s.SCL == 4 ? s.B04 : NaN];", "SCL 4 is kept and 5 is not"),
        ("return [s.SCL == 3 ? s.B04 : s.B08];", "SCL chooses between formulas"),
        ("return [fetch('x')];", "line 4: fetch is unknown"),
        ("return [evaluatePixel(s)];", "deep"),
        ("return [1];", "no band is named"),
        ("return { a: [s.B04], b: [s.B08] };", "2 outputs"),
        ("s.B04 = 1; return [s.B04];", "line 4: 's.B04 = 1' has no place"),
    ],
)
def test_evalscripts(body: str, words: str) -> None:
    pytest.importorskip("tree_sitter")
    with pytest.raises(TranslationError, match=words):
        import_document(script(body), "evalscript")


@pytest.mark.parametrize(
    ("body", "formula", "valid", "keep"),
    [
        ("return [index(s.B08, s.B04)];", "nd(B08, B04)", None, None),
        ("if (s.dataMask == 0) return [NaN];\n return [s.B08];", "B08", None, None),
        ("if (s.B04 <= 0) { return [NaN]; } else { return [s.B08]; }", "B08", "not B04 <= 0", None),
        ("let v = s.B08; if (v > 1) { v = 1; } return [v];", "if_(B08 > 1, 1, B08)", None, None),
        ("return { default: [s.B08], dataMask: [[8, 9, 3, 2, 1, 7, 10, 0].includes(s.SCL) ? 0 : 1] };", "B08",
         None, ["land", "water", "snow"]),
        ("const cloud = s.SCL == 8 || s.SCL == 9; return cloud ? [NaN] : [s.B04];", "B04", None,
         ["land", "water", "snow", "shadow", "thin"]),
        ("let { B04, B08 } = s; return [Math.pow(B08, 2) - B04 * 1e4 / 10000];",
         "B08 ** 2 - B04 * 10000 / 10000", None, None),
        ("return colorBlend(s.B08, [0, 0.5, 1], [[0, 0, 0], [1, 0, 0], [1, 1, 1]]);", "B08", None, None),
        ("return [2.5 * s.B04, 2.5 * s.B08, 0.5 + s.B04, s.dataMask];",
         ["2.5 * B04", "2.5 * B08", "0.5 + B04"], None, None),
    ],
)  # fmt: skip
def test_evalscripts_of_people_are_read(
    body: str, formula: str | list[str], valid: str | None, keep: list[str] | None
) -> None:
    pytest.importorskip("tree_sitter")
    document = import_document(script(body), "evalscript").document
    assert document.value.formula == formula
    assert document.value.valid == valid
    mask = document.inputs["s2"].mask
    assert (None if mask is None else mask.keep) == keep
    if "colorBlend" in body:
        assert document.display is not None
        assert document.display.rescale == (0.0, 1.0)


def test_digital_numbers_and_radar_of_evalscripts() -> None:
    pytest.importorskip("tree_sitter")
    text = """//VERSION=3
function setup() { return { input: [{ bands: ["B04"], units: "DN" }], output: { bands: 1 } } }
const evaluatePixel = s => [s.B04 / 10000];"""
    document = import_document(text, "evalscript").document
    assert document.value.formula == "10000 * B04 / 10000"
    radar = (
        text.replace('"B04"', '"VV"')
        .replace("s.B04 / 10000", "10 * Math.log10(s.VV)")
        .replace("DN", "LINEAR_POWER")
    )
    assert import_document(radar, "evalscript").document.value.formula == "VV"


def graph(process: str, **arguments: object) -> str:
    load = {"process_id": "load_collection", "arguments": {"id": "SENTINEL2_L2A", "bands": ["B04", "B08"]}}
    return json.dumps({"a": load, "b": {"process_id": process, "arguments": arguments, "result": True}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "line 1: this is not JSON"),
        ("{}", "there is no process_graph"),
        (graph("run_udf", data={"from_node": "a"}), "the node b: the process run_udf"),
        (graph("aggregate_spatial", data={"from_node": "a"}), "the process aggregate_spatial"),
        (graph("ndvi", data={"from_node": "b"}), "needs itself"),
        (graph("ndvi", data={"from_node": "c"}), "there is no node c"),
        (graph("ndvi", data={"from_node": "a"}, nir="B11"), "there is no band B11"),
        (graph("save_result", data={"from_node": "a"}), "the result has 2 bands"),
        (graph("reduce_dimension", data={"from_node": "a"}, dimension="bands"), "reducer is no process_g"),
        (json.dumps({"a": {"process_id": "load_collection", "arguments": {"id": "LANDSAT8", "bands": ["B04"]},
                           "result": True}}), "LANDSAT8"),
    ],
)  # fmt: skip
def test_graphs(text: str, words: str) -> None:
    with pytest.raises(TranslationError, match=words):
        import_document(text, "openeo")


def test_ndvi_of_openeo_is_a_ratio_of_digital_numbers() -> None:
    document = import_document(graph("ndvi", data={"from_node": "a"}), "openeo").document
    made.same(
        made.evaluated(document, made.pixels()), made.evaluated(made.document("nd(B08, B04)"), made.pixels())
    )


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("ndvi(ch(B8),ch(B4))", "nd(B08, B04)"),
        ("lut(ndvi(ch(0,B8),ch(0,B4)),grey,-0.2,0.9,linear)", "nd(B08, B04)"),
        ("meanf(ch(4),ch(8))", "(10000 * B04 + 10000 * B08) / 2"),
        ("lc(0.5,ch(B4),2,ch(B8))", "0.5 * (10000 * B04) + 2 * (10000 * B08)"),
        ("cls(round(ch(B4)),7cb342/1_005b9f/2)", "round(10000 * B04)"),
        ("for(ndvi(ch(B8),ch(B4)),median,all)", "nd(B08, B04)"),
        ("dil(ch(B4))", "focal_max(10000 * B04, 1)"),
        ("arvi(ch(B8),ch(B2),ch(B4))", "nd(B08, B04 - (B02 - B04))"),
    ],
)
def test_pofml(text: str, formula: str) -> None:
    assert import_document(text, "pofml").document.value.formula == formula


def test_mask_of_pofml_is_validity() -> None:
    document = import_document("mask(ndvi(ch(B8),ch(B4)),ch(B8),500)", "pofml").document
    assert (document.value.formula, document.value.valid) == ("nd(B08, B04)", "10000 * B08 >= 500")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dispar(ch(B8),ch(B4))", "dispar: disparities"),
        ("lvl(ch(B8))", "lvl: virtual levels"),
        ("lut(ch(B8),a,0,1,linear,1,N,2)", "shadowing"),
        ("ndvi(ch(B8),\nch(1,B4))", "of one product"),
        ("ndvi(ch(B8)", "line 1: '\\)' is missing"),
        ("ndvi(ch(B8))", "ndvi takes 2 units"),
        ("foo(ch(B8))", "foo is unknown"),
        ("clip(ch(B8),geometry)", "an area is a matter of the request"),
    ],
)
def test_refusals_of_pofml(text: str, words: str) -> None:
    with pytest.raises(TranslationError, match=words):
        import_document(text, "pofml")


@pytest.mark.parametrize(
    ("language", "text", "formula"),
    [
        ("qgis", '("B08@1" - "B04@1") / ("B08@1" + "B04@1")', "(B08 - B04) / (B08 + B04)"),
        ("qgis", '"scene@3" ^ 2 ^ 3', "(B04 ** 2) ** 3"),
        ("qgis", '-"scene@1" ^ 2', "(-B02) ** 2"),
        ("qgis", '"scene@1" > 0 AND "scene@2" > 0 OR "scene@3" = 1', "B02 > 0 and (B03 > 0 or B04 == 1)"),
        ("snap", "B8 > 0.1 && !(B4 < 0.2) ? log(B8) : NaN", "log(B08)"),
        ("snap", "10 * log10(Sigma0_VV) - Sigma0_VH_db", "VV - VH"),
        ("snap", "sq(B8) + pow(B4, 2)", "B08 * B08 + B04 ** 2"),
        ("render", '{"expression": "(B08_b1-B04_b1)/(B08_b1+B04_b1)", "rescale": [[-1, 1]]}',
         "(B08 - B04) / (B08 + B04)"),
        ("render", '{"assets": ["red", "green", "blue"], "nodata": 0}', ["B04", "B03", "B02"]),
    ],
)  # fmt: skip
def test_formulas_of_programs(language: str, text: str, formula: str | list[str]) -> None:
    bands = ["B02", "B03", "B04"] if "scene@" in text else []
    assert import_document(text, language, bands).document.value.formula == formula


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("qgis", '"scene@1" / 2', "name the layer's bands in order"),
        ("qgis", '"scene@1" & 2', "line 1: '&' has no place"),
        ("snap", "B8 -\n\n* B4", "line 3: '\\*' is not expected"),
        ("snap", "foo(B8)", "the function foo is unknown"),
        ("snap", "l1_flags", "is no band of Sentinel-2"),
        ("snap", "(" * 500 + "B8" + ")" * 500, "nested deeper"),
        ("render", "[]", "a render is an object"),
        ("render", '{"expression": "B08 ^ 2"}', "a power is x \\*\\* y"),
    ],
)
def test_refusals_of_programs(language: str, text: str, words: str) -> None:
    with pytest.raises(TranslationError, match=words):
        import_document(text, language)


@pytest.mark.parametrize(
    ("language", "fields", "words"),
    [
        ("evalscript", {"formula": "focal_mean(B08, 2)"}, "no function focal_mean, which looks at windows"),
        ("openeo", {"formula": "lee(B08, 2)"}, "no function lee"),
        ("qgis", {"formula": "B08", "mask": {"keep": ["land"]}}, "QGIS knows no classes"),
        ("evalscript", {"formula": "B08", "mask": {"keep": ["land"], "buffer_m": 80}}, "take buffer_m"),
        ("openeo", {"formula": "B08", "temporal": {"window": "P1M", "statistic": "slope"}}, "slope"),
        ("openeo", {"formula": "B08", "temporal": {"window": "P3M"}}, "the window P3M"),
        ("evalscript", {"formula": "B08", "temporal": {"window": "P1M", "weights": "inverse-variance"}},
         "weights"),
        ("render", {"formula": "B08", "reference_period": {"of": "period"}}, "no reference_period"),
        ("qgis", {"formula": "floor(B08)"}, "QGIS has no function floor"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(language: str, fields: dict[str, object], words: str) -> None:
    document = made.document(str(fields.pop("formula")), **fields)
    with pytest.raises(TranslationError, match=words):
        export_document(document, language)


def test_a_text_that_doubles_at_each_step_is_refused_early() -> None:
    formula = "B08"
    for _ in range(20):
        formula = f"nd({formula}, B04)"
    document = made.document(formula)
    with pytest.raises(TranslationError, match="more than 30000 characters"):
        export_document(document, "qgis")
