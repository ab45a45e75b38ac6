"""What WMTS 1.0.0 (OGC 07-057r7) and OWS Common 1.1 (06-121r3) ask of a server, clause by clause.

`docs/conformance.md` lists the assertions by the names of these tests.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.tileserver.api.wmts.conftest import NAMESPACES, Validate, found
from tests.tileserver.places import tile_path

ZOOM, COL, ROW = (int(part) for part in tile_path(0.5, 0.5, 13).split("/"))
TILE = {
    "SERVICE": "WMTS", "REQUEST": "GetTile", "VERSION": "1.0.0", "LAYER": "optical", "STYLE": "true-color",
    "FORMAT": "image/png", "TILEMATRIXSET": "WebMercatorQuad", "TILEMATRIX": str(ZOOM), "TILEROW": str(ROW),
    "TILECOL": str(COL),
}  # fmt: skip
INFO = {**TILE, "REQUEST": "GetFeatureInfo", "INFOFORMAT": "application/json", "I": "10", "J": "20"}
CAPABILITIES = {"SERVICE": "WMTS", "REQUEST": "GetCapabilities"}


def ask(client: FlaskClient, parameters: dict[str, str], **changed: str | None) -> TestResponse:
    values = {key: value for key, value in {**parameters, **changed}.items() if value is not None}
    return client.get(f"/wmts?{urlencode(values)}")


@pytest.fixture(scope="module")
def root(client: FlaskClient, valid_capabilities: Validate) -> Any:
    answer = ask(client, CAPABILITIES)
    assert answer.status_code == 200
    return valid_capabilities(answer.data)


def refused(
    answer: TestResponse, validate: Validate, status: int, code: str, locator: str | None = None
) -> None:
    """An answer is a valid report with this code and locator, under this status, that nobody keeps."""
    assert answer.status_code == status, answer.data
    assert answer.mimetype == "application/xml"
    assert answer.headers["Cache-Control"] == "no-store"
    report = validate(answer.data)
    (exception,) = found(report, "ows:Exception")
    assert exception.get("exceptionCode") == code
    assert exception.get("locator") == locator
    assert found(report, "string(//ows:ExceptionText)")


# Clause 7.1: the service metadata document


def test_capabilities_are_valid(root: Any) -> None:
    assert root.tag == "{http://www.opengis.net/wmts/1.0}Capabilities"
    assert root.get("version") == "1.0.0"


def test_capabilities_media_type(client: FlaskClient) -> None:
    assert ask(client, CAPABILITIES).mimetype == "application/xml"
    assert ask(client, CAPABILITIES, ACCEPTFORMATS="text/xml").mimetype == "text/xml"
    assert ask(client, CAPABILITIES, ACCEPTFORMATS="text/plain").mimetype == "application/xml"


def test_service_type_and_version(root: Any) -> None:
    assert found(root, "string(//ows:ServiceType)") == "OGC WMTS"
    assert found(root, "//ows:ServiceTypeVersion/text()") == ["1.0.0"]


def test_operations_have_an_encoding(root: Any) -> None:
    names = found(root, "//ows:Operation/@name")
    assert names == ["GetCapabilities", "GetTile", "GetFeatureInfo"]
    for get in found(root, "//ows:Get"):
        encoding = found(get, "ows:Constraint[@name='GetEncoding']/ows:AllowedValues/ows:Value/text()")
        assert encoding in (["KVP"], ["RESTful"])
        href = get.get(f"{{{NAMESPACES['xlink']}}}href")
        assert href.endswith("?" if encoding == ["KVP"] else "WMTSCapabilities.xml")


def test_identifiers_are_unique(root: Any) -> None:
    layers = found(root, "//w:Layer/ows:Identifier/text()")
    assert layers == ["optical", "plain", "radar"]
    sets = found(root, "//w:Contents/w:TileMatrixSet/ows:Identifier/text()")
    assert len(sets) == len(set(sets))
    for layer in found(root, "//w:Layer"):
        styles = found(layer, "w:Style/ows:Identifier/text()")
        assert len(styles) == len(set(styles))
    for matrix_set in found(root, "//w:Contents/w:TileMatrixSet"):
        matrices = found(matrix_set, "w:TileMatrix/ows:Identifier/text()")
        assert len(matrices) == len(set(matrices)) > 5


def test_each_layer_has_one_default_style(root: Any) -> None:
    for layer in found(root, "//w:Layer[w:Style]"):
        assert len(found(layer, "w:Style[@isDefault='true']")) == 1


def test_links_lead_to_matrix_sets_and_limits_to_matrices(root: Any) -> None:
    sets = {
        found(entry, "string(ows:Identifier)"): entry for entry in found(root, "//w:Contents/w:TileMatrixSet")
    }
    links = found(root, "//w:TileMatrixSetLink")
    assert links
    for entry in links:
        matrices = found(sets[found(entry, "string(w:TileMatrixSet)")], "w:TileMatrix")
        sizes = {
            found(matrix, "string(ows:Identifier)"): (
                int(found(matrix, "string(w:MatrixHeight)")), int(found(matrix, "string(w:MatrixWidth)"))
            )
            for matrix in matrices
        }  # fmt: skip
        limits = found(entry, "w:TileMatrixSetLimits/w:TileMatrixLimits")
        assert [found(limit, "string(w:TileMatrix)") for limit in limits] == list(sizes)
        for limit in limits:
            height, width = sizes[found(limit, "string(w:TileMatrix)")]
            for name, size in (("Row", height), ("Col", width)):
                low, high = (int(found(limit, f"string(w:{end}Tile{name})")) for end in ("Min", "Max"))
                assert 0 <= low <= high < size


def test_scale_denominators_follow_the_pixel_of_028_millimetres(root: Any) -> None:
    """Clause 6.1: the matrix is as wide as its pixels, each of 0.28 mm at the scale, say."""
    metres = {"WebMercatorQuad": 1.0, "UTM32WGS84Quad": 1.0, "WorldCRS84Quad": 111_319.49079327358}
    for matrix_set in found(root, "//w:Contents/w:TileMatrixSet"):
        per_unit = metres[found(matrix_set, "string(ows:Identifier)")]
        for matrix in found(matrix_set, "w:TileMatrix"):
            scale = float(found(matrix, "string(w:ScaleDenominator)"))
            left = float(found(matrix, "string(w:TopLeftCorner)").split()[0])
            pixels = 256 * int(found(matrix, "string(w:MatrixWidth)"))
            right = left + pixels * scale * 0.28e-3 / per_unit
            middle = 500_000 if per_unit == 1.0 and abs(left) < 1e7 else 0.0
            assert (left + right) / 2 == pytest.approx(middle, abs=2e-6 * abs(left))


def test_well_known_scale_sets_are_whole_from_the_top(root: Any) -> None:
    """Annex E: at least the coarsest scales, down to some finer one."""
    known = {
        "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible": 559082264.0287178,
        "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad": 279541132.0143589,
    }
    named = found(root, "//w:Contents/w:TileMatrixSet[w:WellKnownScaleSet]")
    assert len(named) == 2
    for matrix_set in named:
        scales = [float(text) for text in found(matrix_set, "w:TileMatrix/w:ScaleDenominator/text()")]
        coarsest = known[found(matrix_set, "string(w:WellKnownScaleSet)")]
        assert scales == pytest.approx([coarsest / 2**step for step in range(len(scales))])


def test_service_metadata_url_leads_to_the_document(client: FlaskClient, root: Any) -> None:
    (href,) = found(root, "w:ServiceMetadataURL/@xlink:href")
    path = href.removeprefix("http://localhost")
    assert client.get(path).data == ask(client, CAPABILITIES).data


# OWS Common, clause 7: GetCapabilities


def test_an_address_without_a_request_is_answered_with_what_there_is(client: FlaskClient) -> None:
    """GDAL's `WMTS:http://…/wmts` asks for just that."""
    for path in ("/wmts", "/wmts/collections/optical"):
        assert client.get(path).data == client.get(f"{path}?service=WMTS&request=GetCapabilities").data
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("versions", ["1.0.0", "2.0.0,1.0.0", "9.9.9, 1.0.0"])
def test_version_is_negotiated(client: FlaskClient, versions: str) -> None:
    assert ask(client, CAPABILITIES, ACCEPTVERSIONS=versions).status_code == 200


