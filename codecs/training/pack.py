"""The training pack: all training pixels in one small file.

Values are kept to eight digital numbers (an error of 2.3, the codec makes fifty), and coded losslessly as
JPEG-LS. Invalid pixels stay 0. Backscatter is kept as hundredths of a decibel above a floor.
"""

from __future__ import annotations

import argparse
import json
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from comeo.errors import ComeoError

SHIFT = 3
DECIBELS_BELOW = (
    100  # added to decibels: amplitudes that are not calibrated are far above 0 dB, noise far below
)
HUNDREDTHS = 100
SOURCES = Path(__file__).with_name("sentinel2.toml")


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of the pack.

    Attributes:
        name: Path of its file below the data folder.
        first: How many of its bands, from the first, form a natural group.
        chip: Side of the independent chips it is a sheet of; 0 for one continuous image.
        weight: Share of the training crops.
        held_out: Whether it is for evaluation only.
        decibels: Whether its numbers are `HUNDREDTHS` of a decibel, `DECIBELS_BELOW` added.
    """

    name: str
    first: int
    chip: int
    weight: float
    held_out: bool
    decibels: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """An entry and its pixels: (bands, y, x) uint16, 0 where invalid."""

    entry: Entry
    values: NDArray[np.uint16]


def build(data: Path, output: Path, sources: Path = SOURCES) -> None:
    """Write the pack.

    Args:
        data: Folder of `manifest.json`.
        output: The file to write, `.npz`.
        sources: The TOML file that names what to take.

    Raises:
        ComeoError: If a source is not in the manifest, or is not for training.
    """
    splits = {item["path"]: item["split"] for item in json.loads((data / "manifest.json").read_text())}
    entries: list[Entry] = []
    streams: dict[str, Any] = {}
    for source in tomllib.loads(sources.read_text())["source"]:
        paths = sorted(path.relative_to(data).as_posix() for path in data.glob(source["path"]))
        if not paths:
            raise ComeoError(f"{data} holds no {source['path']}")
        for path in paths:
            if not splits.get(path, "").startswith("train"):
                raise ComeoError(f"the manifest does not give {path} for training")
            values = _read(data / path, source)
            for band, plane in enumerate(values):
                streams[f"{len(entries)}/{band}"] = np.frombuffer(imagecodecs.jpegls_encode(plane), np.uint8)
            entries.append(_entry(path, source, len(paths)))
    output.parent.mkdir(parents=True, exist_ok=True)
    index = np.frombuffer(json.dumps([asdict(entry) for entry in entries]).encode(), np.uint8)
    np.savez(output, index=index, **streams)


def load(path: Path) -> list[Image]:
    """Read a pack back."""
    return list(_load(path))


def _load(path: Path) -> Iterator[Image]:
    with np.load(path) as pack:
        for number, fields in enumerate(json.loads(pack["index"].tobytes())):
            planes: list[NDArray[np.uint16]] = []
            while (key := f"{number}/{len(planes)}") in pack:
                planes.append(imagecodecs.jpegls_decode(pack[key].tobytes()))
            yield Image(Entry(**fields), np.stack(planes) << np.uint16(SHIFT))


def _entry(path: str, source: dict[str, Any], files: int) -> Entry:
    chip = source.get("chip", 0)
    return Entry(
        name=path,
        first=source.get("first", len(source["bands"])),
        chip=max(chip, source.get("continued", 0)) if chip else 0,
        weight=source.get("weight", 0.0) / files,
        held_out=source.get("held_out", False),
        decibels="backscatter" in source,
    )


def _read(path: Path, source: dict[str, Any]) -> NDArray[np.uint16]:
    """Read bands, to multiples of 2^SHIFT, without letting a valid value become 0."""
    subsample = source.get("subsample", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            values = file.read([band + 1 for band in source["bands"]])[:, ::subsample, ::subsample]
    if "backscatter" in source:
        values = _numbers(values, source["backscatter"])
    if "continued" in source:
        values = _continued(values, source.get("chip", 0), source["continued"])
    rounded = (values.astype(np.uint32) + (1 << SHIFT >> 1)) >> SHIFT
    return np.where(values > 0, np.clip(rounded, 1, 65535 >> SHIFT), 0).astype(np.uint16)


def _numbers(values: NDArray[Any], kind: str) -> NDArray[np.float32]:
    """Backscatter as positive numbers, a hundred a decibel; 0 where invalid.

    Args:
        values: (bands, y, x), in `kind`.
        kind: `dB`, `power` or `amplitude`.
    """
    decibels = values.astype(np.float32)
    if kind != "dB":
        factor = {"power": 10, "amplitude": 20}[kind]
        decibels = factor * np.log10(np.where(decibels > 0, decibels, np.nan))
    return np.nan_to_num(np.clip((decibels + DECIBELS_BELOW) * HUNDREDTHS, 1, 65535), nan=0.0)


def _continued(values: NDArray[Any], chip: int, side: int) -> NDArray[Any]:
    """Chips that are smaller than a crop, mirrored at their ends up to its side.

    Args:
        values: (bands, y, x), one image or a sheet of chips.
        chip: Side of the sheet's chips; 0 for one image.
        side: What the chips, or the image, are to measure at least.
    """
    bands, height, width = values.shape
    rows, columns = (height // chip, width // chip) if chip else (1, 1)
    chips = values.reshape(bands, rows, height // rows, columns, width // columns)
    grown = [(0, max(0, side - chips.shape[axis])) for axis in (2, 4)]
    whole = np.pad(chips, ((0, 0), (0, 0), grown[0], (0, 0), grown[1]), "symmetric")
    return whole.reshape(bands, rows * whole.shape[2], columns * whole.shape[4])


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Pack the training data.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sources", type=Path, default=SOURCES)
    parser.add_argument("--output", type=Path, help="default: .cache/training/<name of the sources>.npz")
    arguments = parser.parse_args()
    output = arguments.output or Path(".cache/training") / f"{arguments.sources.stem}.npz"
    build(arguments.data, output, arguments.sources)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
