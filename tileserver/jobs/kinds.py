"""Kinds of work that a job can do. A new kind is a `Kind` in `KINDS`; queue and worker know none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from comeo.progress import Progress
from tileserver.errors import ConflictError
from tileserver.files import scene
from tileserver.files.scene import ExtractBody
from tileserver.ingest import compressions
from tileserver.ingest.compressions import CompressionOrder
from tileserver.jobs.orders import Order
from tileserver.render.scenes import Scenes

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Result of work before it is done.

    Attributes:
        facts: For the client, as JSON.
        disk_bytes: Most bytes on disk while it works.
    """

    facts: Mapping[str, Any]
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Kind(Generic[Body]):
    """A kind of work.

    Attributes:
        name: In orders, and in answers as `processID`.
        body: Model of its orders.
        estimate: Checks an order and estimates its result; raises RequestError for one that cannot be done.
        run: Does the work in a process of its own, writes its file and returns the file's extension.
    """

    name: str
    body: type[Body]
    estimate: Callable[[Scenes, Body], Estimate]
    run: Callable[[Scenes, Body, Path, Progress], str]

    def order(self, scenes: Scenes, body: Body, name: str) -> Order:
        """Check and estimate work, and make an order of it.

        Args:
            scenes: Catalogue, open archives and caches.
            body: The work.
            name: Of the file to be made, without its extension.

        Raises:
            RequestError: If it cannot be done.
        """
        estimated = self.estimate(scenes, body)
        document = body.model_dump(mode="json", exclude_none=True)
        facts = dict(estimated.facts)
        return Order(
            kind=self.name, body=document, name=name, estimate=facts, disk_bytes=estimated.disk_bytes
        )

    def do(self, scenes: Scenes, order: Order, output: Path, progress: Progress) -> str:
        """Do the work of an order; see `run`."""
        return self.run(scenes, self.body.model_validate(order.body), output, progress)


class ExtractOrder(ExtractBody):
    """A file of a scene, made by a job."""

    collection: str
    item: str


def _estimate_extract(scenes: Scenes, body: ExtractOrder) -> Estimate:
    record = scenes.find(body.collection, body.item)
    request = body.file_request(scenes.settings.max_vertices)
    facts = scene.estimate(scenes, record, request, body.format, scenes.budget())
    return Estimate(facts, scene.disk_bytes(facts))


def _run_extract(scenes: Scenes, body: ExtractOrder, output: Path, progress: Progress) -> str:
    record = scenes.find(body.collection, body.item)
    request = body.file_request(scenes.settings.max_vertices)
    scene.write(scenes, record, request, body.format, output, progress, job=True)
    return body.format


EXTRACT = Kind("extract", ExtractOrder, _estimate_extract, _run_extract)


def _estimate_compression(scenes: Scenes, body: CompressionOrder) -> Estimate:
    return Estimate(*compressions.check(scenes.settings, body))


def _run_compression(scenes: Scenes, body: CompressionOrder, output: Path, progress: Progress) -> str:
    compressions.run(scenes, body, output, progress)
    return "json"


COMPRESSION = Kind("compression", CompressionOrder, _estimate_compression, _run_compression)
KINDS: Mapping[str, Kind[Any]] = {kind.name: kind for kind in (EXTRACT, COMPRESSION)}


def kind_of(name: str) -> Kind[Any]:
    """Kind of work by its name.

    Raises:
        ConflictError: If this program does not know it.
    """
    try:
        return KINDS[name]
    except KeyError as error:
        raise ConflictError(
            f"this program has no work of the kind {name}; it has {', '.join(KINDS)}"
        ) from error
