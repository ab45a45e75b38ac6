"""Processes that tests start run as installs without `comeo[xarray]` do.

With xarray installed, as it is where the tests run, rio-tiler loads it with pandas and Dask's arrays: twice
the processor time of a server's start, and tests start hundreds of processes.
"""

import sys

sys.modules["xarray"] = None  # type: ignore[assignment]
