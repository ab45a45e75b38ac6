"""Which scenes of a collection can be shown beside others, and say what a request has to know."""

from __future__ import annotations

from comeo.archive import Archive
from comeo.errors import NotFoundError
from comeo.scene import TERRAIN_CORRECTED
from comeo.view.clear import check_mask, clear_of
from tileserver.render.plan import RenderPlan


class Told:
    """Which scenes of a collection can say what a request has to know of their pixels, and where these lie.

    A scene that does not say which of its pixels are clear is left out where a mask is wanted: a cloud of it
    would hide the clear pixels of the next one. Where none of the scenes says it, that is an error.
    """

    def __init__(self) -> None:
        self._refused: NotFoundError | None = None
        self._some = False

    def by(self, archive: Archive, plan: RenderPlan) -> bool:
        """Whether an archive has the classes that a plan needs."""
        try:
            check_placed(archive)
            if plan.classes:
                clear_of(archive)
            if plan.mask is not None:
                check_mask(archive, plan.mask)
        except NotFoundError as error:
            self._refused = self._refused or error.with_traceback(None)  # which has images in its frames
            return False
        self._some = True
        return True

    def check(self) -> None:
        """Refuse an answer of which every scene was left out.

        Raises:
            NotFoundError: As the first one said it.
        """
        if self._refused is not None and not self._some:
            raise self._refused


def check_placed(archive: Archive) -> None:
    """Refuse a scene whose pixels lie only roughly where they should, for use beside others.

    Raises:
        NotFoundError: If it came from radar geometry without a DEM.
    """
    if archive.item.get("properties", {}).get(TERRAIN_CORRECTED) is False:
        raise NotFoundError(
            "scenes that are not terrain-corrected are shown alone, not with others of their "
            "collection; make their archives anew with --dem"
        )
