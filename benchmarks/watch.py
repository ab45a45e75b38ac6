"""Geoservices: false alarms, clear-cuts that are found, how fast sites are observed.

False alarms: the 140 dates over a forest in Romania at the step that is ×100 for all of them in one image,
sites of 1 ha, NDVI, the default rules; each alert is then verified on the original.

Clear-cuts: the ground of a felled gap of the same date is pasted over sites of 1 ha in the originals, from a
day on, before they are compressed; how many are alerts by the second clear date.

Speed: 1 000 sites of 10 ha, spread over a scene of full size that is new, from the catalogue to alerts.

Run with: python -m benchmarks.watch [--data FOLDER] [--output FOLDER]
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.warp import transform_geom

from benchmarks import options
from benchmarks.commands import comeo
from benchmarks.full_product import full_scene
from comeo.archive import open_archive
from comeo.compression import compress
from comeo.grid import WGS84, Grid
from comeo.indicators.catalogue import predefined
from comeo.indicators.document import Document, canonical
from comeo.sources import open_source
from comeo.view.area import Area
from tileserver.catalog import SqliteCatalog
from tileserver.render.scenes import Scenes
from tileserver.settings import Settings
from tileserver.store.observed import Observed
from tileserver.watch.alerts.baseline import Verdict
from tileserver.watch.alerts.counting import verdicts
from tileserver.watch.alerts.detect import Episode, episodes
from tileserver.watch.alerts.lifecycle import evidence_of
from tileserver.watch.document.definition import AlertPolicy, Seasonal
from tileserver.watch.document.rules import Rule
from tileserver.watch.observing.observe import Place, Wanted, Work, missing, observe, present
from tileserver.watch.observing.originals import OriginalFolders
from tileserver.watch.observing.verify import verify

SERIES: Final = "timeseries/romania"
COLLECTION: Final = "romania-forest"
STEP: Final = 1169.0
"""×100 for all 140 chips as one image; a chip by itself is mostly metadata."""
SIDE: Final = 10  # pixels of a site of 1 ha
BEFORE: Final = datetime(2015, 1, 1, tzinfo=UTC)
CUTS: Final = (date(2018, 6, 15), date(2019, 6, 10), date(2020, 6, 1))
PATCH: Final = 5  # pixels of the felled ground that is pasted
FOUND_BY: Final = 2  # clear dates
SITES: Final = 1000
RULE: Final = Rule(1, 1, 1, Seasonal(), AlertPolicy(), BEFORE)
"""The defaults."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Sites observed on all dates.

    Attributes:
        places: The sites, by their numbers.
        seen: Observations of each, oldest first.
        works: Scene and plan by item.
    """

    places: Sequence[Place]
    seen: dict[int, list[Observed]]
    works: dict[str, Work]
    scenes: Scenes


def sites_of(chip: Path) -> list[Place]:
    """Squares of 1 ha on the pixels of a chip, but for its edge."""
    with rasterio.open(chip) as source:
        count = min(source.width, source.height) // SIDE
        found: list[Place] = []
        for row in range(count):
            for col in range(count):
                corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
                ring = [source.transform @ ((col + x) * SIDE, (row + y) * SIDE) for x, y in corners]
                shape = {"type": "Polygon", "coordinates": [ring]}
                moved = transform_geom(source.crs, WGS84, shape)
                found.append(Place(len(found), len(found), Area(moved)))
    return found


def follow(chips: Sequence[Path], folder: Path, places: Sequence[Place], document: Document) -> Followed:
    """Compress chips, and observe sites in them."""
    archives = folder / "archives"
    archives.mkdir(parents=True)
    for chip in chips:
        with open_source(chip, collection=COLLECTION, scale=1e-4, unit="reflectance") as scene:
            compress(scene, archives, step=STEP)
    settings = Settings(paths=(archives,), catalog=folder / "catalog.sqlite")
    catalog = SqliteCatalog(settings.paths, folder / "catalog.sqlite", 2.0, lambda *_: None)
    catalog.refresh(force=True)
    scenes = Scenes.open(settings, catalog)
    should = present(
        scenes, Wanted(document.fingerprint, canonical(document).decode(), (COLLECTION,), places)
    )
    seen: dict[int, list[Observed]] = {each.version: [] for each in places}
    for work in missing(should, set()):
        for one in observe(scenes, work, document.fingerprint):
            seen[one.site_version].append(one)
    return Followed(places, seen, {work.record.id: work for work in should.values()}, scenes)


def alarms(followed: Followed, originals: Path) -> list[str]:
    """Lines of a table: dates that are judged, outside, alerts, and what the originals say of them."""
    count: Counter[str] = Counter()
    for place in followed.places:
        told = verdicts(followed.seen[place.version], RULE)
        judged = [each for each in told if each.low is not None]
        count["clear dates"] += len(told)
        count["judged: enough dates in the seasons before"] += len(judged)
        count["outside"] += sum(each.side is not None for each in judged)
        for episode in episodes(told, RULE.policy):
            kind = "2 of 3 dates outside" if episode.persistent else "a single date of severity 3"
            count[f"deviations, {kind}"] += 1
            count[f"… that the original {_verified(followed, place, told, episode, originals)}"] += 1
    share = (
        100 * count["deviations, 2 of 3 dates outside"] / count["judged: enough dates in the seasons before"]
    )
    rows = [f"| {name} | {number} |" for name, number in count.items()]
    return [
        "| 1 ha, NDVI, ×100 | |",
        "|---|---|",
        *rows,
        f"| **alerts per judged date** | **{share:.2f} %** |",
    ]


def _verified(
    followed: Followed, place: Place, told: Sequence[Verdict], episode: Episode, originals: Path
) -> str:
    works = {name: (each.record, each.plan) for name, each in followed.works.items()}
    least = RULE.policy.dates if episode.persistent else 1
    evidence = evidence_of(episode, told, RULE)
    folders = OriginalFolders([originals])
    found = verify(followed.scenes, folders, evidence, episode.side, least, works, place)
    return {"holds": "bears out", "withdrawn": "does not bear out"}.get(found.verified, "does not tell")


def pasted(chips: Sequence[Path], folder: Path, places: Sequence[int], cut: date) -> list[Path]:
    """Chips in which sites are felled from a day on; the ones before are as they were."""
    folder.mkdir(parents=True)
    found = []
    for chip in chips:
        if day_of(chip) < cut:
            found.append(chip)
            continue
        with rasterio.open(chip) as source:
            values, profile, names = source.read(), source.profile, source.descriptions
        side = min(values.shape[1:]) // SIDE
        bands = values[:-1]  # the last one is the scene classification, which stays
        row, col = bare_ground(bands)
        ground = np.tile(bands[:, row : row + PATCH, col : col + PATCH], (1, SIDE // PATCH, SIDE // PATCH))
        for number in places:
            top, left = (each * SIDE for each in divmod(number, side))
            bands[:, top : top + SIDE, left : left + SIDE] = ground
        target = folder / chip.name
        with rasterio.open(target, "w", **profile) as out:
            out.write(values)
            out.descriptions = names
        found.append(target)
    return found


def bare_ground(bands: NDArray[np.uint16]) -> tuple[int, int]:
    """Row and column of the patch with the least vegetation on a date: ground that has been felled.

    Args:
        bands: Blue, green, red, near infrared: (4, y, x).
    """
    red, near = bands[2:4].astype(np.float64)
    index = (near - red) / np.maximum(near + red, 1.0)
    windows = np.lib.stride_tricks.sliding_window_view(index, (PATCH, PATCH)).mean((2, 3))
    row, col = np.unravel_index(int(windows.argmin()), windows.shape)
    return int(row), int(col)


def day_of(chip: Path) -> date:
    """Day in a chip's name."""
    return date.fromisoformat(chip.stem[-10:])


