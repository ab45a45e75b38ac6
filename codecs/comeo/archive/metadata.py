"""The metadata of an archive, read and checked without a codec."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from typing import Any, Final, Generic, TypeVar

from affine import Affine
from pydantic import BaseModel, ValidationError

from comeo.archive import histogram, means
from comeo.archive.certificate import Certificate, decode
from comeo.archive.clear_model import SHARD
from comeo.archive.clouds import CloudFacts
from comeo.archive.documents import loads
from comeo.archive.histogram import Histogram
from comeo.archive.inventory import Inventory
from comeo.archive.means import Factors
from comeo.archive.model import (
    ArchiveGroup,
    ArrayMetadata,
    Characters,
    ComeoAttributes,
    GroupAttributes,
    ItemModel,
    Level,
    RootAttributes,
)
from comeo.archive.power import POWER, Power
from comeo.archive.stores import Store
from comeo.archive.stores.base import METADATA_KEY
from comeo.archive.text import plain
from comeo.decibel import uses_power
from comeo.errors import ArchiveError, NotFoundError
from comeo.missions import mission_id, of_mission

UNCHECKED: Final = frozenset(("certificate", "histograms", "means", "shards", "proj:wkt2"))
"""Texts that are decoded or parsed, by stricter rules, and never shown as they stand."""

Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")


class Metadata:
    """All that an archive states about itself.

    Args:
        store: Of the archive.

    Attributes:
        name: Of its file or folder, for messages.
        item: The STAC Item that it carries.
        left_out: Names of members whose text is markup or script, and which are therefore not read.
        groups: By name, finest resolution first.
        inventory: Which shards there are.
        whole_etag: `etag` of the whole archive; the same unless this one is on its way.
        completeness: Share of its bytes that are here: 1 unless it is on its way.
        layers: Names of what is here as a whole; `all` unless it is on its way.

    Raises:
        ArchiveError: If the metadata are damaged or contradict each other, or are of an unknown version.
    """

    def __init__(self, store: Store) -> None:
        documents = _Documents(store)
        root = documents.attributes(METADATA_KEY, RootAttributes)
        self.name = store.name
        self.item = root.stac_discovery
        self._size, self._fingerprint = store.size, store.fingerprint
        self.whole_etag, self.layers = store.whole_fingerprint, store.layers
        self.completeness = store.here.total / store.size
        self._comeo: ComeoAttributes = root.comeo
        self._item = documents.validated(METADATA_KEY, ItemModel, self.item)
        mission = mission_id(self.item.get("properties") or {})
        self.groups: dict[str, ArchiveGroup] = {}
        for name in root.comeo.groups:
            finer = tuple(self.groups.values())
            self.groups[name] = documents.group(name, root.comeo.codec, mission, finer)
        self.left_out = tuple(documents.left_out)
        names = [band.name for group in self.groups.values() for band in group.bands]
        if len(set(names)) < len(names) or len(self.groups) < len(root.comeo.groups):
            raise ArchiveError(f"{self.name} has two bands or groups of one name")
        self.inventory = self._read_inventory(root.comeo)
        store.opened()

    def _read_inventory(self, comeo: ComeoAttributes) -> Inventory:
        levels = [level for group in self.groups.values() for level in group.levels]
        try:
            return Inventory(comeo.shards, levels, None if comeo.clear is None else SHARD)
        except ValueError as error:
            raise ArchiveError(f"{self.name}: {METADATA_KEY}: comeo.shards: {error}") from error

    @property
    def id(self) -> str:
        """STAC Item id."""
        return self._item.id

    @property
    def collection(self) -> str:
        """STAC Collection id."""
        return self._item.collection

    @property
    def datetime(self) -> datetime | None:
        """Acquisition time, with a time zone, or None where it is unknown."""
        properties = self._item.properties
        return None if properties.datetime_unknown else properties.datetime

    @property
    def format_version(self) -> int:
        """Version of the archive format, 1 or 2."""
        return self._comeo.format_version

    @property
    def codec(self) -> str:
        """Name of the codec of all blocks."""
        return self._comeo.codec

    @property
    def preset(self) -> str | None:
        """What the encoder coded more finely than the rest: `vegetation`; None: nothing."""
        return self._comeo.preset

    @property
    def despeckle(self) -> str | None:
        """What the speckle of radar was filtered with before it was coded: `lee`; None: nothing.

        Errors are those against the filtered scene.
        """
        return self._comeo.despeckle

    @property
    def clouds(self) -> CloudFacts | None:
        """How clouds were coded more coarsely, and their errors, of which the certificate does not tell.

        None where they were not, or that is `damaged`; then all errors count as unknown.
        """
        return self._clouds.value

    @property
    def model(self) -> str | None:
        """SHA-256 (hex) of the learned model, if the codec has one."""
        return self._comeo.model

    @property
    def step(self) -> float:
        """Quantisation step of the native level, in stored numbers."""
        return self._comeo.step

    @property
    def raw_bytes(self) -> int:
        """Bytes of the scene's bands as 16-bit integers at native resolution."""
        return sum(
            2 * group.levels[0].bands * group.levels[0].height * group.levels[0].width
            for group in self.groups.values()
        )

    @property
    def archive_bytes(self) -> int:
        """Bytes of the whole archive."""
        return self._size

    @property
    def ratio(self) -> float:
        """How many times smaller than the raw bands the archive is."""
        return self.raw_bytes / self.archive_bytes

    @property
    def etag(self) -> str:
        """Hex digest of the content that is here: see `Store.fingerprint`."""
        return self._fingerprint

    @property
    def source(self) -> dict[str, str]:
        """Name and SHA-256 (hex) of the product that the archive was made from; empty where unknown."""
        return self._comeo.source.model_dump()

    @property
    def damaged(self) -> dict[str, str]:
        """Parts that pixels do not need and that are damaged, and so count as unknown: a sentence by name.

        `certificate`, `clouds`, `means`, `histograms`, `power`.
        """
        sentences = {
            "certificate": self._certificate.damage,
            "clouds": self._clouds.damage,
            "means": self._means.damage,
            "histograms": self._histograms.damage,
            "power": self._power.damage,
        }
        return {name: sentence for name, sentence in sentences.items() if sentence}

    @property
    def certificate(self) -> Certificate | None:
        """Errors of coding, by band and block, or None where they are not known: not stated, or `damaged`."""
        return None if self._clouds.damage else self._certificate.value

    @property
    def means(self) -> dict[str, list[Factors]]:
        """How certain means are: factors of each band, by group, as `comeo.archive.means` has them.

        NaN where they are `damaged`.
        """
        bands = [len(group.bands) for group in self.groups.values()]
        factors = (None if self._clouds.damage else self._means.value) or [self._unstated] * sum(bands)
        return {
            name: factors[end - count : end]
            for name, count, end in zip(self.groups, bands, accumulate(bands), strict=True)
        }

    @property
    def _unstated(self) -> Factors:
        """Factors of a band where the archive has none."""
        if self._means.damage or self._clouds.damage:
            return Factors(math.nan, math.nan)
        return means.factors_of(math.nan, math.nan, self.codec)

    @property
    def power(self) -> Power | None:
        """What coding lost of the mean power of bands in decibels, by band; None where it is not known."""
        return self._power.value

    def histogram(self, band: str) -> Histogram | None:
        """Where the original pixels of a band lie, or None where that is not known: not stated, or `damaged`.

        Raises:
            NotFoundError: If there is no such band.
        """
        names = [each.name for group in self.groups.values() for each in group.bands]
        if band not in names:
            raise NotFoundError(f"{self.id} has no band {band}; it has {', '.join(names)}")
        found = self._histograms.value
        return None if found is None else found[names.index(band)]

    @cached_property
    def _certificate(self) -> Part[Certificate]:
        layouts = [group.layout for group in self.groups.values()]

        def read(value: Any) -> Certificate:
            return decode(Characters.validate_python(value), layouts, self.step)

        return part_of(self._comeo.certificate, read, f"{self.name} has a damaged quality certificate")

    @cached_property
    def _clouds(self) -> Part[CloudFacts]:
        def read(value: Any) -> CloudFacts:
            if self._comeo.clear is None:
                raise ValueError("no classes say where they are")
            facts = CloudFacts.model_validate(value)
            names = {band.name for group in self.groups.values() for band in group.bands}
            if set(facts.rmse) != names or set(facts.maximum) != names:
                raise ValueError("they tell of other bands than there are")
            return facts

        return part_of(self._comeo.clouds, read, f"{self.name} has damaged facts of coarse clouds")

    @cached_property
    def _means(self) -> Part[list[Factors]]:
        bands = sum(len(group.bands) for group in self.groups.values())

        def read(value: Any) -> list[Factors]:
            stated = means.decode(Characters.validate_python(value), bands)
            pairs = zip(stated[::2], stated[1::2], strict=True)
            return [means.factors_of(small, large, self.codec) for small, large in pairs]

        return part_of(self._comeo.means, read, f"{self.name} has damaged factors of means")

    @cached_property
    def _power(self) -> Part[Power]:
        def read(value: Any) -> Power:
            found = POWER.validate_python(value)
            bands = [band for group in self.groups.values() for band in group.bands if uses_power([band])]
            if set(found) != {band.name for band in bands}:
                raise ValueError("it tells of other bands than there are in decibels")
            return found

        return part_of(self._comeo.power, read, f"{self.name} has damaged figures of mean power")

    @cached_property
    def _histograms(self) -> Part[list[Histogram | None]]:
        types = [group.dtype for group in self.groups.values() for _ in group.bands]

        def read(value: Any) -> list[Histogram | None]:
            return histogram.decode(Characters.validate_python(value), types)

        return part_of(self._comeo.histograms, read, f"{self.name} has damaged histograms")


