"""Random training crops, as the codec's front end would hand them to the network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.lapped import SIZE, analysis, synthesis
from comeo.codecs.learned.layout import FIRST_LAYOUT, Layout
from comeo.codecs.reduction import reduce_mean
from comeo.codecs.spectral import fit, fit_details
from comeo.decibel import reduce_power
from training.pack import HUNDREDTHS, Image

OPTICAL_STEPS = (70.0, 3000.0)  # digital numbers; ×20 to ×300 of nearly all blocks lie within
RADAR_STEPS = (150.0, 2000.0)  # hundredths of a decibel; ×20 to ×250 take 3.5 to 16 dB
DEAD_ZONE = 0.35  # of a step, that a coefficient must pass a whole number by to be rounded up


@dataclass(frozen=True, slots=True)
class CropOptions:
    """How crops are drawn.

    Attributes:
        side: Side in pixels.
        count: Crops in a batch.
        lowest_step: Smallest quantisation step, digital numbers.
        highest_step: Largest; steps are log-uniform in between.
        natural: Share of crops that take the bands of a natural group; the rest take any.
        jitter: Standard deviation of the natural logarithm of a random gain for each band.
        gamma: Standard deviation of the natural logarithm of an exponent that contrast is changed by.
        stretch: Standard deviation of the natural logarithm of a random contrast of each band of backscatter,
            in place of `jitter` and `gamma`: decibels are logarithms already, and gains of power only move
            their mean, which the spectral transform takes off.
        shrunk: Share of crops of twice the side, averaged over 2 × 2 pixels (backscatter: in power):
            overviews, coarser sensors.
        residual: Share of crops that hold what is left of some bands after their prediction from others, as
            coarser groups of a product are coded.
        layout: Of the model.
    """

    side: int
    count: int
    lowest_step: float = OPTICAL_STEPS[0]
    highest_step: float = OPTICAL_STEPS[1]
    natural: float = 0.7
    jitter: float = 0.4
    gamma: float = 0.2
    stretch: float = 0.3
    shrunk: float = 0.15
    residual: float = 0.15
    layout: Layout = FIRST_LAYOUT


def options_of(images: list[Image], side: int, count: int, layout: Layout) -> CropOptions:
    """How crops of a pack are drawn: backscatter has steps of its own."""
    radar = all(image.entry.decibels for image in images)
    low, high = RADAR_STEPS if radar else OPTICAL_STEPS
    return CropOptions(side, count, low, high, layout=layout)


@dataclass(frozen=True, slots=True)
class _Images:
    """Images that hold crops of a side, and the share of crops of each."""

    side: int
    images: list[Image]
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, images: list[Image], side: int) -> _Images | None:
        """Those of a list that hold such crops; None if none does."""
        chosen = [image for image in images if _fits(image, side)]
        if not chosen:
            return None
        weights = np.array([image.entry.weight for image in chosen])
        return cls(side, chosen, weights / weights.sum())


class CropSampler:
    """Draws batches from the images of a pack that are for training.

    Args:
        images: The pack.
        options: How to draw.
        seed: Of the random numbers.

    Raises:
        ValueError: If no image is large enough.
    """

    def __init__(self, images: list[Image], options: CropOptions, seed: int) -> None:
        self.options = options
        self.random = np.random.default_rng(seed)
        fine = _Images.of(images, options.side)
        if fine is None:
            raise ValueError(f"no image of the pack holds a crop of {options.side} pixels")
        self.fine = fine
        self.coarse = _Images.of(images, 2 * options.side)
        mixed = [image for image in images if len(image.values) > image.entry.first]
        self.mixed = _Images.of(mixed, 2 * options.side)

    def batch(self) -> NDArray[np.float32]:
        """Draw (count, components, side, side) in steps."""
        return np.stack([self._crop() for _ in range(self.options.count)])

    def _crop(self) -> NDArray[np.float32]:
        options = self.options
        low, high = np.log(options.lowest_step), np.log(options.highest_step)
        step = np.exp(self.random.uniform(low, high))
        scaled = self._scaled(step)
        transform = fit(scaled) if self.random.random() < 0.5 else fit_details(scaled, 1.0)
        components = transform.forward(scaled)
        items = options.layout.items(len(components))
        item = 0 if self.random.random() < options.natural else self.random.integers(len(items))
        chosen = components[items[item][items[item] < len(components)]]
        signs = self.random.choice([-1.0, 1.0], (len(chosen), 1, 1))
        filled = np.zeros((options.layout.components, *chosen.shape[1:]), np.float32)
        filled[: len(chosen)] = chosen * signs
        return self._turn(filled)

    def _scaled(self, step: float) -> NDArray[np.float32]:
        """Bands of a crop in steps, changed at random."""
        kind = self.random.random()
        if self.mixed is not None and kind < self.options.residual:
            image, values = self._pixels(self.mixed)
            changed = self._changed(values, step)
            return residual(changed[: image.entry.first], changed[image.entry.first :])
        if self.coarse is not None and kind > 1 - self.options.shrunk:
            image, values = self._pixels(self.coarse)
            if image.entry.decibels:
                return self._multilooked(values[self._bands(image)], step)
            return reduce_mean(self._changed(values[self._bands(image)], step), 1)
        image, values = self._pixels(self.fine)
        chosen = values[self._bands(image)]
        return self._stretched(chosen, step) if image.entry.decibels else self._changed(chosen, step)

    def _changed(self, values: NDArray[np.uint16], step: float) -> NDArray[np.float32]:
        """Values in steps, with another contrast and other gains."""
        exponent = np.exp(self.random.normal(0, self.options.gamma))
        gains = np.exp(self.random.normal(0, self.options.jitter, (len(values), 1, 1)))
        mean = values.mean(axis=(1, 2), keepdims=True) + 1
        curved = mean * (values / mean) ** exponent
        return np.asarray(curved * (gains / step), np.float32)

    def _stretched(self, values: NDArray[np.uint16], step: float) -> NDArray[np.float32]:
        """Backscatter in steps, with another contrast in each band."""
        contrast = np.exp(self.random.normal(0, self.options.stretch, (len(values), 1, 1)))
        mean = values.mean(axis=(1, 2), keepdims=True)
        return np.asarray((values - mean) * (contrast / step), np.float32)

    def _multilooked(self, values: NDArray[np.uint16], step: float) -> NDArray[np.float32]:
        """As `_stretched`, with the mean power of 2 × 2 pixels."""
        decibels = reduce_power(self._stretched(values, HUNDREDTHS), 1)
        return decibels * np.float32(HUNDREDTHS / step)

    def _pixels(self, images: _Images) -> tuple[Image, NDArray[np.uint16]]:
        """A valid crop of an image, all bands; one with invalid pixels after many misses."""
        side = images.side
        for _ in range(20):
            image = images.images[self.random.choice(len(images.images), p=images.shares)]
            height, width = image.values.shape[1:]
            if image.entry.chip:
                top = int(self.random.integers(height // side)) * side
                left = int(self.random.integers(width // side)) * side
            else:  # even corners, so that bands that were replicated from half the resolution shrink to it
                top = 2 * int(self.random.integers((height - side) // 2 + 1))
                left = 2 * int(self.random.integers((width - side) // 2 + 1))
            crop = image.values[:, top : top + side, left : left + side]
            if crop.all():
                break
        return image, crop

    def _bands(self, image: Image) -> NDArray[np.int64]:
        if self.random.random() < self.options.natural:
            return np.arange(image.entry.first)
        count = self.random.integers(1, len(image.values) + 1)
        return self.random.permutation(len(image.values))[:count]

    def _turn(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        values = np.rot90(values, int(self.random.integers(4)), axes=(1, 2))
        return values[:, :, ::-1] if self.random.random() < 0.5 else values


def residual(fine: NDArray[np.float32], coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left of coarse bands after their prediction from fine ones as these decode.

    Args:
        fine: (bands, y, x), in steps.
        coarse: (bands, y, x) on the same grid.

    Returns:
        (bands of `coarse`, y/2, x/2): the coarse bands at half the size, less a linear prediction.
    """
    transform = fit(fine)
    axis = analysis(fine.shape[1] // SIZE)
    coefficients = axis @ transform.forward(fine) @ axis.T
    coded = np.sign(coefficients) * np.floor(np.abs(coefficients) + DEAD_ZONE)
    inverse, _ = synthesis(fine.shape[1] // SIZE, 1)
    decoded = transform.inverse(inverse @ coded @ inverse.T).reshape(len(fine), -1)
    target = reduce_mean(coarse, 1)
    features = np.concatenate([decoded, np.ones((1, decoded.shape[1]), np.float32)])
    weights = np.linalg.lstsq(features.T, target.reshape(len(target), -1).T, rcond=None)[0]
    return np.asarray(target - (weights.T @ features).reshape(target.shape), np.float32)


def stream(samplers: list[CropSampler], ahead: int = 4) -> Iterator[NDArray[np.float32]]:
    """Draw from the samplers in turn, for ever, in a thread that works ahead."""
    ready: queue.Queue[NDArray[np.float32]] = queue.Queue(ahead)

    def work() -> None:
        while True:
            for sampler in samplers:
                ready.put(sampler.batch())

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()


def _fits(image: Image, side: int) -> bool:
    if image.entry.held_out or image.entry.weight == 0:
        return False
    room = min(image.entry.chip or image.values.shape[1], *image.values.shape[1:])
    return bool(room >= side)