def found_cuts(before: Followed, after: Followed, numbers: Sequence[int], cut: date) -> tuple[int, int]:
    """How many felled sites are alerts by the second clear date; of how many that can be judged by then."""
    found = total = 0
    for number in numbers:
        told = [each for each in verdicts(after.seen[number], RULE) if each.point.at.date() >= cut]
        due = told[:FOUND_BY]
        if len(due) < FOUND_BY or any(each.low is None for each in due):
            continue
        until = due[-1].point.at
        quiet = not _raised(before.seen[number], cut, until)
        total += quiet
        found += quiet and _raised(after.seen[number], cut, until)
    return found, total


def _raised(seen: Sequence[Observed], cut: date, until: datetime) -> bool:
    found = episodes(verdicts([each for each in seen if each.datetime <= until], RULE), RULE.policy)
    return any(each.last.point.at.date() >= cut for each in found)


def speed(archive: Path, folder: Path) -> list[str]:
    """What `comeo work` takes for many sites of 10 ha and a scene that is new, from its start to its end."""
    archives = folder / "archives"
    archives.mkdir(parents=True)
    (archives / archive.name).symlink_to(archive)
    with open_archive(archive) as opened:
        collection, grid = opened.collection, next(iter(opened.groups.values())).native_grid
        day = opened.datetime
    definition = {
        "slug": "many",
        "title": {"en": "Many"},
        "collections": [collection],
        "sites": spread(grid),
        "start": (day or BEFORE).date().isoformat(),
        "indicators": [{"indicator": "ndvi", "nominal": {"kind": "seasonal"}}],
    }
    document = folder / "many.json"
    document.write_text(json.dumps(definition), encoding="utf-8")
    os.environ["COMEO_DATABASE"] = str(folder / "comeo.sqlite")
    log = folder / "log"
    comeo("geoservice", "add", document, "--owner", "me@example.org", log=log)
    comeo("geoservice", "activate", "many", archives, log=log)
    used = comeo("work", archives, "--once", log=log)
    again = comeo("work", archives, "--once", log=log)
    return [
        f"{SITES} sites of 10 ha × a new scene of {grid.width}×{grid.height} pixels, by `comeo work --once`: "
        f"**{used.seconds:.1f} s** ({used.cpu_seconds:.1f} s of processor, {used.memory_gb:.2f} GB); "
        f"{again.seconds:.1f} s when there is nothing to do.",
    ]


