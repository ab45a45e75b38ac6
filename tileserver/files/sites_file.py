"""Files of sites as GIS programs write them: KML, KMZ, GeoPackage, a zipped Shapefile, GeoJSON.

All but GeoJSON is read by GDAL, through pyogrio, in a process of its own: see `sites_child`. What comes out
of it is GeoJSON in WGS 84, which goes the way of all GeoJSON.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from comeo.errors import BoundError, ComeoError, ParameterError
from tileserver.confined import environment
from tileserver.errors import BusyError
from tileserver.files.sites_child import SECONDS, Limits

CHILD: Final = "tileserver.files.sites_child"
DRIVERS: Final = ("KML", "GPKG", "ESRI Shapefile")
OUTPUT: Final = "sites.json"
MOST_VERTICES: Final = 500_000
"""Of all sites of a file together."""
UNPACKED: Final = 8
"""How many times its size a packed file may have, once unpacked."""
UNREADABLE: Final = "the file cannot be read as KML, KMZ, GeoPackage, zipped Shapefile or GeoJSON"
log = logging.getLogger(__name__)
QUIET: Final = {
    "PROJ_NETWORK": "OFF", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{noext}", "GDAL_HTTP_TIMEOUT": "1",
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip
"""GDAL and PROJ ask nobody, and take one core."""


def read_sites(data: bytes, max_vertices: int, most: int, max_bytes: int) -> Any:
    """The sites of a file as GeoJSON in degrees; `tileserver.render.sites` checks them.

    Args:
        data: The file.
        max_vertices: Positions that each site may have.
        most: Sites that it may have.
        max_bytes: Of the file.

    Returns:
        As parsed from JSON; of a file that is no GeoJSON a FeatureCollection, whose features have names.

    Raises:
        ParameterError: If it cannot be read, saying why.
        BoundError: If it is too large, or takes too long.
        BusyError: If the system lets no process be started.
        ComeoError: If pyogrio is not installed.
    """
    if len(data) > max_bytes:
        raise BoundError(f"the file has {len(data)} bytes, more than {max_bytes}", "max_upload_bytes")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return _geojson(data)
    limits = Limits(max_vertices, most, MOST_VERTICES, UNPACKED * max_bytes)
    try:
        with tempfile.TemporaryDirectory(prefix="comeo-sites-") as name:
            folder = Path(name)
            (folder / "upload").write_bytes(data)
            ending = _run(folder, limits)
            return _answer(folder / OUTPUT, ending)
    except OSError as error:
        log.exception("a file of sites was not read")
        reason = error.strerror or "the system refuses"
        raise BusyError(f"the server cannot read the file now ({reason}); try again later") from error


def _geojson(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ParameterError("the file begins as GeoJSON, and is no JSON in UTF-8") from error


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _run(folder: Path, limits: Limits) -> int:
    """Let the child read the file of a folder; its exit status is returned."""
    own = environment(**QUIET, OGR_SKIP=_other_drivers(), TMPDIR=str(folder))
    command = [sys.executable, "-m", CHILD, str(folder), *map(str, limits)]
    with (folder / OUTPUT).open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - this very program
            command, cwd=folder, env=own, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            return child.wait(SECONDS + 10)  # it ends itself before
        except subprocess.TimeoutExpired:
            return -signal.SIGALRM
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _answer(output: Path, ending: int) -> Any:
    """What the child has written.

    Raises:
        ParameterError: See `read_sites`.
        BoundError: Likewise.
        BusyError: Likewise.
    """
    if -ending in (signal.SIGALRM, signal.SIGXCPU):
        raise BoundError(
            f"the file takes longer to read than {SECONDS} seconds; send fewer or simpler sites", "upload"
        )
    if -ending == signal.SIGXFSZ:
        raise BoundError("the file is too large once it is unpacked; send fewer or simpler sites", "upload")
    if ending == os.EX_IOERR:
        raise BusyError("the server's disk lets no file be read now; try again later")
    try:
        answer = json.loads(output.read_bytes())
    except ValueError as error:  # GDAL has ended the process
        log.warning("a file of sites has ended its process: status %d", ending)
        raise ParameterError(UNREADABLE) from error
    if "error" not in answer:
        return answer
    if answer["bound"]:
        raise BoundError(answer["error"], answer["bound"])
    raise ParameterError(answer["error"])


@lru_cache(maxsize=1)
def _other_drivers() -> str:
    """All of GDAL's drivers but ours, as its setting wants them; asked of a process of its own.

    Raises:
        ComeoError: If pyogrio is not installed.
    """
    program = f"import pyogrio; print(','.join(set(pyogrio.list_drivers()) - set({DRIVERS})))"
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-c", program],
        env=environment(**QUIET),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ComeoError("files of sites need pyogrio; run: pip install 'comeo[geoservices]'")
    return done.stdout.strip()
