"""Pictures of scenes of which not all is here: drawn of coarser pixels, which is said, instead of of none."""

from __future__ import annotations

from comeo.archive import Archive


class Coarser:
    """Lets a request be drawn of coarser pixels than it asks for, and notes what it was drawn of.

    It belongs to one request, as its budget does. Numbers are never read so: a mean over other pixels is
    another number.

    Attributes:
        completeness: Share of bytes that are here, of the scene of which the fewest are.
        levels: Most halvings by which pixels are coarser than those that were asked for.
        waiting: Scenes that could not be drawn at all.
        gaps: Whether pixels were left out, as nothing that shows them is here yet.
    """

    def __init__(self) -> None:
        self.completeness = 1.0
        self.levels = 0
        self.waiting = 0
        self.gaps = False

    def drawn(self, archive: Archive, levels: int, *, gaps: bool = False) -> None:
        """Note a scene that was drawn, with pixels coarser by so many levels, maybe not everywhere."""
        self.completeness = min(self.completeness, archive.completeness)
        self.levels = max(self.levels, levels)
        self.gaps = self.gaps or gaps

    def missed(self, archive: Archive) -> None:
        """Note a scene of which not even coarse pixels are here."""
        self.completeness = min(self.completeness, archive.completeness)
        self.waiting += 1

    @property
    def is_partial(self) -> bool:
        """Whether anything may look otherwise when more is here."""
        return self.completeness < 1