def test_version_negotiation_fails(client: FlaskClient, valid_report: Validate) -> None:
    answer = ask(client, CAPABILITIES, ACCEPTVERSIONS="2.0.0,0.9")
    refused(answer, valid_report, 400, "VersionNegotiationFailed")


def test_sections_are_those_asked_for(client: FlaskClient, valid_capabilities: Validate) -> None:
    for wanted, tags in {
        "Contents": ["Contents"],
        "ServiceIdentification,OperationsMetadata": ["ServiceIdentification", "OperationsMetadata"],
        "Themes": [],
        "All": ["ServiceIdentification", "OperationsMetadata", "Contents"],
    }.items():
        root = valid_capabilities(ask(client, CAPABILITIES, SECTIONS=wanted).data)
        assert [child.tag.split("}")[1] for child in root] == [*tags, "ServiceMetadataURL"]


def test_unknown_section(client: FlaskClient, valid_report: Validate) -> None:
    refused(
        ask(client, CAPABILITIES, SECTIONS="Attic"), valid_report, 400, "InvalidParameterValue", "SECTIONS"
    )


def test_update_sequence(
    client: FlaskClient, root: Any, valid_capabilities: Validate, valid_report: Validate
) -> None:
    """Table 7 of OWS Common: nothing but the number for who has it, everything for who has less, no more."""
    now = int(root.get("updateSequence"))
    same = valid_capabilities(ask(client, CAPABILITIES, UPDATESEQUENCE=str(now)).data)
    assert same.get("updateSequence") == str(now)
    assert len(same) == 0
    assert len(valid_capabilities(ask(client, CAPABILITIES, UPDATESEQUENCE=str(now - 1)).data)) > 2
    refused(
        ask(client, CAPABILITIES, UPDATESEQUENCE=str(now + 1)), valid_report, 400, "InvalidUpdateSequence"
    )
    refused(
        ask(client, CAPABILITIES, UPDATESEQUENCE="x"), valid_report, 400, "InvalidParameterValue",
        "UPDATESEQUENCE",
    )  # fmt: skip


