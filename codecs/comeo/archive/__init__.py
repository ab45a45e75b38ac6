"""Archives: one scene, compressed, in one self-describing file."""

from comeo.archive.blocks import assemble, blocks_of, reduced_size, valid_mask
from comeo.archive.model import ArchiveGroup, Level
from comeo.archive.reader import Archive, open_archive
from comeo.archive.writer import ArchiveWriter, archive_suffix

__all__ = [
    "Archive",
    "ArchiveGroup",
    "ArchiveWriter",
    "Level",
    "archive_suffix",
    "assemble",
    "blocks_of",
    "open_archive",
    "reduced_size",
    "valid_mask",
]
