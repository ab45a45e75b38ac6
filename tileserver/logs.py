"""Logs of the server's process: lines of JSON for programs, lines of text for a person at a terminal."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tileserver.settings import LogFormat


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the members of `extra={"fields": {…}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """Local time, level, message, and the members of `extra={"fields": {…}}` as `name=value`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Write a record's first line."""
        return " ".join(
            [super().formatMessage(record), *(f"{key}={value}" for key, value in _fields(record).items())]
        )


def configure(log_format: LogFormat, level: int = logging.INFO) -> None:
    """Send the logs of both packages to stderr. For a process that is a server, not for one that embeds it.

    Args:
        log_format: `json` or `text`.
        level: Least level to be written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    for name in ("tileserver", "comeo"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)
    # It reports its threads on import, which would be the only line that is not in the format.
    logging.getLogger("numexpr").setLevel(logging.WARNING)


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    return fields