def test_missing_service(client: FlaskClient, valid_report: Validate) -> None:
    refused(ask(client, CAPABILITIES, SERVICE=None), valid_report, 400, "MissingParameterValue", "SERVICE")


def test_other_service(client: FlaskClient, valid_report: Validate) -> None:
    refused(ask(client, CAPABILITIES, SERVICE="WMS"), valid_report, 400, "InvalidParameterValue", "SERVICE")


def test_missing_request(client: FlaskClient, valid_report: Validate) -> None:
    refused(ask(client, CAPABILITIES, REQUEST=None), valid_report, 400, "MissingParameterValue", "REQUEST")


def test_unknown_operation(client: FlaskClient, valid_report: Validate) -> None:
    refused(ask(client, TILE, REQUEST="GetMap"), valid_report, 501, "OperationNotSupported", "GetMap")


# Clause 8: key-value pairs


def test_keys_have_no_case_and_no_order(client: FlaskClient) -> None:
    wanted = ask(client, TILE).data
    mixed = {key.capitalize(): value for key, value in reversed(TILE.items())}
    assert ask(client, mixed).data == wanted
    assert ask(client, {key.lower(): value for key, value in TILE.items()}).data == wanted


def test_values_have_case(client: FlaskClient, valid_report: Validate) -> None:
    refused(ask(client, TILE, LAYER="Optical"), valid_report, 400, "InvalidParameterValue", "LAYER")


def test_unknown_parameters_are_ignored(client: FlaskClient) -> None:
    assert ask(client, TILE, ELEVATION="high", DPI="96").data == ask(client, TILE).data


