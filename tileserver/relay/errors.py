"""What can be wrong with an upstream, by what helps."""

from __future__ import annotations

from comeo.errors import ComeoError


class UpstreamError(ComeoError):
    """An upstream cannot be used as it is."""


class UnreachableError(UpstreamError):
    """An upstream does not answer, or the link broke: trying again later helps."""


class ChangedError(UpstreamError):
    """An archive is not the one that its line tells of, or no longer."""


class FeedError(UpstreamError):
    """A feed says what must not be believed. Nothing more is taken from it until a person has looked."""


class RewoundError(FeedError):
    """A feed has fewer lines than were seen of it: an old copy of it, or a log that was set back."""


class NewEpochError(UpstreamError):
    """An origin has begun its log anew: lines are read from the first, archives compared by (id, etag)."""
