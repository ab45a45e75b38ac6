"""Rows as files of tables: CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from comeo.errors import ParameterError

CSV: Final = "text/csv; charset=utf-8"
PARQUET: Final = "application/vnd.apache.parquet"
Kind = Literal["time", "count", "text"]
Row = Mapping[str, Any]


def csv_text(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows as CSV by RFC 4180."""
    text = io.StringIO()
    lines = csv.DictWriter(text, names, lineterminator="\r\n")
    lines.writeheader()
    lines.writerows(rows)
    return text.getvalue()


def parquet_bytes(names: Sequence[str], rows: Sequence[Row], kinds: Mapping[str, Kind]) -> bytes:
    """Rows as Parquet.

    Args:
        names: Of the columns.
        rows: By name of column.
        kinds: What columns hold: times of RFC 3339, counts, texts; all others are float64.

    Raises:
        ParameterError: If this server cannot write it.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra)
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise ParameterError(
            "this server cannot write Parquet: pyarrow is missing (pip install 'comeo[parquet]'); "
            "request f=csv or f=json"
        ) from error
    types = {"time": pa.timestamp("us", tz="UTC"), "count": pa.int32(), "text": pa.string()}
    columns = {
        name: pa.array([row[name] for row in rows]).cast(
            types[kinds[name]] if name in kinds else pa.float64()
        )
        for name in names
    }
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, compression="zstd")
    return out.getvalue()
