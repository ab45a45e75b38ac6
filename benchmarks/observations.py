"""Observations of areas: how often ± holds, and how fast series are.

Coverage: areas at random places, rotated, of one pixel, 1, 10 and 40 ha, in scenes that no codec was fitted
on, compressed at ×100; values of predefined indicators, decoded against original, each pixel by its share.

Speed: 140 dates of one place (each chip mirrored to 512² pixels, at one step, about ×100), in one process by
its processor time: one field in a request, beside TiTiler's statistics of the deflate COG of each date; then
500 fields on 12 dates.

Run with: python -m benchmarks.observations [--data FOLDER] [--output FOLDER] [--codec C]
[--sites N] [--only coverage|speed].
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.shutil import copy as copy_dataset
from rasterio.warp import transform_geom
from shapely.affinity import rotate
from shapely.geometry import box

from benchmarks import options
from benchmarks.site_means import compressed
from comeo.archive import open_archive
from comeo.compression import compress
from comeo.errors import ParameterError
from comeo.grid import WGS84, Grid
from comeo.indicators.catalogue import predefined
from comeo.indicators.compiled import compile_for
from comeo.scene import BandGroup, Scene, Window
from comeo.sources import open_source
from comeo.view.area import Area
from comeo.view.plan import PixelPlan
from comeo.view.reader import ArchiveReader, block_cache
from comeo.view.site import observe_area

SCENES: Final = {
    "scenes/S2A_20190530_T32TMT_L2A_10bands.tif": "S2A_T32TMT_20190530_L2A.zarr.zip",
    "scenes/S2_UTM37N_12bands_30m.tif": "S2_UTM37N_lake.zarr.zip",
    "scenes/S2_spain_flood_L1C_13bands.tif": None,
}
"""Each with the bundled sample that it was compressed to, if there is one."""
RATIO: Final = 100.0
SIDES: Final = {"1 px": 1, "0.25 ha": 5, "1 ha": 10, "10 ha": 32, "40 ha": 64}
"""Sides in pixels of 10 m."""
INDICATORS: Final = ("ndvi", "evi", "ndwi", "gndvi")
WANTED: Final = (0.90, 0.99)
SERIES: Final = "timeseries/romania"
SIDE: Final = 512
STEP: Final = 110.0
DATES, FIELDS, FIELD_DATES = 140, 500, 12
NDVI: Final = "(B08-B04)/(B08%2BB04)"
Floats = NDArray[np.float64]


@dataclass
class Found:
    """Errors of observations and their ±."""

    errors: list[float] = field(default_factory=list)
    stated: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Share within 2u, RMSE, median of u, and how many."""
        errors, stated = np.array(self.errors), np.array(self.stated)
        if not errors.size:
            return "–"
        share = float(np.mean(np.abs(errors) <= 2 * stated))
        mark = "" if WANTED[0] <= share <= WANTED[1] else " !"
        rmse = float(np.sqrt(np.mean(errors**2)))
        return f"{100 * share:.1f} %{mark} ({rmse:.4f}; {np.median(stated):.4f}; {errors.size})"


def originals(scene: Scene, bands: tuple[str, ...]) -> tuple[Grid, dict[str, NDArray[np.float32]]] | None:
    """Physical values of bands that are all of one group, NaN where there are none."""
    for group in scene.groups:
        names = [band.name for band in group.bands]
        if set(bands) <= set(names):
            return _grid(group), _values(group, [names.index(name) for name in bands])
    return None


def _grid(group: BandGroup) -> Grid:
    return Grid(group.crs, group.transform, group.height, group.width)


def _values(group: BandGroup, rows: list[int]) -> dict[str, NDArray[np.float32]]:
    pixels = group.read(Window(0, 0, group.height, group.width))
    out = {}
    for row in rows:
        band = group.bands[row]
        physical = pixels.values[row].astype(np.float32) * band.scale + band.offset
        out[band.name] = np.where(pixels.valid[row], physical, np.nan).astype(np.float32)
    return out


def places(grid: Grid, side: int, count: int, random: np.random.Generator) -> Iterator[Area]:
    """Squares of a side in pixels at random places, turned at random; of one pixel its middle."""
    for _ in range(count):
        half = side * 0.71 + 1
        if 2 * half >= min(grid.height, grid.width):
            return
        col, row = random.uniform(half, grid.width - half), random.uniform(half, grid.height - half)
        if side == 1:
            x, y = grid.transform @ (int(col) + 0.5, int(row) + 0.5)
            yield Area(transform_geom(grid.crs, WGS84, {"type": "Point", "coordinates": [x, y]}))
            continue
        square = rotate(
            box(col - side / 2, row - side / 2, col + side / 2, row + side / 2), random.uniform(0, 90)
        )
        ring = [grid.transform @ place for place in square.exterior.coords]
        yield Area(transform_geom(grid.crs, WGS84, {"type": "Polygon", "coordinates": [ring]}))


