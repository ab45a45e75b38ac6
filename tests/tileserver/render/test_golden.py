"""Whoever changes a picture's pixels has to raise the revision of the rendering, which ETags know."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tileserver.render import golden
from tileserver.render.fingerprint import REVISION
from tileserver.render.plan import RenderRequest

PICTURES = golden.pictures()
HOW = (
    "raise REVISION in tileserver/render/fingerprint.py, or clients keep the old picture, "
    "then run: python -m tests.tileserver.render.golden"
)


def test_the_pictures_are_those_of_this_revision() -> None:
    revision, old = golden.kept()
    assert revision == REVISION, "the revision is another; run: python -m tests.tileserver.render.golden"
    assert set(old) == set(PICTURES), "the pictures are others; run: python -m tests.tileserver.render.golden"


@pytest.mark.parametrize("name", PICTURES)
def test_the_pixels_are_those_of_this_revision(name: str) -> None:
    reason = golden.difference(name, golden.kept()[1][name], PICTURES[name]())
    assert reason is None, f"{reason}: {HOW}"


@pytest.mark.parametrize("extension", ["png", "webp"])
def test_a_slight_change_is_seen(extension: str) -> None:
    """A stretch that is one hundredth wider."""
    name = f"optical.{extension}"
    wider = RenderRequest(
        bands=("B04", "B03", "B02"), unscale=True, rescale=((0.0, 0.303),) * 3, resampling="bilinear"
    )
    changed = golden._rendered(golden._optical(), extension, wider)
    same = golden.difference(name, golden.kept()[1][name], PICTURES[name]())
    assert same is None
    assert golden.difference(name, golden.kept()[1][name], changed) is not None


def test_a_pixel_that_is_rounded_otherwise_is_no_change() -> None:
    old = golden.kept()[1]["optical.png"]
    new = old.copy()
    new[0, 0, 0] = new[0, 0, 0] + np.uint8(1) if new[0, 0, 0] < 255 else 254
    assert golden.difference("optical.png", old, new) is None
