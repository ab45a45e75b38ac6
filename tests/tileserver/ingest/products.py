"""Small products as sources have them, and a service of a folder of them."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import rasterio
from rasterio.transform import from_origin

from tests.scenes import landscape
from tileserver.ingest.compressing import work
from tileserver.ingest.document import read_source
from tileserver.ingest.executors import Executor
from tileserver.ingest.finding import finder_of
from tileserver.ingest.journal import Journal
from tileserver.ingest.orders import Done, Order
from tileserver.ingest.runner import Runner, journal_path, only_runner

OPENED: list[Journal] = []
QUICK = '[[quality]]\ncodec = "dct"\nstep = 60\n'


def write_product(path: Path, seed: int = 0, side: int = 96) -> Path:
    """A GeoTIFF of four named bands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".part")
    with rasterio.open(
        new, "w", driver="GTiff", height=side, width=side, count=4, dtype="uint16", crs="EPSG:32632",
        transform=from_origin(472_480, 5_257_490, 10, 10),
    ) as file:  # fmt: skip
        file.write(landscape(4, side, side, seed))
        file.descriptions = ("B02", "B03", "B04", "B08")
        file.scales = (1e-4,) * 4
        file.offsets = (-0.1,) * 4
    new.rename(path)
    return path


def write_bands(folder: Path, stem: str, seed: int = 0, side: int = 96) -> None:
    """Two GeoTIFFs of a band each, `<stem>B04.tif` and `<stem>B08.tif`."""
    folder.mkdir(parents=True, exist_ok=True)
    values = landscape(2, side, side, seed)
    for number, key in enumerate(("B04", "B08")):
        with rasterio.open(
            folder / f"{stem}{key}.tif", "w", driver="GTiff", height=side, width=side, count=1,
            dtype="uint16", crs="EPSG:32632", transform=from_origin(472_480, 5_257_490, 10, 10),
        ) as file:  # fmt: skip
            file.write(values[number : number + 1])


def name_of(number: int, month: int = 5) -> str:
    """Name of a product, later for a higher number."""
    return f"S2A_32TMT_2020{month:02}{number + 1:02}_{number}_L2A"


def document(folder: Path, text: str = "", *, quality: str = QUICK, filled: int = 0) -> Path:
    """SOURCE.toml of a folder that has some products, in the folder above it."""
    for number in range(filled):
        write_product(folder / "in" / f"{name_of(number)}.tif", number)
    path = folder / "SOURCE.toml"
    head = 'kind = "folder"\nfolder = "in"\noutput = "out"\nstill_seconds = 0\nevery_seconds = 0.05\n'
    path.write_text(f"{head}{text}\n{quality}")
    return path


class Inline:
    """Carries out orders in threads of this process, as far as it is told what to do with them."""

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self.orders: list[Order] = []
        self.most = 0
        self._running = 0
        self._threads = ThreadPoolExecutor(slots)

    def submit(self, order: Order) -> Future[Done]:
        self.orders.append(order)
        self._running += 1
        self.most = max(self.most, self._running)
        future = self._threads.submit(self.work, order)
        future.add_done_callback(self._over)
        return future

    def work(self, order: Order) -> Done:
        return work(order)

    def close(self) -> None:
        self._threads.shutdown(wait=True)

    def _over(self, _: Future[Done]) -> None:
        self._running -= 1


def ingest(path: Path, executor: Executor | None = None, *, once: bool = True) -> Journal:
    """Run a service once, and give its journal."""
    source = read_source(path)
    with only_runner(source):
        journal = Journal(journal_path(source))
        OPENED.append(journal)
        Runner(source, journal, finder_of(source, journal), executor or Inline()).run(once=once)
    return journal


def archives(folder: Path) -> list[str]:
    """Ids in the names of archives in a folder."""
    return sorted(path.name.partition(".")[0] for path in (folder / "out").glob("*.zarr.zip"))


def until(condition: object, seconds: float = 60.0) -> None:
    """Wait until something is so."""
    assert callable(condition)
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.02)