@dataclass(frozen=True, slots=True)
class Part(Generic[Value]):
    """A part of an archive that pixels do not need.

    Attributes:
        value: What it says; None where there is no such part, or it is damaged.
        damage: What is wrong with it, a sentence; empty where nothing is.
    """

    value: Value | None = None
    damage: str = ""


def part_of(value: Any, read: Callable[[Any], Value], what: str) -> Part[Value]:
    """Read a part.

    Args:
        value: As it stands in the metadata; None where it does not.
        read: Turns it into what it says, or raises `ValueError`.
        what: Begins the sentence where it does.
    """
    if value is None:
        return Part()
    try:
        return Part(read(value))
    except ValidationError as error:
        first = error.errors()[0]
        words = [*(str(part) for part in first["loc"]), first["msg"]]
        return Part(damage=f"{what}: {': '.join(words)}")
    except ValueError as error:
        return Part(damage=f"{what}: {error}")


class _Documents:
    """The zarr.json documents of a store, as checked objects."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.left_out: list[str] = []

    def attributes(self, key: str, model: type[Model]) -> Model:
        """Attributes of a node."""
        attributes, left_out = plain(self._node(key).get("attributes"), UNCHECKED)
        self.left_out += left_out
        return self.validated(key, model, attributes)

    def validated(self, key: str, model: type[Model], value: Any) -> Model:
        """A part of a document, checked; errors name the first member that is wrong."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "its content"
            message = first["msg"].removeprefix("Value error, ")
            raise ArchiveError(f"{self._store.name}: {key}: {where}: {message}") from error

    def group(self, name: str, codec: str, mission: str, finer: Sequence[ArchiveGroup]) -> ArchiveGroup:
        """A group of a mission's bands with all its levels, which have to fit each other and finer ones."""
        key = f"{name}/{METADATA_KEY}"
        attributes = self.attributes(key, GroupAttributes)
        try:
            crs = attributes.crs()
        except ValueError as error:
            raise ArchiveError(f"{self._store.name}: {key}: {error}") from error
        transform = Affine(*attributes.transform)
        known = {level.key: level for other in finer if other.crs == crs for level in other.levels}
        levels = tuple(self._level(name, number, transform, codec, known) for number in attributes.levels)
        native = levels[0]
        for level in levels:
            size = (-(-native.height >> level.number), -(-native.width >> level.number))
            facts = (level.bands, level.height, level.width, level.dtype)
            if facts != (len(attributes.bands), *size, native.dtype):
                raise ArchiveError(f"{self._store.name}: {level.key} does not fit {native.key}")
        bands = tuple(of_mission(band.band(), mission) for band in attributes.bands)
        return ArchiveGroup(name, bands, crs, native.dtype, attributes.nodata, levels)

    def _level(
        self, group: str, number: int, transform: Affine, codec: str, finer: Mapping[str, Level]
    ) -> Level:
        key = f"{group}/{number}/data/{METADATA_KEY}"
        array = self.validated(key, ArrayMetadata, self._node(key))
        try:
            return array.level(group, number, transform @ Affine.scale(2**number), codec, finer)
        except ValueError as error:
            raise ArchiveError(f"{self._store.name}: {key}: {error}") from error

    def _node(self, key: str) -> dict[str, Any]:
        try:
            return loads(self._store.metadata(key))
        except ValueError as error:
            raise ArchiveError(f"{self._store.name}: {key} is not JSON: {error}") from error
