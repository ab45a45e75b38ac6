"""How certain means of areas are: their errors, and how often twice the stated uncertainty holds them.

Scenes that no codec was fitted on are compressed at given ratios; means of n×n pixels, decoded against
original, are compared with what `comeo.archive.means` states of them. NDVI is that of the means of its
two bands.

Run with: python -m benchmarks.site_means [--data FOLDER] [--output FOLDER] [--codecs …] [--ratios …].
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from benchmarks import options
from comeo.archive import Archive, ArchiveGroup, open_archive
from comeo.archive.means import NEAR_PIXELS, mean_error
from comeo.codecs import codec_names
from comeo.compression import compress
from comeo.errors import CodecError
from comeo.scene import BandGroup, Scene, Window
from comeo.sources import open_source

SCENES: Final = (
    "scenes/S2A_20190530_T32TMT_L2A_10bands.tif",
    "scenes/S2_spain_flood_L1C_13bands.tif",
    "scenes/S2A_T33UUU_20170216_L1C_jp2",
    "scenes/S2_UTM37N_12bands_30m.tif",
)
RATIOS: Final = (50.0, 100.0, 250.0)
SIDES: Final = (8, 16, 32, 64, 128)
LEAST_CLEAR: Final = 0.5  # of a cell
WANTED: Final = (0.90, 0.99)
Floats = NDArray[np.float64]


@dataclass
class Figures:
    """Errors of means of one size, and how they compare with what is stated of them."""

    errors: list[Floats] = field(default_factory=list)
    stated: list[Floats] = field(default_factory=list)

    def add(self, errors: Floats, stated: Floats) -> None:
        """Take in cells, of any shape."""
        known = np.isfinite(errors) & np.isfinite(stated)
        self.errors.append(errors[known])
        self.stated.append(stated[known])

    def summary(self) -> dict[str, float]:
        """Number of means, RMSE, median of u, share within 2u and beyond 3u."""
        if not any(each.size for each in self.errors):
            return {"means": 0}
        errors, stated = np.concatenate(self.errors), np.concatenate(self.stated)
        return {
            "means": int(errors.size),
            "rmse": float(np.sqrt(np.mean(errors**2))),
            "stated": float(np.median(stated)),
            "within_2u": float(np.mean(np.abs(errors) <= 2 * stated)),
            "beyond_3u": float(np.mean(np.abs(errors) > 3 * stated)),
        }


@dataclass(frozen=True)
class Cells:
    """Cells of n×n pixels: means of decoded and of original pixels, and u, each (bands, rows, cols)."""

    decoded: Floats
    original: Floats
    stated: Floats


def cells_of(archive: Archive, group: ArchiveGroup, source: BandGroup, side: int) -> Cells | None:
    """Means of whole cells at least half of whose pixels are clear, NaN where they are not."""
    level = group.levels[0]
    height, width = level.height // side * side, level.width // side * side
    if not height or not width:
        return None
    window = Window(0, 0, height, width)
    pixels, decoded = source.read(window), archive.read(level, window)
    shape = level.bands, height // side, side, width // side, side
    valid = pixels.valid
    near = valid & (maximum_filter(~valid, (1, 2 * NEAR_PIXELS + 1, 2 * NEAR_PIXELS + 1)) > 0)
    count = valid.reshape(shape).sum(axis=(2, 4))
    share = near.reshape(shape).sum(axis=(2, 4)) / np.maximum(count, 1)

    def mean(values: NDArray[Any]) -> Floats:
        sums = np.where(valid, values, 0).astype(np.float64).reshape(shape).sum(axis=(2, 4))
        return np.where(count >= LEAST_CLEAR * side**2, sums / np.maximum(count, 1), np.nan)

    factors = archive.means[group.name]
    if archive.certificate is None:
        limits = np.full(count.shape, np.inf)
    else:
        expected = archive.certificate.groups[group.name].expected(*level.grid)
        rows, cols = (np.arange(size) * side // level.block for size in count.shape[1:])
        limits = expected[:, rows][:, :, cols]
    law = np.vectorize(mean_error, otypes=[float], excluded={2})
    stated = np.stack(
        [
            law(count[band], level.step, own, share[band], limits[band], 1.0)
            for band, own in enumerate(factors)
        ]
    )
    return Cells(mean(decoded), mean(pixels.values), stated)


def ndvi(cells: Cells, group: ArchiveGroup) -> tuple[Floats, Floats] | None:
    """Errors of the NDVI of means, and u by its derivatives at the decoded means; None without its bands."""
    names = [band.name for band in group.bands]
    if not {"B04", "B08"} <= set(names):
        return None
    index = [names.index("B04"), names.index("B08")]
    scale, offset = group.bands[index[0]].scale, group.bands[index[0]].offset

    def of(means: Floats) -> Floats:
        red, near = means[index] * scale + offset
        ratio: Floats = (near - red) / np.where(near + red > 0.02, near + red, np.nan)
        return ratio

    red, near = cells.decoded[index] * scale + offset
    slopes = np.stack([2 * near, 2 * red]) / (near + red) ** 2
    stated = np.sqrt(np.sum((slopes * cells.stated[index] * scale) ** 2, axis=0))
    return of(cells.decoded) - of(cells.original), stated


Table = dict[tuple[str, float, str, int], dict[str, Figures]]


def measure(place: Path, codec: str, ratio: float, folder: Path, table: Table) -> list[str]:
    """Compress a scene and take in its means; returns the law's factors by group, in words."""
    said = []
    with open_source(place) as scene:
        path = compressed(scene, folder / "a.zarr.zip", codec, ratio)
        with open_archive(path) as archive:
            for source in scene.groups:
                group = archive.groups[source.name]
                small, large = np.array(archive.means[source.name]).T
                said.append(f"{source.name} {_span(small)}, {_span(large)}")
                for side in SIDES:
                    cells = cells_of(archive, group, source, side)
                    if cells is None:
                        continue
                    relative = (cells.decoded - cells.original) / group.levels[0].step
                    scene_id, stated = place.stem, cells.stated / group.levels[0].step
                    table[codec, ratio, "bands", side][scene_id].add(relative, stated)
                    index = ndvi(cells, group)
                    if index is not None:
                        table[codec, ratio, "NDVI", side][scene_id].add(*index)
    return said


