"""SSIM, MS-SSIM, edges and texture of one band, gathered strip by strip.

SSIM: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
similarity", IEEE TIP 13(4), 2004: Gaussian window of σ = 1.5 on 11×11 pixels, K1 = 0.01, K2 = 0.03; the same
as scikit-image's with `gaussian_weights=True, use_sample_covariance=False`. MS-SSIM: Wang, Simoncelli, Bovik,
"Multiscale structural similarity for image quality assessment", Asilomar 2003: five scales, each the mean of
2×2 pixels of the one before, with the paper's weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, minimum_filter1d, sobel

WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
RADIUS: Final = 5
_SIGMA: Final = 1.5
_K1: Final = 0.01
_K2: Final = 0.03

_Plane = NDArray[np.float32]


@dataclass
class _Scale:
    """Sums over the windows of one scale that are wholly valid."""

    windows: int = 0
    ssim: float = 0.0
    contrast: float = 0.0


@dataclass
class Structure:
    """Structural figures of one band.

    Attributes:
        data_range: Span of the values, SSIM's L.
    """

    data_range: float
    _scales: list[_Scale] = field(default_factory=lambda: [_Scale() for _ in WEIGHTS])
    _edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))
    _land_edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))
    _texture: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def add(
        self,
        reference: NDArray[Any],
        decoded: NDArray[Any],
        valid: NDArray[np.bool_],
        core: slice,
        land: NDArray[np.bool_] | None = None,
    ) -> None:
        """Count the windows centred in the core of a strip.

        Args:
            reference: (y, x) with rows of context; 0 where not valid.
            decoded: The same of the other version.
            valid: (y, x).
            core: Rows to count. Its start in the image and in these arrays is a multiple of 16, and there are
                80 rows of context, or the image's edge, on both sides.
            land: (rows of the core, x), clear land, of which edges are also counted apart; None: not known.
        """
        x, y = reference.astype(np.float32), decoded.astype(np.float32)
        for number, scale in enumerate(self._scales):
            if number:
                x, y, valid = _halved(x), _halved(y), _halved_mask(valid)
            rows = slice(core.start >> number, min(core.stop >> number, x.shape[0]))
            inside = whole_windows(valid, RADIUS)[rows]
            if not inside.any():
                continue
            if number == 0:
                self._add_edges(x, y, rows, inside, land)
            self._add_scale(scale, x, y, rows, inside, texture=number == 0)

    def _add_scale(
        self, scale: _Scale, x: _Plane, y: _Plane, rows: slice, inside: NDArray[np.bool_], *, texture: bool
    ) -> None:
        centre = np.float32(x.mean())  # variances of numbers far from 0 would lose digits
        x, y = x - centre, y - centre
        mean_x, mean_y = _smooth(x, rows), _smooth(y, rows)
        var_x = np.maximum(_smooth(x * x, rows) - mean_x**2, 0)
        var_y = np.maximum(_smooth(y * y, rows) - mean_y**2, 0)
        covariance = _smooth(x * y, rows) - mean_x * mean_y
        c1, c2 = (_K1 * self.data_range) ** 2, (_K2 * self.data_range) ** 2
        contrast = (2 * covariance + c2) / (var_x + var_y + c2)
        mean_x, mean_y = mean_x + centre, mean_y + centre
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        scale.windows += int(np.count_nonzero(inside))
        scale.contrast += float(contrast[inside].sum(dtype=np.float64))
        scale.ssim += float((luminance * contrast)[inside].sum(dtype=np.float64))
        if texture:
            self._texture += [np.sqrt(var[inside]).sum(dtype=np.float64) for var in (var_x, var_y)]

    def _add_edges(
        self, x: _Plane, y: _Plane, rows: slice, inside: NDArray[np.bool_], land: NDArray[np.bool_] | None
    ) -> None:
        around = slice(max(rows.start - 1, 0), rows.stop + 1)
        here = slice(rows.start - around.start, rows.stop - around.start)
        gradients = [_gradient(plane[around])[here] for plane in (x, y)]
        self._edges += _moments(gradients[0][inside], gradients[1][inside])
        if land is not None:
            inside = inside & land
            self._land_edges += _moments(gradients[0][inside], gradients[1][inside])

    @property
    def ssim(self) -> float:
        """Mean SSIM over windows that are wholly valid; NaN without one."""
        finest = self._scales[0]
        return finest.ssim / finest.windows if finest.windows else math.nan

    @property
    def ms_ssim(self) -> float:
        """Multi-scale SSIM; NaN if no window of the coarsest scale (176 pixels) is wholly valid."""
        if not all(scale.windows for scale in self._scales):
            return math.nan
        means = [scale.contrast / scale.windows for scale in self._scales[:-1]]
        means.append(self._scales[-1].ssim / self._scales[-1].windows)
        return math.prod(float(max(mean, 0.0) ** weight) for mean, weight in zip(means, WEIGHTS, strict=True))

    @property
    def edges(self) -> float:
        """Edge preservation: correlation of the Sobel gradient magnitudes of both versions.

        After Sattar et al., "Image enhancement based on a nonlinear multiscale method", IEEE TIP 6(6), 1997,
        with the Sobel operator in the place of the Laplacian. 1: kept; NaN where the original is flat.
        """
        return _correlation(self._edges)

    @property
    def land_edges(self) -> float:
        """The same on clear land; NaN where that is not known."""
        return _correlation(self._land_edges)

    @property
    def texture(self) -> float:
        """Mean local standard deviation, decoded / original: 1 kept, below 1 smoothed, above 1 noisier."""
        original, decoded = self._texture
        return float(decoded / original) if original > 0 else math.nan


def _moments(a: NDArray[np.float64], b: NDArray[np.float64]) -> list[float]:
    return [a.size, float(a.sum()), float(b.sum()), float(a @ a), float(b @ b), float(a @ b)]


def _correlation(moments: NDArray[np.float64]) -> float:
    """Pearson's, from `_moments`; NaN where one side does not vary."""
    count, a, b, aa, bb, ab = map(float, moments)
    if not count:
        return math.nan
    var_a, var_b = max(aa - a * a / count, 0.0), max(bb - b * b / count, 0.0)
    if var_a <= 1e-9 * aa or var_b <= 1e-9 * bb:
        return 1.0 if aa == bb == ab and aa > 0 else math.nan
    return (ab - a * b / count) / math.sqrt(var_a * var_b)


def whole_windows(valid: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Where the square window of a radius lies inside the array and is wholly valid: (y, x)."""
    out = valid.astype(np.uint8)
    for axis in (0, 1):
        out = minimum_filter1d(out, 2 * radius + 1, axis=axis, mode="constant", cval=0)
    return out.view(np.bool_)


def _gradient(plane: _Plane) -> NDArray[np.float64]:
    """Magnitude of the Sobel gradient, in units of the operator's unnormalised kernels."""
    return np.asarray(np.hypot(sobel(plane, axis=0), sobel(plane, axis=1)), np.float64)


def _smooth(plane: _Plane, rows: slice) -> _Plane:
    around = slice(max(rows.start - RADIUS, 0), rows.stop + RADIUS)
    smooth = gaussian_filter(plane[around], _SIGMA, radius=RADIUS)
    return np.asarray(smooth[rows.start - around.start :][: rows.stop - rows.start], np.float32)


def _halved(plane: _Plane) -> _Plane:
    even = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25)


def _halved_mask(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    even = valid[: valid.shape[0] // 2 * 2, : valid.shape[1] // 2 * 2]
    return even[::2, ::2] & even[1::2, ::2] & even[::2, 1::2] & even[1::2, 1::2]
