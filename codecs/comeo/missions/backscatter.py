"""Words of radar backscatter: its quantities and scales, and the names by which products tell theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from comeo.decibel import DECIBEL
from comeo.missions.quantity import AMPLITUDE, POWER

SIGMA0: Final = "sigma0"
GAMMA0: Final = "gamma0"
GAMMA0_RTC: Final = "gamma0-rtc"
BETA0: Final = "beta0"
BACKSCATTER: Final = (SIGMA0, GAMMA0, GAMMA0_RTC, BETA0)
SCALES: Final = (POWER, AMPLITUDE, DECIBEL)

_NOUGHT: Final = r"[ _-]?(?:0|⁰|nought|naught|zero)"
_QUANTITIES: Final = (
    (SIGMA0, re.compile(rf"(?:sigma|σ){_NOUGHT}", re.IGNORECASE)),
    (GAMMA0, re.compile(rf"(?:gamma|γ){_NOUGHT}", re.IGNORECASE)),
    (BETA0, re.compile(rf"(?:beta|β){_NOUGHT}", re.IGNORECASE)),
)
_TERRAIN: Final = re.compile(
    r"(?<![a-z])rtc(?=\d|[^a-z]|$)|terrain[ _-]?(?:flatten|normali)|(?:gamma|γ)[0⁰]?[ _-]?t(?![a-z])",
    re.IGNORECASE,
)


def _word(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(words)})(?![a-z0-9])", re.IGNORECASE)


# A logarithm comes first: "logarithmic intensity" is no power.
_SCALES: Final = (
    (DECIBEL, _word("db", "decibels?", "log", "logarithmic")),
    (AMPLITUDE, _word("amplitude", "amp")),
    (POWER, _word("power", "pow", "intensity", "linear", "lin")),
)
UNCALIBRATED: Final = re.compile(r"(?:amplitude|intensity)[ _-](VV|VH|HH|HV)(?=[ _-]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of product whose name says what its numbers are.

    Attributes:
        title: For messages.
        mark: Pattern in names of products, collections and files.
        quantity: One of `BACKSCATTER`, or empty where the name doesn't say.
        scale: One of `SCALES`.
    """

    title: str
    mark: re.Pattern[str]
    quantity: str
    scale: str


def _form(title: str, mark: str, quantity: str, scale: str) -> Form:
    return Form(title, re.compile(mark, re.IGNORECASE), quantity, scale)


# HyP3's name: gamma or sigma nought, then power, decibels or amplitude, then its other options.
_HYP3: Final = r"_RTC\d\d_G_{}{}[uw][nf][ec][dm](?:_|$)"
_NRB: Final = r"-nrb-.*-{}-{}$"
FORMS: Final = (
    *(
        _form("HyP3", _HYP3.format(quantity[0], letter), quantity, scale)
        for quantity, letter, scale in (
            (GAMMA0_RTC, "p", POWER), (GAMMA0_RTC, "d", DECIBEL), (GAMMA0_RTC, "a", AMPLITUDE),
            (SIGMA0, "p", POWER), (SIGMA0, "d", DECIBEL), (SIGMA0, "a", AMPLITUDE),
        )
    ),
    *(
        _form("S1-NRB", _NRB.format(quantity[0], word), quantity, scale)
        for quantity, word, scale in (
            (GAMMA0_RTC, "lin", POWER), (GAMMA0_RTC, "log", DECIBEL),
            (SIGMA0, "lin", POWER), (SIGMA0, "log", DECIBEL),
        )
    ),
    _form("OPERA RTC-S1", r"OPERA_L2_RTC-S1(?!-STATIC)", GAMMA0_RTC, POWER),
    _form("Planetary Computer RTC", r"^sentinel-1-rtc$|\.rtc$|S1[A-D]_.*_rtc$", GAMMA0_RTC, POWER),
    _form("a mosaic of the Copernicus Data Space", r"Sentinel-1_(?:IW|DH)_mosaic_", "", POWER),
    _form("Earth Engine's S1_GRD_FLOAT", r"COPERNICUS[/_]S1_GRD_FLOAT", SIGMA0, POWER),
    _form("Earth Engine's S1_GRD", r"COPERNICUS[/_]S1_GRD(?!_FLOAT)", SIGMA0, DECIBEL),
)  # fmt: skip
GEOCODED: Final = re.compile(r"[_.]rtc(?:[_./]|$)|_RTC\d\d_|RTC-S1|[_-]NRB[_-]", re.IGNORECASE)
"""In names of products, and of files in them, that lie on a map although their folders are those of a GRD."""

_OPERA: Final = re.compile(r"OPERA_L2_RTC-S1_T(\d{3})-(\d{6})-(IW\d)_", re.IGNORECASE)
_MODE: Final = re.compile(
    r"(?:^|[_-])S1[A-D][_-](IW|EW|S[1-6])(?:[_-](GRD)[FHM]?|[_-](NRB)|[_-]\d{8}T)", re.IGNORECASE
)


def form_of(names: Iterable[str]) -> Form | None:
    """The kind of product that the first telling name is of, or None."""
    return next((form for name in names for form in FORMS if form.mark.search(name)), None)


def quantity_in(texts: Iterable[str]) -> str:
    """The quantity that the first telling text names, flattened terrain by any of them; empty for none."""
    texts = list(texts)
    found = next((name for text in texts for name, mark in _QUANTITIES if mark.search(text)), "")
    is_flattened = any(_TERRAIN.search(text) for text in texts)
    return GAMMA0_RTC if is_flattened and found in ("", GAMMA0) else found


def scale_in(texts: Iterable[str]) -> str:
    """The scale that the first telling text names; empty for none."""
    return next((name for text in texts for name, mark in _SCALES if mark.search(text)), "")


def is_uncalibrated(text: str) -> bool:
    """Whether a band's description is SNAP's for what has not been calibrated: `Amplitude_VV`."""
    return bool(UNCALIBRATED.match(text.strip()))


def name_properties(name: str) -> dict[str, str | int]:
    """STAC Item properties that the name of a product or file gives: mode, kind, orbit and burst."""
    if match := _OPERA.search(name):
        track, burst, beam = match.groups()
        return {
            "sar:instrument_mode": beam[:2].upper(), "sar:product_type": "RTC",
            "sat:relative_orbit": int(track), "s1:burst": f"T{track}-{burst}-{beam.upper()}",
        }  # fmt: skip
    if match := _MODE.search(name):
        mode, kind = match.group(1).upper(), next(filter(None, match.groups()[1:]), "").upper()
        is_mode = mode if not re.fullmatch(r"S\d", mode) else "SM"
        return {"sar:instrument_mode": is_mode} | ({"sar:product_type": kind} if kind else {})
    return {}
