"""A Sentinel-1 GRD product: SAFE (TIFF or COG inside) or the short names of the public buckets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as GdalWindow

from comeo.errors import SourceError
from comeo.radar.noise import Noise
from comeo.radar.orbit import Orbit
from comeo.radar.vectors import Lut
from comeo.scene import Window
from comeo.sources.container import Container
from comeo.sources.gdal import GdalFile
from comeo.sources.grd.annotation import POLARISATIONS, Annotation, parse_annotation
from comeo.sources.grd.luts import Quantity, parse_calibration, parse_noise
from comeo.sources.xmltree import XmlTree

_ANNOTATION: Final = re.compile(r"((?:.*/)?)annotation/([^/]+)\.xml")
_TRACKS: Final = 175  # relative orbits, which repeat every 12 days
_INFO: Final = "productInfo.json"
_NO_IMAGE: Final = re.compile(r"S1[A-D]_(?:IW|EW|WV|S[1-6])_(SLC|RAW|OCN)")
_NAME: Final = re.compile(r"S1[A-D]_(?:IW|EW|S[1-6])_GRD[FHM]_1S(?:SH|SV|DH|DV)_\d{8}T\d{6}_\w+")
_IPF: Final = re.compile(r"0*(\d{1,3})\.(\d{1,2})(?:\.\d+)*")


@dataclass(frozen=True, slots=True)
class GrdImage:
    """One polarisation.

    Attributes:
        annotation: What it says of itself.
        calibration: The tables, one a quantity.
        noise: Thermal noise, or None.
        noise_missing: Why there is none.
        file: Its pixels.
    """

    annotation: Annotation
    calibration: Mapping[Quantity, Lut]
    noise: Noise | None
    noise_missing: str
    file: GdalFile

    def read(self, window: Window) -> NDArray[np.uint16]:
        """Digital numbers (y, x) of a window inside the image; 0 is no data. From several threads at once."""
        part = GdalWindow(window.col, window.row, window.width, window.height)
        with self.file.handle() as dataset:
            values: NDArray[np.uint16] = dataset.read(1, window=part)
        return values


@dataclass(frozen=True, slots=True)
class Grd:
    """A product.

    Attributes:
        name: Its own.
        images: By polarisation, the co-polarised first.
        ipf: Version of the processor that made it: (3, 40).
        relative_orbit: Number of the track.
        precise: An orbit to be used instead of the product's own, or None.
    """

    name: str
    images: Mapping[str, GrdImage]
    ipf: tuple[int, int]
    relative_orbit: int
    precise: Orbit | None = None

    @property
    def properties(self) -> dict[str, Any]:
        """STAC Item properties, of the `sar` and `sat` extensions."""
        first = self.first.annotation
        return {
            "platform": f"sentinel-1{first.platform[-1].lower()}",
            "constellation": "sentinel-1",
            "instruments": ["c-sar"],
            "sar:instrument_mode": "SM" if first.mode.startswith("S") else first.mode,
            "sar:frequency_band": "C",
            "sar:polarizations": list(self.images),
            "sar:product_type": "GRD",
            "sat:orbit_state": "ascending" if first.ascending else "descending",
            "sat:relative_orbit": self.relative_orbit,
            "sat:absolute_orbit": first.absolute_orbit,
            "processing:software": {"Sentinel-1 IPF": f"{self.ipf[0]:03}.{self.ipf[1]:02}"},
        }

    @property
    def first(self) -> GrdImage:
        """The image that geometry is taken from: the same for all."""
        return next(iter(self.images.values()))

    def close(self) -> None:
        """Close its files."""
        for image in self.images.values():
            image.file.close()


def open_grd(container: Container) -> Grd:
    """Open a GRD product.

    Args:
        container: Its files; closed by the caller.

    Raises:
        SourceError: If it is none, or is damaged or incomplete.
    """
    where = container.path.name
    found = [match for name in sorted(container.names) if (match := _ANNOTATION.fullmatch(name))]
    roots = {match.group(1) for match in found}
    refuse_other_kinds(where, roots)
    if len(roots) != 1:
        raise SourceError(
            f"{where} holds {len(roots)} Sentinel-1 GRD products (folders named annotation); give the folder "
            "or zip of one"
        )
    root = roots.pop()
    manifest = _xml(container, f"{root}manifest.safe")
    ipf = _processor(manifest)
    images: dict[str, GrdImage] = {}
    try:
        for match in found:
            image = _image(container, root, match.group(2), ipf)
            if images.setdefault(image.annotation.polarisation, image) is not image:
                raise SourceError(f"{where} has two annotations of {image.annotation.polarisation}")
        _check_alike(where, list(images.values()))
    except BaseException:
        for image in images.values():
            image.file.close()
        raise
    return Grd(
        name=_name(container, root),
        images={name: images[name] for name in POLARISATIONS if name in images},
        ipf=ipf,
        relative_orbit=_track(manifest),
    )


def refuse_other_kinds(where: str, folders: Iterable[str]) -> None:
    """Refuse SLC, RAW and OCN.

    Args:
        where: Name of the product.
        folders: Names of folders in it.

    Raises:
        SourceError: If one of the names is of such a product.
    """
    if other := next(filter(None, map(_NO_IMAGE.match, (where, *sorted(folders)))), None):
        raise SourceError(
            f"{where} is a Sentinel-1 {other.group(1)} product; take the GRD product of the same acquisition"
        )


def _image(container: Container, root: str, stem: str, ipf: tuple[int, int]) -> GrdImage:
    folder = f"{root}annotation/"
    annotation = parse_annotation(_xml(container, f"{folder}{stem}.xml"))
    calibration, dn = parse_calibration(_xml(container, f"{folder}calibration/calibration-{stem}.xml"))
    tree = _xml(container, f"{folder}calibration/noise-{stem}.xml")
    noise, missing = parse_noise(tree, annotation, ipf, calibration["sigma0"], dn)
    if annotation.denoised:
        noise, missing = None, "it has been removed already"
    plain = stem.removesuffix("-cog")
    candidates = [f"{root}measurement/{plain}{end}" for end in (".tiff", "-cog.tiff")]
    name = next((name for name in candidates if name in container.names), None)
    if name is None:
        raise SourceError(f"{container.path.name} has no {candidates[0]}; download the product again, whole")
    file = GdalFile(container.local(name))
    try:
        _check_image(file, annotation)
    except BaseException:
        file.close()
        raise
    return GrdImage(annotation, calibration, noise, missing, file)


def _check_image(file: GdalFile, annotation: Annotation) -> None:
    with file.handle() as dataset:
        shape, dtypes = dataset.shape, dataset.dtypes
    if shape != (annotation.lines, annotation.samples) or dtypes != ("uint16",):
        raise SourceError(
            f"{file.name} has {shape[1]}×{shape[0]} pixels of {', '.join(dtypes)[:40]}, but its annotation "
            f"says {annotation.samples}×{annotation.lines} of uint16; download it again"
        )


def _check_alike(where: str, images: list[GrdImage]) -> None:
    """Refuse images that do not lie on each other: one geometry is used for all."""
    first, *others = (image.annotation for image in images)
    for other in others:
        same = (other.start, other.lines, other.samples, other.interval, other.range_spacing)
        if same != (first.start, first.lines, first.samples, first.interval, first.range_spacing):
            raise SourceError(
                f"{where}: {first.polarisation} and {other.polarisation} are not of one acquisition"
            )


def _xml(container: Container, name: str) -> XmlTree:
    if name not in container.names:
        raise SourceError(f"{container.path.name} has no {name}; download the product again, whole")
    return XmlTree(container.read(name), PurePosixPath(name).name)


def _processor(manifest: XmlTree) -> tuple[int, int]:
    """Version of the Instrument Processing Facility."""
    for software in manifest.all("software"):
        match = _IPF.fullmatch(software.get("version", ""))
        if match and "IPF" in software.get("name", ""):
            return int(match.group(1)), int(match.group(2))
    raise SourceError(f"{manifest.where} does not say which version of the processor made the product")


def _track(manifest: XmlTree) -> int:
    """Number of the relative orbit."""
    number = manifest.number("relativeOrbitNumber")
    if not (number == int(number) and 1 <= number <= _TRACKS):
        raise SourceError(
            f"{manifest.where}: the relative orbit is {number:g}, not 1 to {_TRACKS}; download it again"
        )
    return int(number)


def _name(container: Container, root: str) -> str:
    """The product's name, from its folder, its zip or its metadata."""
    candidates = [PurePosixPath(root).name, container.path.name, container.path.stem]
    if _INFO in container.names:  # of the public buckets, whose folders may have been renamed
        with suppress(ValueError, SourceError, RecursionError):
            info = json.loads(container.read(_INFO))
            candidates.append(str(info.get("id")) if isinstance(info, dict) else "")
    match = next(filter(None, map(partial(re.match, _NAME), candidates)), None)
    return match.group(0) if match else container.path.stem