def coverage(
    data: Path, place: Path, codec: str, sites: int, folder: Path, table: dict[tuple[str, str], Found]
) -> str:
    """Take in the observations of one scene; returns its ratio, in words."""
    random = np.random.default_rng(1)
    with open_source(place) as scene:
        sample = SCENES[str(place.relative_to(data))]
        if sample and codec == "learned":
            path = options.ROOT / "samples" / sample
        else:
            path = compressed(scene, folder / "a.zarr.zip", codec, RATIO)
        with open_archive(path) as archive:
            reader = ArchiveReader(archive, block_cache(1 << 28))
            bands = [band for group in archive.groups.values() for band in group.bands]
            for name in INDICATORS:
                document = predefined().find(name)
                try:
                    if document is None:
                        raise ParameterError(f"there is no indicator {name}")
                    indicator = compile_for(document, bands)
                except ParameterError as error:
                    print(place.stem, error, flush=True)
                    continue
                found = originals(scene, tuple(band.name for band in indicator.sources))
                if found is None:
                    print(place.stem, name, "has bands of several groups", flush=True)
                    continue
                grid, values = found
                exact = replace(indicator.expression, floor=0.0)  # what is stated of coding alone
                plan = PixelPlan(indicator.sources, exact, physical=True)
                truth = exact.evaluate(values)[0]
                within = reader.native_grid(plan.bands)  # a sample may be a part of its scene
                for label, side in SIDES.items():
                    for area in places(within, side, sites, random):
                        _compare(reader, plan, area, truth, grid, table[name, label])
    return f"{place.stem}: {path.stat().st_size} bytes"


def _compare(
    reader: ArchiveReader, plan: PixelPlan, area: Area, truth: NDArray[np.float32], grid: Grid, found: Found
) -> None:
    seen = observe_area(reader, plan, area)
    weights = np.where(np.isnan(truth), 0, area.shares(grid))
    if seen is None or seen.value is None or seen.uncertainty is None or not weights.sum() > 0:
        return
    if (seen.clear is not None and seen.clear < 1) or seen.covered < 1 - 1e-6:  # only coding is compared
        return
    found.errors.append(seen.value - float((np.nan_to_num(truth) * weights).sum() / weights.sum()))
    found.stated.append(seen.uncertainty)


