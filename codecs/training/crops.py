"""Random training crops, as the codec's front end would hand them to the network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.learned.layout import FIRST_LAYOUT, Layout
from comeo.codecs.spectral import fit, fit_details
from training.pack import Image


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
        layout: Of the model.
    """

    side: int
    count: int
    lowest_step: float = 70.0
    highest_step: float = 3000.0
    natural: float = 0.7
    jitter: float = 0.35
    layout: Layout = FIRST_LAYOUT


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
        self.images = [image for image in images if _fits(image, options.side)]
        if not self.images:
            raise ValueError(f"no image of the pack holds a crop of {options.side} pixels")
        weights = np.array([image.entry.weight for image in self.images])
        self.shares = weights / weights.sum()

    def batch(self) -> NDArray[np.float32]:
        """Draw (count, components, side, side) in steps."""
        return np.stack([self._crop() for _ in range(self.options.count)])

    def _crop(self) -> NDArray[np.float32]:
        options = self.options
        values = self._pixels()
        gains = np.exp(self.random.normal(0, options.jitter, (len(values), 1, 1)))
        low, high = np.log(options.lowest_step), np.log(options.highest_step)
        step = np.exp(self.random.uniform(low, high))
        scaled = values * (gains / step).astype(np.float32)
        transform = fit(scaled) if self.random.random() < 0.5 else fit_details(scaled, 1.0)
        components = transform.forward(scaled)
        items = options.layout.items(len(components))
        item = 0 if self.random.random() < options.natural else self.random.integers(len(items))
        chosen = components[items[item][items[item] < len(components)]]
        signs = self.random.choice([-1.0, 1.0], (len(chosen), 1, 1))
        filled = np.zeros((options.layout.components, *chosen.shape[1:]), np.float32)
        filled[: len(chosen)] = chosen * signs
        return self._turn(filled)

    def _pixels(self) -> NDArray[np.uint16]:
        """A valid crop of some bands of some image; one with invalid pixels after many misses."""
        side = self.options.side
        for _ in range(20):
            image = self.images[self.random.choice(len(self.images), p=self.shares)]
            height, width = image.values.shape[1:]
            if image.entry.chip:
                top = int(self.random.integers(height // side)) * side
                left = int(self.random.integers(width // side)) * side
            else:
                top = int(self.random.integers(height - side + 1))
                left = int(self.random.integers(width - side + 1))
            crop = image.values[:, top : top + side, left : left + side]
            if crop.all():
                break
        return crop[self._bands(image)]

    def _bands(self, image: Image) -> NDArray[np.int64]:
        if self.random.random() < self.options.natural:
            return np.arange(image.entry.first)
        count = self.random.integers(1, len(image.values) + 1)
        return self.random.permutation(len(image.values))[:count]

    def _turn(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        values = np.rot90(values, int(self.random.integers(4)), axes=(1, 2))
        return values[:, :, ::-1] if self.random.random() < 0.5 else values


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
