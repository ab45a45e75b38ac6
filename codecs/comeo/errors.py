"""What can go wrong, each as one sentence that says what to do."""

from __future__ import annotations


class ComeoError(Exception):
    """Base of every error that is meant for the user's eyes."""


class SourceError(ComeoError):
    """A source product is missing, damaged, or not understood."""


class CodecError(ComeoError):
    """A block cannot be coded, or a payload cannot be decoded."""


class ArchiveError(ComeoError):
    """An archive is truncated, corrupt, hostile, or of an unknown version."""
