"""Radar: our codecs against peers, by what they leave of backscatter: python -m benchmarks.radar_rate.

Images of 512² pixels, VV and VH, in blocks of 256², and single blocks of such scenes; one quality for the
blocks of an image, found so that its payloads have a ratio; figures at just that ratio by interpolation in
the logarithm of bytes. Peers code whole hundredths of a decibel. Mean power of ours is corrected as in
archives, whose bytes are counted; PSNR is stated before that, since it rewards what the correction takes
away.
"""

from __future__ import annotations

import csv
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import imagecodecs
import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks import options
from benchmarks.rate_distortion import peers, x265
from comeo.codecs import get_codec
from comeo.codecs.learned import Model, models
from comeo.compression.corners import CornerRows, Uncorrected
from comeo.compression.encode import BlockEncoder
from comeo.decibel import to_decibels, to_power
from comeo.missions import SENTINEL1
from comeo.quality.sar.cells import homogeneous
from comeo.quality.sar.figures import power_bias, rmse, window_rmse
from comeo.quality.sar.points import peak_lost
from comeo.quality.sar.water import water_figures
from comeo.scene import Pixels

BLOCK: Final = 256
PEAK: Final = 50.0  # dB
BANDS: Final = ("VV", "VH")
_BELOW: Final = 100  # dB, added so that hundredths are positive
_HUNDREDTHS: Final = 100
_LOOK_STEP: Final = 0.25  # dB, of multilooked cells
_CLOSE: Final = 0.02  # of log2(bytes), between what figures are interpolated
_ROUNDS: Final = 9

Image = NDArray[np.float32]


class Source(NamedTuple):
    """Images of a set: files by pattern, and the upper left pixel of the block taken, None for the whole."""

    pattern: str
    corner: tuple[int, int] | None = None


class ImageSet(NamedTuple):
    """What tables are of: images, and the ratios they are measured at."""

    sources: tuple[Source, ...]
    ratios: tuple[int, ...]


SETS: Final = {
    "held out": ImageSet(
        (Source("train2_s1/sen1floods11_Somalia_*.tif"), Source("train2_s1/sen1floods11_Mekong_*.tif")),
        (50, 100, 150),
    ),
    "scenes": ImageSet(
        (Source("scenes/S1_spain_flood_VVVH_dB.tif"), Source("scenes/S1_EPSG32633_VVVH_dB.tif")),
        (50, 100, 150),
    ),
    "single blocks": ImageSet(
        (
            Source("scenes/S1_EPSG32633_VVVH_dB.tif", (0, 0)),
            Source("scenes/S1_spain_flood_VVVH_dB.tif", (0, 0)),
            Source("scenes/S1_spain_flood_VVVH_dB.tif", (256, 256)),
        ),
        (20, 50, 100, 150),
    ),
}


class Coded(NamedTuple):
    """An image as coded: bytes, (bands, y, x) dB as decoded, and the same with its mean power corrected."""

    size: int
    decoded: Image
    corrected: Image


@dataclass(frozen=True)
class Method:
    """A way to code an image; more quality is more bytes.

    Attributes:
        name: As the tables call it.
        run: Codes and decodes an image at one quality.
        low: Quality of the fewest bytes.
        high: Quality of the most.
        integer: Whether only whole qualities exist.
    """

    name: str
    run: Callable[[Image, float], Coded]
    low: float
    high: float
    integer: bool = False


class Figures(NamedTuple):
    """Of one image; pairs are of VV and VH. See `comeo.quality.sar`."""

    psnr: float
    rmse_vv: float
    rmse_vh: float
    bias_vv: float
    bias_vh: float
    cells_vv: float
    cells_vh: float
    ml8_vv: float
    ml8_vh: float
    enl: float
    points: float
    calm: float
    water: float


class Row(NamedTuple):
    """Figures of an image by a method at a ratio."""

    set: str
    image: str
    method: str
    ratio: int
    figures: Figures


def blocks_of(image: Image) -> Iterator[tuple[slice, slice, slice]]:
    """Places of an image's blocks, row by row."""
    rows, cols = (range(0, side, BLOCK) for side in image.shape[1:])
    for top, left in itertools.product(rows, cols):
        yield slice(None), slice(top, top + BLOCK), slice(left, left + BLOCK)