def chips(data: Path, folder: Path, codec: str) -> tuple[list[Path], float]:
    """Archives and COGs of the dates, in folders of these names; returns the COGs, and the mean ratio."""
    archives, cogs = folder / "archives", folder / "cogs"
    archives.mkdir()
    cogs.mkdir()
    made, raw, packed = [], 0, 0
    for source in sorted((data / SERIES).glob("*.tif"))[:DATES]:
        with rasterio.open(source) as dataset:
            pixels, profile, names = dataset.read(), dataset.profile, dataset.descriptions
        more = [(0, 0), (0, SIDE - pixels.shape[1]), (0, SIDE - pixels.shape[2])]
        plain, cog = folder / source.name, cogs / source.name
        profile.update(width=SIDE, height=SIDE)
        for name in ("blockxsize", "blockysize", "tiled"):
            profile.pop(name, None)
        with rasterio.open(plain, "w", **profile) as dataset:
            dataset.write(np.pad(pixels, more, mode="symmetric"))
            dataset.descriptions = names
        copy_dataset(plain, cog, driver="COG", compress="DEFLATE", predictor="YES", blocksize=256)
        with open_source(plain) as scene:
            placed = replace(scene, collection="romania")
            path = compress(placed, archives / f"{scene.id}.zarr.zip", codec=codec, step=STEP)
            raw += sum(len(group.bands) * group.height * group.width * 2 for group in scene.groups)
        packed += path.stat().st_size
        made.append(cog)
        plain.unlink()
    return made, raw / packed


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a piece of work gives, its processor time and its time, in seconds."""
    clock, processor = time.perf_counter(), time.process_time()
    found = work()
    return found, time.process_time() - processor, time.perf_counter() - clock


def fields(cog: Path, count: int, side: int) -> list[dict[str, Any]]:
    """Squares of a side in pixels in a scene, turned at random, as GeoJSON features."""
    with rasterio.open(cog) as dataset:
        grid = Grid(dataset.crs, dataset.transform, dataset.height, dataset.width)
    random = np.random.default_rng(2)
    return [
        {"type": "Feature", "id": number, "properties": {}, "geometry": mapping_of(area)}
        for number, area in enumerate(places(grid, side, count, random))
    ]


def mapping_of(area: Area) -> Any:
    """The geometry of an area in lists, as JSON has them."""
    return json.loads(json.dumps(area.geometry))


def speed(data: Path, codec: str, folder: Path) -> list[str]:
    """The lines of the table of speed."""
    from fastapi.testclient import TestClient  # noqa: PLC0415 - extras of benchmarks

    from benchmarks.tile_speed.titiler_app import app  # noqa: PLC0415
    from tileserver import Settings, create_app  # noqa: PLC0415

    cogs, ratio = chips(data, folder, codec)
    settings = {
        "paths": (folder / "archives",), "catalog": folder / "catalog.sqlite", "workers": 1,
        "series_seconds": 600.0, "static": folder,
    }  # fmt: skip
    server = create_app(Settings.model_validate(settings)).test_client()
    peer = TestClient(app)
    many = {"type": "FeatureCollection", "features": fields(cogs[0], FIELDS, 7)}
    first, second, warm_up = fields(cogs[0], 3, 20)
    url = f"/collections/romania/series?expression={NDVI}"

    def ask(body: Any, query: str = "") -> Any:
        answer = server.post(url + query, json=body)
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        return answer.get_json()

    def ask_peer(body: Any, dates: list[Path]) -> None:
        for cog in dates:
            answer = peer.post(f"/statistics?url={cog}&expression=(b4-b3)/(b4%2Bb3)", json=body)
            if answer.status_code != 200:
                raise RuntimeError(answer.text)

    dates = "&datetime=" + "/".join(path.stem[-10:] for path in (cogs[0], cogs[FIELD_DATES - 1]))
    ask(warm_up, dates)  # what is compiled and imported on first use
    ask_peer(warm_up, cogs[:2])
    lines, found = [], {}
    for name, work in {
        f"one field, {len(cogs)} dates, nothing kept": lambda: ask(first),
        "another field, blocks in memory": lambda: ask(second),
        "the first field again, observations kept": lambda: ask(first),
        f"TiTiler, one field, {len(cogs)} requests": lambda: ask_peer(first, cogs),
        f"{FIELDS} fields, {FIELD_DATES} dates, nothing kept": lambda: ask(many, dates),
        f"{FIELDS} fields, {FIELD_DATES} dates, observations kept": lambda: ask(many, dates),
    }.items():
        answer, processor, clock = timed(work)
        found[name] = answer
        lines.append(f"| {name} | {processor:.2f} | {clock:.2f} |")
        print(lines[-1], flush=True)
    series = next(iter(found.values()))["features"][0]["observations"]
    lines.append("")
    lines.append(
        f"{len(series)} observations of {len(cogs)} dates; archives of ×{ratio:.0f} on average, `{codec}`."
    )
    return lines


def main() -> None:
    """Measure, print, and write benchmarks/results/observations.md."""
    parser = options.parser(__doc__)
    parser.add_argument("--codec", default="learned")
    parser.add_argument("--sites", type=int, default=400, help="of each size, indicator and scene")
    parser.add_argument("--only", choices=("coverage", "speed"), help="one of the two")
    arguments = parser.parse_args()
    text = ["# Observations of areas", ""]
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only != "speed":
            table: dict[tuple[str, str], Found] = defaultdict(Found)
            said = [
                coverage(
                    arguments.data,
                    arguments.data / name,
                    arguments.codec,
                    arguments.sites,
                    Path(folder),
                    table,
                )
                for name in SCENES
            ]
            text += [
                f"Share of observations within 2u of the original's, `{arguments.codec}` ×{RATIO:g}; in",
                "brackets RMSE, median of u, observations. 90 to 99 % is right (`!`: it is not).",
                "", f"| indicator | {' | '.join(SIDES)} |", "|" + "---|" * (1 + len(SIDES)),
                *(
                    f"| {name} | {' | '.join(table[name, label].line() for label in SIDES)} |"
                    for name in INDICATORS
                ),
                "", *said, "",
            ]  # fmt: skip
            print("\n".join(text), flush=True)
        if arguments.only != "coverage":
            text += ["| request | processor seconds | seconds |", "|---|---|---|"]
            text += speed(arguments.data, arguments.codec, Path(folder))
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "observations.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