def test_a_parameter_given_twice_has_one_value(client: FlaskClient, valid_report: Validate) -> None:
    url = f"/wmts?{urlencode(TILE)}"
    assert client.get(f"{url}&service=WMTS").status_code == 200
    refused(client.get(f"{url}&layer=radar"), valid_report, 400, "InvalidParameterValue", "LAYER")


# Clause 7.2: GetTile


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/jpeg"])
def test_tiles_come_in_every_format_that_is_offered(client: FlaskClient, root: Any, media_type: str) -> None:
    assert media_type in found(root, "//w:Layer/w:Format/text()")
    answer = ask(client, TILE, FORMAT=media_type)
    assert answer.status_code == 200
    assert answer.mimetype == media_type


def test_tiles_are_those_of_the_map(client: FlaskClient) -> None:
    same = client.get(f"/collections/optical/tiles/WebMercatorQuad/{ZOOM}/{COL}/{ROW}.png?style=true-color")
    answer = ask(client, TILE)
    assert answer.data == same.data
    assert answer.headers["ETag"] == same.headers["ETag"]
    assert answer.headers["Cache-Control"] == same.headers["Cache-Control"]


@pytest.mark.parametrize("name", sorted(TILE))
def test_missing_tile_parameters(client: FlaskClient, valid_report: Validate, name: str) -> None:
    refused(ask(client, TILE, **{name: None}), valid_report, 400, "MissingParameterValue", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VERSION", "1.1.0"), ("LAYER", "nothing"), ("LAYER", "optical/nothing"), ("STYLE", "sepia"),
        ("STYLE", "../../etc/passwd"), ("FORMAT", "image/gif"), ("FORMAT", "png"),
        ("TILEMATRIXSET", "NZTM2000Quad"), ("TILEMATRIXSET", "UTM33WGS84Quad"), ("TILEMATRIX", "99"),
        ("TILEMATRIX", "1.0"), ("TILEROW", "x"), ("TILEROW", "1e3"), ("TILECOL", "99999999999"),
        ("TILECOL", "٣"), ("TIME", "2020-05-02"), ("TIME", "2020-13-01"), ("TIME", "yesterday"),
        ("TIME", "2020-05-01/2020-05-10"), ("TIME", "../../2020-05-01"), ("LAYER", "x" * 600),
    ],
)  # fmt: skip
def test_invalid_tile_parameters(client: FlaskClient, valid_report: Validate, name: str, value: str) -> None:
    refused(ask(client, TILE, **{name: value}), valid_report, 400, "InvalidParameterValue", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TILEROW", "0"), ("TILEROW", "-1"), ("TILECOL", str(COL + 9)), ("TILECOL", "9999999999")],
)
def test_tile_out_of_range(client: FlaskClient, valid_report: Validate, name: str, value: str) -> None:
    refused(ask(client, TILE, **{name: value}), valid_report, 400, "TileOutOfRange", name)


@pytest.mark.parametrize("style", ["", "default"])
def test_the_default_style_needs_no_name(client: FlaskClient, style: str) -> None:
    assert ask(client, TILE, STYLE=style).data == ask(client, TILE).data


def test_time_has_a_default_and_current(client: FlaskClient, root: Any) -> None:
    (dimension,) = found(root, "//w:Layer[ows:Identifier='optical']/w:Dimension")
    assert found(dimension, "string(ows:Identifier)") == "Time"
    assert found(dimension, "string(w:Default)") == "current"
    assert found(dimension, "string(w:Current)") == "true"
    days = found(dimension, "w:Value/text()")
    assert days == ["2020-05-01", "2020-05-10", "2020-05-20"]
    unasked = ask(client, TILE).data
    assert all(ask(client, TILE, TIME=time).data == unasked for time in ("current", "default", ""))
    assert len({ask(client, TILE, TIME=day).data for day in days}) == 3
    instant = ask(client, TILE, TIME="2020-05-10T10:30:00Z").data
    assert instant == ask(client, TILE, TIME="2020-05-10").data


# Clause 7.3: GetFeatureInfo