def compressed(scene: Scene, path: Path, codec: str, ratio: float) -> Path:
    """An archive of that ratio; where sizes jump over it, of one up to a twentieth greater."""
    for excess in (1.0, 1.02):
        try:
            return compress(scene, path, codec=codec, ratio=ratio * excess, force=True)
        except CodecError as error:
            print(f"{path.name}, ×{ratio * excess:g}: {error}", flush=True)
    return compress(scene, path, codec=codec, ratio=ratio * 1.05, force=True)


def _span(factors: Floats) -> str:
    return f"{factors.min():.2f}–{factors.max():.2f}"


def pooled(scenes: dict[str, Figures]) -> dict[str, float]:
    """Summary over all scenes, and the least and greatest share within 2u among them."""
    together = Figures()
    for own in scenes.values():
        together.errors += own.errors
        together.stated += own.stated
    shares = [own["within_2u"] for own in (each.summary() for each in scenes.values()) if own["means"]]
    return {**together.summary(), "least": min(shares, default=np.nan), "most": max(shares, default=np.nan)}


def rows(table: Table) -> list[str]:
    """The table's lines: one a codec, ratio and quantity."""
    out = []
    for codec, ratio, what in dict.fromkeys(key[:3] for key in table):
        cells = [codec, f"×{ratio:g}", what]
        for side in SIDES:
            found = pooled(table[codec, ratio, what, side])
            if not found["means"]:
                cells.append("–")
                continue
            mark = "" if WANTED[0] <= found["within_2u"] <= WANTED[1] else " !"
            rmse = f"{found['rmse'] * side:.3f}" if what == "bands" else f"{found['rmse']:.4f}"
            span = f"{100 * found['least']:.0f}–{100 * found['most']:.0f}"
            cells.append(f"{100 * found['within_2u']:.1f} %{mark} ({span}) {rmse}")
        out.append(f"| {' | '.join(cells)} |")
    return out


def main() -> None:
    """Measure, print, and write benchmarks/results/site_means.md and .json."""
    parser = options.parser(__doc__)
    parser.add_argument("--codecs", nargs="+", default=list(codec_names()))
    parser.add_argument("--ratios", nargs="+", type=float, default=list(RATIOS))
    parser.add_argument("--scenes", nargs="+", default=list(SCENES))
    arguments = parser.parse_args()
    table: Table = defaultdict(lambda: defaultdict(Figures))
    factors = []
    with tempfile.TemporaryDirectory() as folder:
        for codec in arguments.codecs:
            for ratio in arguments.ratios:
                for name in arguments.scenes:
                    said = measure(arguments.data / name, codec, ratio, Path(folder), table)
                    factors.append(f"| {codec} | ×{ratio:g} | {Path(name).stem} | {'; '.join(said)} |")
                    print(factors[-1], flush=True)
    text = "\n".join(
        [
            "# Means of areas: coverage of ±2u, and errors",
            "",
            "Share of the means of n×n pixels whose true value lies within twice the stated uncertainty,",
            "from 90 to 99 % if it is right (`!`: it is not); in brackets the least and the greatest of the",
            "scenes. Then the RMSE of the means: of bands times n/step (1/√12 = 0.289 is a factor of 1), of",
            "the NDVI of means as it is. Scenes that no codec was fitted on. Where sizes jump over a ratio,",
            "one up to a twentieth greater is taken.",
            "",
            f"| codec | ratio | of | {' | '.join(f'{side}×{side}' for side in SIDES)} |",
            "|" + "---|" * (3 + len(SIDES)),
            *rows(table),
            "",
            "Factors as the archives state them, of means of 16×16 and of 64×64 pixels, the least and the",
            "greatest of the bands:",
            "",
            "| codec | ratio | scene | by group |",
            "|---|---|---|---|",
            *factors,
            "",
        ]
    )
    print(text)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "site_means.md").write_text(text)
    figures = [
        {"codec": codec, "ratio": ratio, "of": what, "side": side, **pooled(found)}
        for (codec, ratio, what, side), found in table.items()
    ]
    (arguments.output / "site_means.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
