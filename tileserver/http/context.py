"""State of the application, addresses, and answers with images and documents: shared by all routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode

from flask import Response, current_app, request
from morecantile import TileMatrixSet
from pydantic_core import to_json

from comeo.cache import ByteCache
from comeo.errors import NotFoundError
from comeo.grid import Grid
from comeo.view.budget import Budget
from tileserver import metrics
from tileserver.catalog import Record
from tileserver.http import looking
from tileserver.http.conditional import answer_by_content, answer_unless_known
from tileserver.http.forwarded import root_address
from tileserver.http.gate import Gate
from tileserver.http.parameters import TilesetQuery
from tileserver.jobs.queue import Jobs
from tileserver.render.documents import may_change
from tileserver.render.encode import MEDIA_TYPES, PICTURES
from tileserver.render.matrixsets import matrix_set, matrix_sets, tile_grid
from tileserver.render.partial import HEADER, MAX_AGE, PartialImage, is_of_parts
from tileserver.render.scenes import Scenes

EXTENSION = "comeo"
Part = TypeVar("Part")
TILESET_PARAMETERS = ("tms", "tile_format", "tile_scale")


@dataclass(frozen=True, slots=True)
class State:
    """All that an application keeps between requests.

    Attributes:
        scenes: Catalogue, open archives and caches of pixels.
        gate: For heavy requests.
        jobs: Work that takes longer than a request should.
        documents: Large documents by ETag, apart from tiles, which they would crowd out of their cache.
        parts: See `part`.
    """

    scenes: Scenes
    gate: Gate
    jobs: Jobs
    documents: ByteCache[str, bytes]
    parts: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, scenes: Scenes, jobs: Jobs) -> State:
        """Set up for one process of the server: whatever waits leaves a thread for tiles."""
        settings = scenes.settings
        waiting = max(0, settings.threads - settings.heavy_requests - 1)
        return cls(
            scenes, Gate(settings.heavy_requests, waiting, settings.queue_seconds), jobs,
            ByteCache(
                settings.document_cache_bytes // settings.workers, len, metrics.watch_cache("documents")
            ),
        )  # fmt: skip

    def part(self, kind: Callable[[Scenes], Part]) -> Part:
        """The application's one object of a protocol's own class, made of the scenes on first use."""
        if kind not in self.parts:
            self.parts.setdefault(kind, kind(self.scenes))
        made: Part = self.parts[kind]
        return made


def state() -> State:
    """State of the application that answers."""
    return cast("State", current_app.extensions[EXTENSION])


def scenes() -> Scenes:
    """Scenes of the application that answers."""
    return state().scenes


def base_url() -> str:
    """Where clients reach the server, without a slash at the end.

    Raises:
        BadRequest: See `root_address`.
    """
    public = scenes().settings.public_url
    return public.rstrip("/") or root_address(request.environ)


def extension_of(name: str) -> str:
    """File name extension in its usual spelling."""
    return "jpg" if name == "jpeg" else name


def grid_of(tms: str, z: int, x: int, y: int, scale: int = 1) -> Grid:
    """Grid of a tile.

    Raises:
        NotFoundError: If there is no such matrix set, or no such tile in it.
    """
    grid = tile_grid(matrix_set_of(tms), x, y, z, scale)
    if grid is None:
        raise NotFoundError(f"{tms} has no tile {z}/{x}/{y}")
    return grid


def matrix_set_of(name: str) -> TileMatrixSet:
    """Tile matrix set by its name.

    Raises:
        NotFoundError: If the name is unknown.
    """
    try:
        return matrix_set(name)
    except KeyError as error:
        raise NotFoundError(
            f"there is no tile matrix set {name}; there are {', '.join(matrix_sets())}"
        ) from error


def item_address(record: Record) -> str:
    """URL of a scene's images."""
    return f"{collection_address(record.collection)}/items/{quote(record.id, safe='')}"


def collection_address(collection: str) -> str:
    """URL of a collection's images."""
    return f"{base_url()}/collections/{quote(collection, safe='')}"


def tile_template(address: str, query: TilesetQuery) -> str:
    """Tile URL with {z}, {x} and {y}, carrying on the parameters of the request."""
    carried = [(key, value) for key, value in request.args.items(multi=True) if key not in TILESET_PARAMETERS]
    dense = f"@{query.tile_scale}x" if query.tile_scale > 1 else ""
    parameters = f"?{urlencode(carried)}" if carried else ""
    return f"{address}/tiles/{query.tms}/{{z}}/{{x}}/{{y}}{dense}.{query.tile_format}{parameters}"


def scene_max_age(style: str | None) -> int:
    """Seconds that caches may keep an image of one scene: fewer where its style may get a newer version."""
    settings = scenes().settings
    longest = settings.tile_max_age
    return min(longest, settings.mosaic_max_age) if may_change(style) else longest


def picture_budget(extension: str) -> Budget:
    """The budget of an image: of one that is only looked at, pixels may be coarser while finer ones come."""
    return scenes().budget(picture=extension in PICTURES, missing=looking.missing())


def image_answer(extension: str, etag: str, max_age: int, render: Callable[[], bytes]) -> Response:
    """Answer with an image, or with 304 if the client has it."""
    response = answer_unless_known(etag, lambda: _image(extension, render()))
    if is_of_parts(etag):
        if response.status_code == 304 and isinstance(kept := scenes().rendered.peek(etag), PartialImage):
            looking.shown(kept)  # it is looked at again
        response.headers["Cache-Control"] = f"public, max-age={MAX_AGE}"
    else:
        response.headers["Cache-Control"] = f"public, max-age={max_age}, stale-while-revalidate={max_age}"
    return response


def _image(extension: str, body: bytes) -> Response:
    response = Response(body, content_type=MEDIA_TYPES[extension])
    if isinstance(body, PartialImage):
        response.headers[HEADER] = body.told
        looking.shown(body)
    return response


def extract_answer(extension: str, name: str, body: bytes) -> Response:
    """Answer with an image that is to be saved as a file."""
    response = _image(extension, body)
    response.headers.set("Content-Disposition", "inline", filename=f"{name}.{extension}")
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def document_answer(document: Mapping[str, Any], content_type: str = "application/json") -> Response:
    """Answer with JSON that may change at any time, and that clients revalidate."""
    body = to_json(document)  # a fifth of the time of Flask's own, on long pages
    return answer_by_content(Response(body, content_type=content_type))
