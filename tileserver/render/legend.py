"""Legends of styles, as pictures."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tileserver.render.plan import palette
from tileserver.render.styles import Style

LEGEND_MEDIA_TYPE = "image/png"
WIDTH = 260
MARGIN = 6
BAR_HEIGHT = 16
LINE = 16
FONT_SIZE = 12
INK = (32, 32, 32)
PAPER = (255, 255, 255)
LONGEST = 48
"""Characters; more don't fit."""
CHANNELS = {"Red": (208, 32, 32), "Green": (32, 144, 48), "Blue": (40, 72, 208)}


def legend_size(style: Style) -> tuple[int, int]:
    """(width, height) of a style's legend in pixels, known without drawing it."""
    rows = len(style.shown) or len(style.rescale)
    body = BAR_HEIGHT + LINE if len(style.rescale) == 1 else rows * LINE
    return WIDTH, LINE + body + 3 * MARGIN


@lru_cache(maxsize=64)
def legend(style: Style) -> bytes:
    """Draw a style's legend: a bar of colours with its range, or which band or class is which colour.

    Returns:
        A PNG of `legend_size(style)`.
    """
    picture = Image.new("RGB", legend_size(style), PAPER)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(FONT_SIZE)
    pen.text((MARGIN, MARGIN), _line(style.title), INK, font)
    top = 2 * MARGIN + LINE
    if len(style.rescale) == 1:
        picture.paste(_bar(style), (MARGIN, top))
        low, high = style.rescale[0]
        below = top + BAR_HEIGHT + 1
        pen.text((MARGIN, below), f"{low:g}", INK, font)
        pen.text((WIDTH // 2, below), _line(style.unit), INK, font, anchor="ma")
        pen.text((WIDTH - MARGIN, below), f"{high:g}", INK, font, anchor="ra")
    for row, (colour, text) in enumerate(_rows(style)):
        y = top + row * LINE
        pen.rectangle((MARGIN, y + 2, MARGIN + 11, y + 13), colour, INK if style.shown else None)
        pen.text((MARGIN + 18, y), _line(text), INK, font)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _rows(style: Style) -> list[tuple[tuple[int, int, int], str]]:
    """Colours with what they stand for, of a style that is no range of one result."""
    if len(style.rescale) == 1:
        return []
    parts = zip(CHANNELS.items(), style.expression.split(";"), style.rescale, strict=False)
    bands = [
        (colour, f"{name}: {part}, {low:g} to {high:g} {style.unit}")
        for (name, colour), part, (low, high) in parts
    ]
    return [(each.colour, each.title) for each in style.shown] or bands


def _line(text: str) -> str:
    """Text as one short line: names come from archives."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:LONGEST]).strip()


def _bar(style: Style) -> Image.Image:
    """Colours of a single result from its least value to its greatest."""
    steps = np.linspace(0, 255, WIDTH - 2 * MARGIN).round().astype(np.uint8)
    colours = palette(style.colormap)[steps, :3] if style.colormap else np.stack([steps] * 3, axis=-1)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(colours, (BAR_HEIGHT, *colours.shape))))
