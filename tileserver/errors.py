"""Why a request is refused, each with the HTTP status that says so best."""

from __future__ import annotations

from typing import ClassVar

from comeo.errors import ComeoError


class RequestError(ComeoError):
    """A request that can't be answered, by no fault of the server.

    Attributes:
        status: HTTP status code.
    """

    status: ClassVar[int] = 400


class NotFoundError(RequestError):
    """There is no such scene, collection, tile or band."""

    status = 404


class ParameterError(RequestError):
    """A parameter is well formed, and still makes no sense here."""

    status = 422


class BoundError(RequestError):
    """A request asks for more than the server is set to do.

    Args:
        message: One sentence that names the bound.
        bound: The setting.
    """

    status = 413

    def __init__(self, message: str, bound: str) -> None:
        super().__init__(message)
        self.bound = bound


class BusyError(RequestError):
    """The server has enough to do, or a scene is just being replaced; asking again later helps."""

    status = 503
    retry_after = 2


class ConflictError(RequestError):
    """What is asked for does not go with how things stand."""

    status = 409


class TooManyError(BusyError):
    """As much as may be is under way already; asking again later helps."""

    status = 429
    retry_after = 30
