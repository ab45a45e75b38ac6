"""Errors of the server itself, and the HTTP status of every error."""

from __future__ import annotations

from collections.abc import Mapping

from comeo.errors import BoundError, ComeoError, NotFoundError, ParameterError, RequestError


class BusyError(RequestError):
    """The server is busy, or a scene is being replaced; trying again later helps."""

    retry_after = 2


class StoreError(ComeoError):
    """The database of user data cannot be read or written."""


class ConflictError(RequestError):
    """The request does not fit the present state of what it names."""


class ForbiddenError(RequestError):
    """The operator does not allow this to anybody, or not to pages of other sites."""


class ChangedError(RequestError):
    """What is to be changed is no longer as the request says."""


class UnconditionalError(RequestError):
    """The request does not say which state it changes."""


class SignInError(RequestError):
    """Only who is signed in may do this."""

    def __init__(self) -> None:
        super().__init__("sign in first: POST /account/login sends a link")


class GoneError(RequestError):
    """What the request goes on from is no longer there; beginning anew helps."""


class TooManyError(BusyError):
    """The most jobs that are allowed are under way already; trying again later helps."""

    retry_after = 30


class NotYetError(BusyError):
    """What is needed of a scene is on its way, and has not come yet."""

    retry_after = 60


class UnfinishedError(BusyError):
    """The answer takes longer than a request may; what has been done is kept, and the next one goes on."""

    retry_after = 1


class ClientGoneError(RequestError):
    """The client has closed its connection."""


_STATUS: Mapping[type[ComeoError], int] = {
    RequestError: 400,
    SignInError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    ClientGoneError: 408,
    ConflictError: 409,
    GoneError: 410,
    ChangedError: 412,
    BoundError: 413,
    ParameterError: 422,
    UnconditionalError: 428,
    TooManyError: 429,
    BusyError: 503,
}


def status_of(error: ComeoError) -> int:
    """HTTP status of an error: that of its nearest class with one, else 500."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