def ours(name: str, model: Model | None = None) -> Method:
    """One of COMEO's codecs, its payloads as in archives; the quality is −log2 of the step in dB."""
    codec = get_codec(name, model=model)

    def run(image: Image, quality: float) -> Coded:
        encode = BlockEncoder(codec, 2.0**-quality, has_nodata=False, decibels=True)
        corners, done, blocks = CornerRows(), [], []
        for place in blocks_of(image):
            pixels = Pixels(np.ascontiguousarray(image[place]), np.isfinite(image[place]))
            payload = encode(pixels)
            blocks.append(Uncorrected.of((place[1].start, place[2].start), pixels, payload, codec))
        for _, row in itertools.groupby(blocks, lambda block: block.place[0]):
            done += corners.add(list(row))
        size, decoded, corrected = 0, np.empty_like(image), np.empty_like(image)
        for block, own in (*done, *corners.last()):
            plain, payload = block.payload or b"", block.corrected(own, codec) or b""
            size += len(payload)
            top, left = block.place
            inside = slice(None), slice(top, top + BLOCK), slice(left, left + BLOCK)
            decoded[inside], corrected[inside] = codec.decode(plain), codec.decode(payload)
        return Coded(size, decoded, corrected)

    return Method(f"{name} ({model.name})" if model else name, run, -6.0, 2.0)


def peer(method: peers.Method) -> Method:
    """A peer that codes whole numbers, on hundredths of a decibel."""

    def run(image: Image, quality: float) -> Coded:
        whole = np.rint((image + _BELOW) * _HUNDREDTHS).astype(np.uint16)
        size, decoded = 0, np.empty_like(image)
        for place in blocks_of(image):
            own, pixels = method.run(np.ascontiguousarray(whole[place]), quality)
            size += own
            decoded[place] = pixels / _HUNDREDTHS - _BELOW
        return Coded(size, decoded, decoded)

    return Method(method.name, run, method.low, method.high, method.integer)


def multilook(image: Image, quality: float) -> Coded:
    """Mean power of n × n pixels to a quarter of a decibel, coded without loss; the quality is −n.

    The better of JPEG XL and JPEG-LS for each band of the image as a whole; each pixel decodes to its cell.
    """
    side = round(-quality)
    cells = cell_means(image, side)
    whole = np.rint(cells / _LOOK_STEP).astype(np.int64)
    size = 0
    for plane in whole:
        numbers = (plane - plane.min()).astype(np.uint16)
        size += min(
            len(imagecodecs.jpegxl_encode(numbers, lossless=True, effort=9, numthreads=1)),
            len(imagecodecs.jpegls_encode(numbers)),
        )
    spread = (whole * _LOOK_STEP).repeat(side, axis=1).repeat(side, axis=2)
    decoded = spread[:, : image.shape[1], : image.shape[2]].astype(np.float32)
    return Coded(size, decoded, decoded)