def spread(grid: Grid) -> dict[str, Any]:
    """Squares of 10 ha, spread evenly over a grid but for its edge."""
    rows = math.isqrt(SITES - 1) + 1
    half = math.sqrt(1e5) / 2
    features = []
    for number in range(SITES):
        row, col = divmod(number, rows)
        x, y = grid.transform @ ((col + 1) * grid.width / (rows + 1), (row + 1) * grid.height / (rows + 1))
        ring = [(x + half * dx, y + half * dy) for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]
        shape = transform_geom(grid.crs, WGS84, {"type": "Polygon", "coordinates": [ring]})
        features.append({"type": "Feature", "properties": {"name": f"Site {number}"}, "geometry": shape})
    return {"type": "FeatureCollection", "features": features}


def main() -> None:
    """Measure, print, and write benchmarks/results/watch.md."""
    arguments = options.parser(__doc__).parse_args()
    chips = sorted((arguments.data / SERIES).glob("*.tif"))
    document = predefined().find("ndvi")
    if document is None:
        raise SystemExit("there is no indicator ndvi")
    places = sites_of(chips[0])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.process_time()
        plain = follow(chips, folder / "plain", places, document)
        spent = time.process_time() - began
        lines = [
            f"{len(chips)} dates × {len(places)} sites, compression included: {spent:.0f} s of processor.",
            "",
        ]
        lines += [*alarms(plain, chips[0].parent), ""]
        side = round(len(places) ** 0.5)
        odd = [each.version for each in places if (each.version // side + each.version % side) % 2]
        lines += ["| felled on | found by the second clear date | of |", "|---|---|---|"]
        for cut in CUTS:
            felled = pasted(chips, folder / f"cut-{cut}", odd, cut)
            found, total = found_cuts(
                plain, follow(felled, folder / f"seen-{cut}", places, document), odd, cut
            )
            lines.append(f"| {cut} | {found} ({100 * found / max(1, total):.1f} %) | {total} |")
        lines += ["", *speed(full_scene(arguments.data), folder / "speed")]
    text = "\n".join(["# Geoservices", "", *lines]) + "\n"
    print(text)
    (arguments.output / "watch.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
