"""Local incidence, layover and shadow on ground of known slopes, where all can be written down."""

from __future__ import annotations

import numpy as np
import pytest

from comeo.radar.facets import Surface
from comeo.radar.terrain import layover, local_incidence, shadow
from comeo.scene import Window
from tests.comeo.radar import hills


def ridge(foot: int, top: int, back: int, height: float) -> hills.Values:
    """Heights (20, 300) of a ridge along the way: rising from `foot` to `top`, falling to `back`."""
    profile = np.interp(np.arange(300), [foot, top, back], [0, height, 0])
    return np.broadcast_to(profile, (20, 300)).copy()


def whole(surface: Surface) -> Window:
    row, col = int(surface.lines.min()) - 2, int(surface.pixels.min()) - 2
    return Window(row, col, int(surface.lines.max()) + 3 - row, int(surface.pixels.max()) + 3 - col)


@pytest.mark.parametrize("slope", [0.0, 0.3, 0.8])
def test_local_incidence_is_that_of_the_face(slope: float) -> None:
    surface = hills.seen(hills.pyramid(120, slope))
    degrees = np.radians(local_incidence(surface))
    theta, tilt = hills.incidence(surface), np.arctan(slope)
    np.testing.assert_allclose(degrees[57:64, 30:50], (theta - tilt)[57:64, 30:50], atol=2e-4)
    np.testing.assert_allclose(degrees[57:64, 70:90], (theta + tilt)[57:64, 70:90], atol=2e-4)
    aside = np.arccos(np.cos(theta) * np.cos(tilt))
    np.testing.assert_allclose(degrees[30:50, 57:64], aside[30:50, 57:64], atol=2e-4)


def test_incidence_does_not_depend_on_how_the_map_lies() -> None:
    surface = hills.seen(hills.pyramid(60, 0.4))
    turned = Surface(
        *(np.flip(getattr(surface, name), 1) for name in ("points", "sensors", "lines", "pixels"))
    )
    np.testing.assert_allclose(np.flip(local_incidence(turned), 1), local_incidence(surface), atol=1e-3)
    assert (np.flip(shadow(turned), 1) == shadow(surface)).all()
    assert (layover(turned, whole(surface)) == layover(surface, whole(surface))).all()


def test_gentle_ground_has_neither_layover_nor_shadow() -> None:
    heights = np.random.default_rng(3).normal(0, 0.5, (40, 60)) + hills.pyramid(60, 0.4)[:40]
    surface = hills.seen(heights)
    assert not layover(surface, whole(surface)).any()
    assert not shadow(surface).any()


def test_layover_reaches_from_the_top_to_the_foot() -> None:
    """Its front rises by 63° under a look of 39°: the top is nearer than the foot."""
    surface = hills.seen(ridge(100, 120, 220, 400.0))
    window = whole(surface)
    cells = np.flatnonzero(layover(surface, window)[8]) + window.col
    nearest, farthest = surface.pixels[8, 120], surface.pixels[8, 100]
    assert nearest < farthest
    assert abs(cells[0] - nearest) < 1.5
    assert abs(cells[-1] - farthest) < 1.5
    assert len(cells) == cells[-1] - cells[0] + 1


def test_shadow_reaches_to_where_the_look_over_the_top_falls() -> None:
    """Its back falls by 76° and is hidden, and the plain behind it as far as the look over the top."""
    surface = hills.seen(ridge(100, 160, 170, 400.0))
    hidden = shadow(surface)
    top = surface.points[8, 160, 0]
    end = top * hills.ALTITUDE / (hills.ALTITUDE - 400)
    inside = (surface.points[8, :, 0] > top + 40) & (surface.points[8, :, 0] < end - 40)
    outside = (surface.points[8, :, 0] < top - 5) | (surface.points[8, :, 0] > end + 40)
    assert hidden[8, inside].all()
    assert not hidden[8, outside].any()


def test_the_foot_before_a_fold_is_seen() -> None:
    """The top comes before the foot in range, but hides nothing of it."""
    surface = hills.seen(ridge(100, 120, 220, 400.0))
    assert not shadow(surface)[8, :118].any()


def test_unknown_ground_has_nothing() -> None:
    surface = hills.seen(ridge(100, 160, 170, 400.0))
    surface.lines[:] = np.nan
    assert not shadow(surface).any()
    assert not layover(surface, Window(0, 0, 5, 5)).any()
    assert np.isnan(local_incidence(surface)).all()