def cell_means(image: Image, side: int) -> Image:
    """Mean power in dB of cells of side × side pixels; those at the far edges hold what is there."""
    padded = np.pad(image, ((0, 0), *((0, -length % side) for length in image.shape[1:])),
                    constant_values=np.nan)  # fmt: skip
    bands, height, width = padded.shape
    cells = padded.reshape(bands, height // side, side, width // side, side).transpose(0, 1, 3, 2, 4)
    flat = cells.reshape(bands, height // side, width // side, side * side)
    return to_decibels(np.nanmean(to_power(flat), axis=-1))


def methods() -> list[Method]:
    """All that are measured."""
    known = {each.name: each for each in peers.METHODS}
    own = [each for each in (SENTINEL1.default_model, "sentinel2-2") if each]
    return [
        *(ours("learned", models()[name]) for name in own), ours("dct"), ours("jpeg2000"),
        peer(known["KLT + JPEG 2000"]),
        peer(peers.Method("KLT + x265 (12-bit intra)", x265.code, x265.COARSEST, x265.FINEST, integer=True)),
        Method("multilook + lossless", multilook, -24, -1, integer=True),
    ]  # fmt: skip


def figures_of(image: Image, coded: Coded) -> Figures:
    """All figures of a coded image; PSNR, of both bands, before the correction."""
    pooled = math.sqrt(float(np.mean(np.square(coded.decoded - image, dtype=np.float64))))
    pairs = list(zip(image, coded.corrected, strict=True))
    cells = [homogeneous(*pair) for pair in pairs]
    water = water_figures(*pairs[0])
    by_band = [figure(*pair) for figure in (rmse, power_bias, window_rmse) for pair in pairs]
    values = [
        20 * math.log10(PEAK / pooled), *by_band[:4], *(each.bias for each in cells), *by_band[4:],
        cells[0].enl_decoded, peak_lost(*pairs[0]), water.agreement, water.iou,
    ]  # fmt: skip
    return Figures(*values)


class Coder:
    """Codes an image by a method, and remembers what it has tried: bytes and figures by quality."""

    def __init__(self, method: Method, image: Image) -> None:
        self._method, self._image = method, image
        self._tried: dict[float, tuple[float, Figures]] = {}

    def at_ratio(self, ratio: float) -> Figures | None:
        """Figures at a ratio, between the two nearest qualities; None if no quality reaches it.

        Bytes are nearly a power of the quality's own, so each trial is put where the straight line between
        the two nearest in log2(bytes) says.
        """
        target = math.log2(2 * self._image.size / ratio)
        low, high = self._method.low, self._method.high
        for quality, (size, _) in self._tried.items():
            low, high = (max(low, quality), high) if size <= target else (low, min(high, quality))
        for number in range(_ROUNDS):
            quality = self._between(low, high, target, number)
            if quality in (low, high):
                break
            size = self._code(quality)[0]
            low, high = (quality, high) if size <= target else (low, quality)
            if abs(size - target) < _CLOSE:
                break
        (first, ours), (second, theirs) = self._code(low), self._code(high)
        if not first <= target <= second:
            return None
        share = (target - first) / (second - first) if second > first else 0.0
        return Figures(*(a + share * (b - a) for a, b in zip(ours, theirs, strict=True)))

    def _between(self, low: float, high: float, target: float, number: int) -> float:
        share = 0.5
        if number % 3 != 2 and low in self._tried and high in self._tried:
            first, second = self._tried[low][0], self._tried[high][0]
            share = min(0.9, max(0.1, (target - first) / (second - first)))
        middle = low + share * (high - low)
        return min(max(round(middle), low), high) if self._method.integer else middle

    def _code(self, quality: float) -> tuple[float, Figures]:
        if quality not in self._tried:
            coded = self._method.run(self._image, quality)
            self._tried[quality] = math.log2(coded.size), figures_of(self._image, coded)
        return self._tried[quality]


def read_image(path: Path) -> Image:
    """VV and VH, (2, y, x) dB.

    Raises:
        ValueError: If a pixel is invalid: peers have no way to say so.
    """
    with rasterio.open(path) as file:
        image: Image = file.read([1, 2]).astype(np.float32)
    if not np.isfinite(image).all():
        raise ValueError(f"{path} has invalid pixels")
    return image


def images_of(data: Path, chosen: ImageSet) -> Iterator[tuple[str, Image]]:
    """The images of a set, with their names; a block's name says where it begins."""
    for pattern, corner in chosen.sources:
        for path in sorted(data.glob(pattern)):
            image = read_image(path)
            if corner is None:
                yield path.stem, image
                continue
            top, left = corner
            yield f"{path.stem} {top},{left}", image[:, top : top + BLOCK, left : left + BLOCK].copy()


def measure(data: Path, wanted: Sequence[Method], names: Sequence[str]) -> list[Row]:
    """All figures of all images of the sets named."""
    rows = []
    for name in names:
        for stem, image in images_of(data, SETS[name]):
            for method in wanted:
                coder = Coder(method, image)
                for ratio in SETS[name].ratios:
                    found = coder.at_ratio(ratio) or Figures(*[math.nan] * len(Figures._fields))
                    rows.append(Row(name, stem, method.name, ratio, found))
                    sys.stdout.write(f"{stem} {method.name} ×{ratio} {_words(found)}\n")
                    sys.stdout.flush()
    return rows


def _words(figures: Figures) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in figures._asdict().items())


def table(rows: Sequence[Row], name: str, ratio: int) -> str:
    """Means over the images of a set at a ratio, as Markdown; biases by their greatest size."""
    head = (
        "PSNR", "RMSE VV/VH", "bias of power VV/VH", "bias in even cells", "ml8 VV/VH", "ENL", "points lost",
        "−15 dB agrees", "water IoU",
    )  # fmt: skip
    lines = [f"| {' | '.join(('', *head))} |", "|---" * (len(head) + 1) + "|"]
    inside = [row for row in rows if (row.set, row.ratio) == (name, ratio)]
    for method in dict.fromkeys(row.method for row in inside):
        own = [row.figures for row in inside if row.method == method]
        mean = Figures(*map(_mean, zip(*own, strict=True)))
        most = Figures(*(max(column, key=abs) for column in zip(*own, strict=True)))
        cells = (
            f"{mean.psnr:.2f}", f"{mean.rmse_vv:.2f}/{mean.rmse_vh:.2f}",
            f"{most.bias_vv:+.3f}/{most.bias_vh:+.3f}", f"{most.cells_vv:+.3f}/{most.cells_vh:+.3f}",
            f"{mean.ml8_vv:.3f}/{mean.ml8_vh:.3f}", f"{mean.enl:.1f}", f"{mean.points:.2f}",
            f"{mean.calm:.3f}", f"{mean.water:.3f}",
        )  # fmt: skip
        lines.append(f"| {method} | {' | '.join(cells)} |".replace("nan", "–"))
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def page(rows: Sequence[Row]) -> str:
    """All tables."""
    parts = [
        "# Radar: rate, and what is left of backscatter",
        " ".join((__doc__ or "").split("\n\n")[1].split()),
    ]
    parts.append(
        "PSNR: both bands, peak 50 dB. Biases: the greatest of an image. ml8: RMSE of means of power over "
        "8 × 8 pixels at every offset. ENL, points (peaks of targets 8 dB above their surround, dB lost) and "
        "water: VV."
    )
    for name, ratio in dict.fromkeys((row.set, row.ratio) for row in rows):
        parts += [f"## {name[0].upper()}{name[1:]}, ×{ratio}", table(rows, name, ratio)]
    return "\n\n".join(parts)


def write(rows: Sequence[Row], output: Path) -> None:
    """Write benchmarks/results/radar_rate.csv and .md."""
    with (output / "radar_rate.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*Row._fields[:-1], *Figures._fields))
        writer.writerows([(*row[:-1], *(f"{value:.5g}" for value in row.figures)) for row in rows])
    (output / "radar_rate.md").write_text(page(rows) + "\n", encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """Figures of an earlier run; none if there was none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                each["set"], each["image"], each["method"], int(each["ratio"]),
                Figures(*(float(each[name]) for name in Figures._fields)),
            )
            for each in csv.DictReader(file)
        ]  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    parser = options.parser(__doc__)
    parser.add_argument("--method", help="measure those whose names hold this, take others from the last run")
    parser.add_argument("--set", choices=SETS, help="measure this set, take others from the last run")
    arguments = parser.parse_args()
    sets = [arguments.set] if arguments.set else list(SETS)
    wanted = [each for each in methods() if arguments.method is None or arguments.method in each.name]
    rows = measure(arguments.data, wanted, sets)
    names = [each.name for each in wanted]
    last = read_rows(arguments.output / "radar_rate.csv")
    rows += [row for row in last if row.method not in names or row.set not in sets]
    order = [each.name for each in methods()]
    rows = sorted((row for row in rows if row.method in order), key=lambda row: order.index(row.method))
    rows.sort(key=lambda row: (list(SETS).index(row.set), row.ratio))
    write(rows, arguments.output)
    sys.stdout.write(page(rows) + "\n")


if __name__ == "__main__":
    main()
