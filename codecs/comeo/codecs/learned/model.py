"""Model files: the networks and tables that a payload was coded with.

A model file is a ZIP of stored entries, named by its SHA-256, never changed once it has been shipped:

    model.json       name, format and facts
    order.npy        (256,) uint8: the frequency (row · 16 + column) of each rank
    tables.npy       (sets, 25, 42) uint32: see `tables`
    points.npy       (sets, 25, 3) int8: see `tables`
    filter.npy       (classes, 2, 12) int8, where `model.json` has a filter: see `filter`
    pass_G_P.onnx    pass P of group G: inputs (see `features`) to scale indexes and means; exact integers

Format 2 has the layout and the quantiser in `model.json`. Format 1 knows neither: its layout is
`FIRST_LAYOUT`, its quantiser is the scalar one, and its tables and points have no first axis.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from comeo.codecs.lapped import tile_grid
from comeo.codecs.learned import tables
from comeo.codecs.learned.features import PEAK, Inputs
from comeo.codecs.learned.filter import Filter
from comeo.codecs.learned.layout import FIRST_LAYOUT, FREQUENCIES, Layout
from comeo.codecs.learned.quantiser import SCALAR, Quantiser, quantiser_of
from comeo.codecs.learned.sessions import Sessions
from comeo.codecs.payload import Buffer, Header
from comeo.errors import CodecError, MissingModelError
from comeo.settings import CodecSettings, current

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FORMAT: Final = 2
_FORMATS: Final = (1, FORMAT)
DEFAULT: Final = "sentinel2-2"
SUMS: Final = "SHA256SUMS"
TAG_BYTES: Final = 2
FIRST_REDUCED: Final = ((110, (11, 9, 8, 5)), (420, (11, 9, 8, 8)))  # of format 1: see `Model.reduced`


@dataclass(eq=False)
class Model:
    """One model file.

    Attributes:
        name: Its name in the package.
        content: Its bytes.
        flat: The same as one blob for the compiled decoder (`training.flat` makes it), if there is one.
    """

    name: str
    content: bytes
    flat: bytes | None = field(default=None, repr=False)
    _sessions: Sessions = field(default_factory=Sessions, init=False, repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex: its name in archives."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def tag(self) -> bytes:
        """Its name in payloads: the start of the digest."""
        return bytes.fromhex(self.digest)[:TAG_BYTES]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Content of `model.json`."""
        facts: dict[str, Any] = json.loads(self._entry("model.json"))
        if facts["format"] not in _FORMATS:
            known = " and ".join(map(str, _FORMATS))
            raise CodecError(f"model {self.name} is of format {facts['format']}; this program reads {known}")
        return facts

    @cached_property
    def layout(self) -> Layout:
        """Its groups of channels, in their order."""
        return FIRST_LAYOUT if self._first else Layout.from_facts(self.facts["layout"])

    @cached_property
    def quantiser(self) -> Quantiser:
        """What its symbols stand for."""
        return SCALAR if self._first else quantiser_of(self.facts["quantiser"])

    @property
    def _first(self) -> bool:
        return bool(self.facts["format"] == 1)

    @cached_property
    def reduced(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Rules of how many groups a read takes: (limit, groups at each reduction), see `groups_read`."""
        if self._first:
            return FIRST_REDUCED
        return tuple((limit, tuple(groups)) for limit, groups in self.facts.get("reduced", ()))

    def groups_read(self, reduce: int, header: Header, body: Buffer) -> int:
        """How many groups a read at 1/2^reduce of the size takes, so that its error is nearly that of all.

        Of a mean of many pixels fine groups tell little, the less the fewer bytes a tile has. The first rule
        counts that has bytes² ≤ limit · bands · tiles²; a block that is coded thoroughly, or that no rule is
        for, is read whole.

        Args:
            reduce: 0 to 3.
            header: Of the payload.
            body: From its energy classes on.
        """
        tiles = math.prod(tile_grid(header.height, header.width))
        for limit, groups in self.reduced:
            if len(body) and body[0] <= PEAK and len(body) ** 2 <= limit * header.bands * tiles**2:
                return groups[reduce]
        return len(self.layout.groups)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """(FREQUENCIES,) the frequency of each rank: row · 16 + column."""
        order = self._array("order.npy").astype(np.int64)
        if not np.array_equal(np.sort(order), np.arange(FREQUENCIES)):
            raise CodecError(f"model {self.name} is damaged")
        return order

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Which coefficient each channel is: component · 256 + row · 16 + column."""
        component, rank = self.layout.places
        places: NDArray[np.int64] = component * FREQUENCIES + self.order[rank]
        return places

    @cached_property
    def filter(self) -> Filter | None:
        """What decoded components are filtered with at full size; None: nothing."""
        facts = self.facts.get("filter")
        return None if facts is None else Filter.from_facts(facts, self._array("filter.npy"))

    @cached_property
    def tables(self) -> tables.Tables:
        """The entropy coder's tables."""
        frequencies, points = self._array("tables.npy"), self._array("points.npy")
        if self._first:
            frequencies, points = frequencies[None], points[None]
        return tables.check(frequencies, points, self.quantiser)

    def predict(
        self, group: int, number: int, inputs: Inputs, settings: CodecSettings | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Run the network of a pass.

        Args:
            group: The group of channels.
            number: The pass within it.
            inputs: Inputs of the network.
            settings: How it is run; by default `comeo.settings.current()`.

        Returns:
            Means in sixteenths and scale indexes, (tiles, channels).

        Raises:
            CodecError: If onnxruntime is missing, or has no such provider.
        """
        feeds = {name: array for name, array in inputs._asdict().items() if array is not None}
        found = self._session(group, number, settings or current()).run(None, feeds)
        index: NDArray[np.uint8] = found[0]
        mean = found[1] if len(found) > 1 else np.zeros(index.shape, np.int32)
        return mean, index

    def _session(self, group: int, number: int, settings: CodecSettings) -> InferenceSession:
        return self._sessions.get(
            (group, number), settings, lambda: self._entry(f"pass_{group}_{number}.onnx")
        )

    def graphs(self) -> dict[tuple[int, int], bytes]:
        """The ONNX graph of each (group, pass)."""
        return {
            (group, number): self._entry(f"pass_{group}_{number}.onnx")
            for group, channels in enumerate(self.layout.groups)
            for number in range(channels.passes)
        }

    def _entry(self, name: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(self.content)) as file:
            return file.read(name)

    def _array(self, name: str) -> NDArray[Any]:
        array: NDArray[Any] = np.load(io.BytesIO(self._entry(name)), allow_pickle=False)
        return array


@cache
def models() -> dict[str, Model]:
    """The models in the package, by name.

    Raises:
        CodecError: If a file is not as it was shipped.
    """
    return read_models(resources.files(__package__) / "models")


def read_models(folder: Traversable) -> dict[str, Model]:
    """The models in a folder, each file as `SHA256SUMS` there has it (what `sha256sum --check` reads).

    Raises:
        CodecError: If one is not, naming it.
    """
    lines = (line.partition("  ") for line in (folder / SUMS).read_text().splitlines())
    sums = {name: digest for digest, _, name in lines}
    contents = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith((".zip", ".bin")):
            content = contents[file.name] = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != sums.get(file.name):
                raise CodecError(
                    f"the model file {file.name} is damaged, its SHA-256 is not that of {SUMS}: install comeo"
                    " again; in a working tree, where it was changed on purpose, run python -m training.flat"
                )
    names = [name[:-4] for name in contents if name.endswith(".zip")]
    return {name: Model(name, contents[f"{name}.zip"], contents.get(f"{name}.bin")) for name in names}


def find_model(digest: str) -> Model | None:
    """The model of an archive, by its SHA-256: of the package, or of the folder of the settings.

    Raises:
        CodecError: If its file there is damaged.
        SettingsError: If the environment has a value that is not allowed.
    """
    from comeo.codecs.learned.folder import model_of  # noqa: PLC0415 - which makes models

    for model in models().values():
        if model.digest == digest:
            return model
    folder = current().models
    return None if folder is None else model_of(folder, digest)


def by_tag(tag: bytes) -> Model:
    """The model of a payload.

    Raises:
        CodecError: If it is neither in the package nor in the folder of the settings, or two there have it.
    """
    for model in models().values():
        if model.tag == tag:
            return model
    from comeo.codecs.learned.folder import models_in  # noqa: PLC0415 - which makes models

    folder = current().models
    found = [] if folder is None else models_in(folder, tag.hex())
    if not found:
        raise CodecError(
            f"the payload needs the model {tag.hex()}…, which this version of comeo doesn't have"
        )
    if len(found) > 1:
        raise CodecError(f"two models in the folder of models begin with {tag.hex()}; remove one of them")
    return found[0]


def require(digest: str) -> None:
    """Make sure that payloads which name a model by its tag are decoded by that one.

    Raises:
        MissingModelError: If the model is missing, or another one goes by its tag.
    """
    found = find_model(digest)
    if found is None:
        raise MissingModelError(
            f"it was coded with the model {digest[:12]}…, which this version of comeo doesn't have: install "
            "a newer one, or put the model into the folder of models (COMEO_MODELS)"
        )
    if by_tag(found.tag).digest != digest:
        raise MissingModelError(
            f"it was coded with the model {digest[:12]}…, and another one goes by the same tag: install a "
            "newer version of comeo"
        )
