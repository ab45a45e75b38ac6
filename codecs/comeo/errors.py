"""Errors for the user's eyes, each one sentence that says what to do."""

from __future__ import annotations


class ComeoError(Exception):
    """Base of every error that is meant for the user's eyes."""


class SourceError(ComeoError):
    """A source product is missing, damaged, or not understood."""


class CodecError(ComeoError):
    """A block cannot be coded, or a payload cannot be decoded."""


class ArchiveError(ComeoError):
    """An archive is truncated, corrupt, hostile, or of an unknown version."""


class OutputError(ArchiveError):
    """A file cannot be written.

    Args:
        name: Of the file.
        reason: As the system has it.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be written: {reason}")
        self.reason = reason


class CrsError(ComeoError, ValueError):
    """A coordinate reference system is unknown, not one of a map, or not accepted from others."""


class ReplacedError(ArchiveError):
    """An archive is not the one that was expected in its place."""


class OutOfReachError(ArchiveError):
    """An archive cannot be read for now: the fault lies on the way to it, or in what it asks for."""


class MissingModelError(CodecError, OutOfReachError):
    """An archive was coded with a learned model that is not here: its pixels cannot be decoded for now."""


class NotHereError(ArchiveError):
    """Bytes of an archive that is on its way have not come yet."""


class RequestError(ComeoError):
    """A request for pixels or facts cannot be answered, for a reason that lies in the request."""


class NotFoundError(RequestError):
    """The scene, collection, tile, band or area does not exist."""


class ParameterError(RequestError):
    """A parameter is well formed but makes no sense here."""


class BoundError(RequestError):
    """A request asks for more than a bound allows.

    Args:
        message: One sentence that names the bound.
        bound: Name of the setting.
    """

    def __init__(self, message: str, bound: str) -> None:
        super().__init__(message)
        self.bound = bound


def passes(error: BaseException) -> bool:
    """Whether an error is of the disk, the system or the way to an archive, and not of its bytes."""
    return isinstance(error, (OSError, OutOfReachError)) or isinstance(error.__cause__, OSError)
