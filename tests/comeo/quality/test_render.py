"""Pictures of reports: the server's own composites, of whatever bands a group has."""

from __future__ import annotations

import numpy as np

from comeo.indicators.catalogue import document
from comeo.quality.render import COMPOSITES, physical, rendering_of
from comeo.scene import Band
from tileserver.render.styles import styles_for

RADAR = (Band("VH", unit="dB"), Band("VV", unit="dB"))
OPTICAL = tuple(Band(name, 1e-4, -0.1, "reflectance") for name in ("B02", "B03", "B04", "B8A"))


def test_reports_show_what_the_server_shows() -> None:
    for bands, names in ((RADAR, ["radar"]), (OPTICAL, ["true-color", "false-color"])):
        found = [each for each in (rendering_of(each, bands) for each in COMPOSITES) if each]
        assert [each.document.id for each in found] == names
        for each in found:
            style = styles_for(bands)[each.document.id]
            assert (style.expression, style.rescale) == (each.expression.text, each.indicator.rescale)


def test_radar_is_shown_as_both_polarisations_and_their_ratio() -> None:
    radar = rendering_of(document("radar"), RADAR)
    assert radar is not None
    assert radar.places == (1, 0)
    shown = radar.brightness(np.array([[[-11.0, 0.0]], [[-17.0, -40.0]]], np.float32))
    np.testing.assert_allclose(shown[:, 0, 0], [0.5, 0.5, 4 / 14], atol=1e-6)
    np.testing.assert_allclose(shown[:, 0, 1], [1, 0, 1])


def test_stored_numbers_without_a_unit_are_not_shown() -> None:
    assert [rendering_of(each, [Band(name) for name in ("B02", "B03", "B04")]) for each in COMPOSITES] == [
        None
    ] * len(COMPOSITES)


def test_physical_values() -> None:
    values = physical(np.full((4, 1, 1), 3000, np.uint16), OPTICAL)
    np.testing.assert_allclose(values, 0.2, atol=1e-6)
