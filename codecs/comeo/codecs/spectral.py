"""The adaptive spectral transform: a Karhunen-Loève transform of each block's own bands.

The orthonormal matrix is transmitted as the angles of its Givens rotations, eight bits each, so that what the
decoder rebuilds is orthonormal whatever the rounding; a rounded angle only costs a little decorrelation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comeo.errors import CodecError

LAG = 4  # pixels, of the differences that `fit_details` looks at
PATCH = 16

MAX_MEAN = 65504.0  # the largest half-precision number

_LEVELS = 256


@dataclass(frozen=True, slots=True)
class SpectralTransform:
    """An orthonormal change of bands, as both encoder and decoder know it.

    Attributes:
        mean: (bands,) float16, taken off before the rotation.
        angles: (bands·(bands−1)/2,) uint8, in 256ths of a half turn.
    """

    mean: NDArray[np.float16]
    angles: NDArray[np.uint8]

    @property
    def matrix(self) -> NDArray[np.float32]:
        """(components, bands), rows orthonormal, those with most in them first."""
        bands = len(self.mean)
        matrix = np.eye(bands)
        for (i, j), angle in reversed(list(zip(_elimination_order(bands), self.angles, strict=True))):
            _rotate(matrix, i, j, float(angle) * math.pi / _LEVELS)
        return matrix.astype(np.float32)

    def forward(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bands (bands, y, x) to components (bands, y, x)."""
        bands, height, width = values.shape
        centred = values.reshape(bands, -1) - self.mean.astype(np.float32)[:, None]
        return (self.matrix @ centred).reshape(bands, height, width)

    def inverse(self, components: NDArray[np.float32]) -> NDArray[np.float32]:
        """Components (components, y, x) to bands (bands, y, x): the same bits on every machine."""
        from comeo.codecs.sums import mix  # noqa: PLC0415 - numba takes a second to load

        bands, height, width = components.shape
        flat = np.ascontiguousarray(components, np.float32).reshape(bands, -1)
        values: NDArray[np.float32] = mix(flat, self.matrix, self.mean.astype(np.float32))
        return values.reshape(bands, height, width)

    def inverse_whole(self, components: NDArray[np.float32], lowest: int, highest: int) -> NDArray[np.uint16]:
        """As `inverse`, rounded half to even and brought between two numbers."""
        from comeo.codecs.sums import mix_whole  # noqa: PLC0415 - see `inverse`

        bands, height, width = components.shape
        flat = np.ascontiguousarray(components, np.float32).reshape(bands, -1)
        mean = self.mean.astype(np.float32)
        values: NDArray[np.uint16] = mix_whole(flat, self.matrix, mean, lowest, highest)
        return values.reshape(bands, height, width)

    def to_bytes(self) -> bytes:
        """Serialise: means, then angles."""
        return self.mean.astype("<f2").tobytes() + self.angles.tobytes()

    @classmethod
    def from_bytes(cls, view: memoryview, bands: int) -> tuple[SpectralTransform, memoryview]:
        """Read a transform of `bands` bands and return it with what follows.

        Raises:
            CodecError: If it is cut short or holds no finite mean.
        """
        angle_count = bands * (bands - 1) // 2
        end = 2 * bands + angle_count
        if len(view) < end:
            raise CodecError("the payload is cut short inside its spectral transform")
        mean = np.frombuffer(view[: 2 * bands], "<f2").astype(np.float16)
        if not np.isfinite(mean).all():
            raise CodecError("the payload's spectral transform has a mean that is not a number")
        angles = np.frombuffer(view[2 * bands : end], np.uint8)
        return cls(mean, angles), view[end:]


def fit(values: NDArray[np.float32], valid: NDArray[np.bool_] | None = None) -> SpectralTransform:
    """Fit the Karhunen-Loève transform of a block.

    Args:
        values: (bands, y, x).
        valid: (1 or bands, y, x); pixels with an invalid band are left out. None: all count.
    """
    mean, centred = _centred(values, valid)
    covariance = centred.astype(np.float64) @ centred.T.astype(np.float64) / centred.shape[1]
    return _from_covariance(mean, covariance)


