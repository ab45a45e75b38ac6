"""OWS exceptions (OGC 06-121r3, clause 8; WMTS tables 20 to 27)."""

from __future__ import annotations

from typing import Literal

from comeo.errors import RequestError

Code = Literal[
    "OperationNotSupported", "MissingParameterValue", "InvalidParameterValue", "VersionNegotiationFailed",
    "InvalidUpdateSequence", "TileOutOfRange", "PointIJOutOfRange", "NoApplicableCode",
]  # fmt: skip
STATUS: dict[str, int] = {"OperationNotSupported": 501, "NoApplicableCode": 500}


class OwsError(RequestError):
    """A request that WMTS has an exception code for.

    Args:
        code: Of the standard.
        locator: Name of the parameter, where the standard wants one.
        message: One sentence that helps.
    """

    def __init__(self, code: Code, locator: str | None, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.locator = locator
        self.http_status = STATUS.get(code, 400)


def missing(name: str) -> OwsError:
    """A mandatory parameter that is missing."""
    return OwsError("MissingParameterValue", name, f"the parameter {name} is missing")


def invalid(name: str, message: str) -> OwsError:
    """A parameter whose value is not allowed."""
    return OwsError("InvalidParameterValue", name, message)
