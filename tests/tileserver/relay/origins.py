"""An origin in a folder, for tests of relays."""

from __future__ import annotations

import hashlib
import uuid
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from comeo.archive import open_archive
from comeo.archive.ranges import pieces_of
from comeo.compression import compress
from tests.scenes import array_group, array_scene
from tileserver.relay.feed.facts import packed_head
from tileserver.relay.feed.keys import SigningKey
from tileserver.relay.feed.layout import FEED, HEADS, INDEX, OPEN, head_name
from tileserver.relay.feed.lines import moment, write_index, write_line

FINE = Affine(10, 0, 472_480, 0, -10, 5_257_490)
NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
BBOX = (8.63, 47.27, 8.92, 47.47)
"""About that of scenes of 2112 pixels."""


def make_archive(folder: Path, name: str, *, seed: int = 0, size: int = 2112) -> Path:
    """An archive with overviews, of two resolutions, one predicted from the other."""
    rng = np.random.default_rng(seed)
    low = rng.integers(800, 4000, (1, size // 32, size // 32), np.uint16)
    fine = low.repeat(32, axis=1).repeat(32, axis=2) + rng.integers(0, 40, (1, size, size), np.uint16)
    groups = (
        array_group(fine, names=["B04"], transform=FINE),
        array_group(fine[:, ::2, ::2] // 2, names=["B11"], transform=FINE @ Affine.scale(2)),
    )
    scene = array_scene(*groups, scene_id=name, collection="optical")
    path = folder / f"{name}.zarr.zip"
    compress(scene, path, codec="dct", step=60.0, force=True)
    return path


def _rename(archive: Path, collection: str | None, item: str | None) -> None:
    """Give an archive other ids, byte for byte the same otherwise."""
    with open_archive(archive) as opened:
        names = {opened.id: item or opened.id, opened.collection: collection or opened.collection}
    if all(old == new for old, new in names.items()):
        return
    with zipfile.ZipFile(archive) as old:
        entries = [(info, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as new:
        for info, data in entries:
            written = data
            for before, after in names.items() if info.filename == "zarr.json" else ():
                written = written.replace(f'"{before}"'.encode(), f'"{after}"'.encode())
            new.writestr(zipfile.ZipInfo(info.filename, info.date_time), written)


@dataclass
class FolderOrigin:
    """A static origin.

    Attributes:
        root: Its folder.
        key: That it signs with.
        documents: Lines so far.
        whole: Whether they are all that a log which was begun anew has to tell.
    """

    root: Path
    key: SigningKey = field(default_factory=SigningKey.make)
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    epoch: int = 1
    documents: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = True

    def put(self, archive: Path, *, pack: bool = False, **changes: Any) -> dict[str, Any]:
        """Tell of an archive in the folder, and have its head packed; it is given the ids that are told."""
        _rename(archive, changes.get("c"), changes.get("id"))
        data = archive.read_bytes()
        with open_archive(archive) as opened:
            pieces = pieces_of(opened)
            ((tail, _),), coarse = list(pieces.head), list(pieces.coarse)
            line = {
                "op": "put", "c": opened.collection, "id": opened.id, "t": moment(NOW), "bbox": list(BBOX),
                "ratio": 10.0, "codec": opened.codec, "bytes": len(data), "etag": opened.etag,
                "sha256": hashlib.sha256(data).hexdigest(), "tail": tail,
                "coarse": coarse[0][0] if coarse else tail,
                "href": str(archive.relative_to(self.root)), "published": moment(NOW),
            }  # fmt: skip
        packed = packed_head(str(archive), line) if pack else None
        if packed is not None:
            line["packed"] = len(packed)
            (self.root / HEADS).mkdir(parents=True, exist_ok=True)
            (self.root / HEADS / head_name(str(line["etag"]))).write_bytes(packed)
        return self.add({**line, **changes})

    def drop(self, name: str, why: str) -> dict[str, Any]:
        """Tell that an archive is gone."""
        return self.add({"op": "drop", "c": "optical", "id": name, "why": why})

    def add(self, document: dict[str, Any]) -> dict[str, Any]:
        """Add a line."""
        self.documents.append({**document, "seq": len(self.documents) + 1})
        self.write()
        return self.documents[-1]

    def write(self) -> None:
        """Write the feed."""
        (self.root / FEED).mkdir(parents=True, exist_ok=True)
        lines = [write_line(each, self.uuid, self.epoch, self.key) for each in self.documents]
        (self.root / OPEN).write_bytes(b"".join(lines))
        index = {
            "v": 1, "origin": self.uuid, "epoch": self.epoch, "first": 1, "last": len(lines), "segment": 1000,
            "wait": 0, "key": self.key.text, "name": "test", "licence": "", "models": [], "time": moment(NOW),
            "whole": self.whole,
        }  # fmt: skip
        (self.root / INDEX).write_bytes(write_index(index, self.key))

    def definition(self, **parts: str) -> str:
        """RELAY.toml of a relay of this origin; parts by name of their table replace the usual ones."""
        url = parts.pop("url", f"file://{self.root}")
        usual = {"subscription": '[[subscription]]\nname = "all"', "link": "", "disk": "[disk]\nfree = 0"}
        top = parts.pop("top", "")
        tables = "\n".join({**usual, **parts}.values())
        return f'folder = "relay"\n{top}\n[origin]\nurl = "{url}"\nkey = "{self.key.text}"\n{tables}\n'