def fit_details(
    values: NDArray[np.float32], step: float, valid: NDArray[np.bool_] | None = None
) -> SpectralTransform:
    """Fit the Karhunen-Loève transform of what changes from place to place.

    Most bits go into details, and the covariance of the block as a whole may say little of them: a cloud, or
    the way from a lake to a forest, has other colours. So the covariance is that of differences between
    pixels LAG apart, and patches count alike, unless there is less in them than the step. Components are in
    order of that. Where nothing differs it is the transform of `fit`.

    Args:
        values: (bands, y, x).
        step: Quantisation step.
        valid: As in `fit`; differences count between valid pixels.
    """
    bands = values.shape[0]
    usable: NDArray[np.bool_] = np.ones(values.shape[1:], np.bool_)
    if valid is not None:
        usable = np.asarray(valid.all(axis=0))
    covariance = np.zeros((bands, bands))
    for axis in (1, 2):
        here, there = (slice(None),) * axis + (slice(LAG, None),), (slice(None),) * axis + (slice(-LAG),)
        both = usable[here[1:]] & usable[there[1:]]
        patches = _patches((values[here] - values[there]) * both)
        each = (patches @ patches.swapaxes(1, 2)).astype(np.float64) / PATCH**2
        energy = np.trace(each, axis1=1, axis2=2) + step**2
        covariance += (each / energy[:, None, None]).sum(axis=0)
    return (
        _from_covariance(_centred(values, valid)[0], covariance) if covariance.any() else fit(values, valid)
    )


def _patches(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut (bands, y, x) into (patches, bands, PATCH²); zeros fill up the last."""
    bands, height, width = values.shape
    padded = np.pad(values, ((0, 0), (0, -height % PATCH), (0, -width % PATCH)))
    split = padded.reshape(bands, -(-height // PATCH), PATCH, -(-width // PATCH), PATCH)
    return split.transpose(1, 3, 0, 2, 4).reshape(-1, bands, PATCH * PATCH)


def _centred(
    values: NDArray[np.float32], valid: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Means (bands,) of the valid pixels, and these without it, (bands, pixels)."""
    samples = values.reshape(len(values), -1)
    if valid is not None:
        chosen = valid.all(axis=0).ravel()
        if chosen.any():
            samples = samples[:, chosen]
    mean = np.clip(samples.mean(axis=1), -MAX_MEAN, MAX_MEAN).astype(np.float16)
    return mean, samples - mean.astype(np.float32)[:, None]


def _from_covariance(mean: NDArray[np.float16], covariance: NDArray[np.float64]) -> SpectralTransform:
    _, vectors = np.linalg.eigh(covariance)
    return SpectralTransform(mean, _angles(vectors.T[::-1]))


def _elimination_order(bands: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(bands - 1) for j in range(i + 1, bands)]


def _rotate(matrix: NDArray[np.float64], i: int, j: int, angle: float) -> None:
    """Rotate columns i and j, in place."""
    cos, sin = math.cos(angle), math.sin(angle)
    column_i, column_j = matrix[:, i].copy(), matrix[:, j].copy()
    matrix[:, i] = cos * column_i - sin * column_j
    matrix[:, j] = sin * column_i + cos * column_j


def _angles(matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Factor an orthonormal matrix into rotations, each rounded before the next is found.

    Each rotation clears one element right of the diagonal, until a diagonal of ±1 is left. That diagonal is
    dropped (a component may be negated), which is why half a turn is range enough for every angle.
    """
    rest = matrix.copy()
    angles = []
    for i, j in _elimination_order(len(matrix)):
        angle = round(math.atan2(rest[i, j], rest[i, i]) * _LEVELS / math.pi) % _LEVELS
        _rotate(rest, i, j, -angle * math.pi / _LEVELS)
        angles.append(angle)
    return np.array(angles, np.uint8)