@pytest.mark.parametrize("media_type", ["application/json", "text/html", "text/plain"])
def test_values_come_in_every_format_that_is_offered(client: FlaskClient, root: Any, media_type: str) -> None:
    assert media_type in found(root, "//w:Layer/w:InfoFormat/text()")
    answer = ask(client, INFO, INFOFORMAT=media_type)
    assert answer.status_code == 200
    assert answer.mimetype == media_type
    assert b"B04" in answer.data


@pytest.mark.parametrize("name", sorted(INFO.keys() - {"FORMAT"}))
def test_missing_info_parameters(client: FlaskClient, valid_report: Validate, name: str) -> None:
    refused(ask(client, INFO, **{name: None}), valid_report, 400, "MissingParameterValue", name)


@pytest.mark.parametrize(
    ("name", "value"), [("INFOFORMAT", "application/gml+xml"), ("I", "a"), ("J", "0x1"), ("FORMAT", "x")]
)
def test_invalid_info_parameters(client: FlaskClient, valid_report: Validate, name: str, value: str) -> None:
    refused(ask(client, INFO, **{name: value}), valid_report, 400, "InvalidParameterValue", name)


@pytest.mark.parametrize(("name", "value"), [("I", "256"), ("J", "-1"), ("J", "9999999999")])
def test_pixel_out_of_range(client: FlaskClient, valid_report: Validate, name: str, value: str) -> None:
    refused(ask(client, INFO, **{name: value}), valid_report, 400, "PointIJOutOfRange", name)


def test_info_of_a_tile_out_of_range(client: FlaskClient, valid_report: Validate) -> None:
    refused(ask(client, INFO, TILECOL="0"), valid_report, 400, "TileOutOfRange", "TILECOL")


# Clause 10: resources


def resource(root: Any, kind: str, **places: Any) -> str:
    (template,) = found(
        root, f"//w:Layer[ows:Identifier='optical']/w:ResourceURL[@resourceType='{kind}']/@template"
    )
    values = {
        "Style": "true-color", "Time": "2020-05-10", "TileMatrixSet": "WebMercatorQuad", "TileMatrix": ZOOM,
        "TileRow": ROW, "TileCol": COL, "I": 10, "J": 20, **places,
    }  # fmt: skip
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", str(value))
    assert "{" not in template
    return str(template).removeprefix("http://localhost")


def test_one_template_a_type_that_carries_the_time(root: Any) -> None:
    for layer in found(root, "//w:Layer[w:Dimension]"):
        templates = found(layer, "w:ResourceURL")
        assert [entry.get("resourceType") for entry in templates] == ["tile", "FeatureInfo"]
        assert all("{Time}" in entry.get("template") for entry in templates)


def test_a_tile_resource_is_the_tile(client: FlaskClient, root: Any) -> None:
    answer = client.get(resource(root, "tile"))
    assert answer.mimetype == "image/png"
    assert answer.data == ask(client, TILE, TIME="2020-05-10").data


def test_a_feature_info_resource_is_the_values(client: FlaskClient, root: Any) -> None:
    answer = client.get(resource(root, "FeatureInfo"))
    assert answer.mimetype == "text/html"
    assert answer.data == ask(client, INFO, TIME="2020-05-10", INFOFORMAT="text/html").data


@pytest.mark.parametrize(
    ("places", "code", "locator"),
    [
        ({"Style": "sepia"}, "InvalidParameterValue", "STYLE"),
        ({"Time": "2021-01-01"}, "InvalidParameterValue", "TIME"),
        ({"TileMatrixSet": "Nowhere"}, "InvalidParameterValue", "TILEMATRIXSET"),
        ({"TileMatrix": "99"}, "InvalidParameterValue", "TILEMATRIX"),
        ({"TileRow": "0"}, "TileOutOfRange", "TILEROW"),
        ({"TileRow": "first"}, "InvalidParameterValue", "TILEROW"),
    ],
)
def test_a_resource_that_is_not_there(
    client: FlaskClient, root: Any, valid_report: Validate, places: dict[str, str], code: str, locator: str
) -> None:
    refused(client.get(resource(root, "tile", **places)), valid_report, 404, code, locator)
