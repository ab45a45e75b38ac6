"""An archive's metadata are read without its codec."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).parents[3] / "samples" / "S2_UTM37N_lake.zarr.zip"
HEAVY = ("numba", "scipy", "imagecodecs", "onnxruntime", "zarr", "zarr_cm", "xarray", "httpx2", "skimage")


def test_info_imports_no_codec() -> None:
    program = (
        "import sys\n"
        "from comeo.archive import open_archive\n"
        f"with open_archive({str(SAMPLE)!r}) as archive:\n"
        "    assert archive.info()['groups'] and archive.certificate\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
