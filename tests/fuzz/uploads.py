"""Files of sites: damaged ones of each format, within their packing, too."""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
import zipfile
from pathlib import Path
from random import Random
from typing import Final

from comeo.errors import BoundError, ParameterError
from tests.fuzz.mutations import mutated
from tileserver.confined import environment
from tileserver.files import sites_child, sites_file
from tileserver.files.sites_child import Limits
from tileserver.render.sites import sites_of

LIMITS: Final = Limits(vertices=200, sites=50, all_vertices=2000, unpacked=4 << 20)
_KML: Final = (
    b"<kml xmlns='http://www.opengis.net/kml/2.2'>", b"</kml>", b"<Document>", b"</Document>", b"<Folder>",
    b"<Placemark>", b"</Placemark>", b"<name>a</name>",
    b"<Polygon><outerBoundaryIs><LinearRing><coordinates>",
    b"9,47 9.1,47 9.1,47.1 9,47", b"</coordinates></LinearRing></outerBoundaryIs></Polygon>", b"<Point>",
    b"</Point>", b"<coordinates>1,2</coordinates>", b"<MultiGeometry>", b"</MultiGeometry>", b"nan,inf",
    b"<![CDATA[", b"]]>", b"<!--", b"-->", b"&amp;", b"&#0;", b"<?xml encoding='utf-16'?>", b"<!DOCTYPE kml>",
    b"1e400,-1e400", b"<NetworkLink/>", b"\xff", b"<Schema name='a'>", b"<innerBoundaryIs>",
)  # fmt: skip


class UploadTarget:
    """See `tests.fuzz.targets.Target`. GDAL runs in this process, so that its crashes are seen.

    A server reads each file in a process of its own, where a crash is one more way of not being readable.
    """

    def __init__(self) -> None:
        os.environ.update(environment(**sites_file.QUIET, OGR_SKIP=sites_file._other_drivers()))
        os.environ["OGR_CURRENT_DATE"] = "2026-01-01T00:00:00Z"  # of GeoPackages, so that cases are the same
        from tests.tileserver import uploads

        known = uploads.files()
        plain = {"type": "Polygon", "coordinates": [[[9, 47], [9.1, 47], [9.1, 47.1], [9, 47]]]}
        feature = {"type": "Feature", "properties": {"name": "A"}, "geometry": plain}
        known["json"] = json.dumps({"type": "FeatureCollection", "features": [feature, feature]}).encode()
        self._files = known
        self._kinds = sorted(known)

    def case(self, number: int) -> bytes:
        """A damaged file; of packed ones half the time what is packed."""
        random = Random(number)
        kind = random.choice(self._kinds)
        own = self._files[kind]
        if kind == "kml" and random.random() < 0.3:
            return b"<kml>" + b"".join(random.choices(_KML, k=random.randint(1, 30)))
        if kind in ("kmz", "shp") and random.random() < 0.7:
            return _repacked(own, random)
        return mutated(own, self._files[random.choice(self._kinds)], random)

    def check(self, data: bytes) -> str:
        """Read it: sites, or one sentence that names no folder."""
        with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in the child: GDAL has much to say of what it mends
            try:
                found = sites_of(_read(data, Path(name)), LIMITS.vertices, LIMITS.sites)
            except (ParameterError, BoundError) as error:
                sentence = str(error)
                assert "\n" not in sentence, sentence
                assert name not in sentence, sentence
                assert len(sentence) < 400, sentence
                return f"refused: {sentence}"
        for each in found:
            assert each.area.geometry["type"] in ("Point", "Polygon", "MultiPolygon")
        return f"read {len(found)} sites"


def _read(data: bytes, folder: Path) -> object:
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return sites_file._geojson(data)
    (folder / "upload").write_bytes(data)
    features = list(sites_child.features_of(folder, LIMITS))
    text = json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False)
    return json.loads(text)


def _repacked(own: bytes, random: Random) -> bytes:
    """A ZIP file one of whose members is damaged."""
    with zipfile.ZipFile(io.BytesIO(own)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(sorted(members))
    members[name] = mutated(members[name], members[random.choice(sorted(members))], random)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for each, content in members.items():
            archive.writestr(zipfile.ZipInfo(each), content)
    return out.getvalue()
