"""From a scene to an archive of a given ratio or step."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from comeo.archive import Archive, ArchiveWriter, Level
from comeo.archive.certificate import DETAILS
from comeo.archive.model import ID_PATTERN
from comeo.codecs import DEFAULT_CODEC, Codec, get_codec
from comeo.codecs.payload import check_step
from comeo.compress.encode import encode_scene
from comeo.compress.item import build_item
from comeo.compress.measure import SHARE, Tally
from comeo.compress.plan import plan
from comeo.compress.rate import RateModel
from comeo.errors import ArchiveError, CodecError, SourceError
from comeo.progress import Progress, Silent
from comeo.scene import Scene

RATIO_TOLERANCE = 0.015
_PASSES = 4
_VERIFY_BATCH = 8
_LEFT_OUT = {
    7: "the bias of blocks is",
    3: "bias and maximum of blocks are",
    1: "blocks are",
    0: "blocks and the correlation of bands are",
}


def compress(
    scene: Scene,
    output: Path,
    *,
    codec: str = DEFAULT_CODEC,
    ratio: float | None = None,
    step: float | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Compress a scene into one archive, which appears under its name only when it is whole and read back.

    Args:
        scene: The scene.
        output: Name of the archive, ending in `.zarr.zip` or `.zarr`.
        codec: Name of the codec.
        ratio: Raw bytes of the scene / bytes of the archive; found by choosing the step.
        step: Quantisation step, instead of a ratio.
        force: Replace an archive of that name.
        progress: Told how far the work has come.

    Returns:
        `output`.

    Raises:
        ArchiveError: If `output` exists, or reading back finds a fault.
        CodecError: If the codec, the ratio or the step can't be had.
        SourceError: If the scene has no valid pixel or can't be read.
    """
    if ratio is not None and step is not None:
        raise CodecError("give a ratio or a step, not both")
    if output.exists() and not force:
        raise ArchiveError(f"{output} exists already; use --force to replace it")
    if not re.fullmatch(ID_PATTERN, scene.id):
        raise SourceError(
            f"{scene.id!r} can't be an archive's id: use letters, digits, '.', '_' and '-' (--id)"
        )
    coder = get_codec(codec)
    watch = progress or Silent()
    # Blocks are coded in threads of our own; BLAS's threads on top of them make it ten times slower.
    with threadpool_limits(1, user_api="blas"):
        if ratio is not None:
            return _compress_to_ratio(scene, output, coder, ratio, watch)
        if step is not None:
            check_step(step)
            return _write(scene, output, coder, step, watch).commit()
    raise CodecError("give a ratio or a step")


def _compress_to_ratio(scene: Scene, output: Path, codec: Codec, ratio: float, progress: Progress) -> Path:
    """Full passes until the whole file has the ratio, the first at the step that a sample suggests."""
    if not 1 < ratio < 100_000:
        raise CodecError(f"a ratio lies between 1 and 100 000, not {ratio:g}")
    target = scene.raw_bytes / ratio
    model = RateModel(scene, plan(scene, 1.0), codec, progress)
    step = model.first_guess(ratio)
    overhead = min(0.05 * target, 20_000)
    for _ in range(_PASSES):
        if target <= overhead:
            raise CodecError(
                f"×{ratio:g} can't be reached: the metadata of this scene alone take {overhead:.0f} of "
                f"{target:.0f} bytes; ask for a lower ratio, or fix the step"
            )
        step = round(model.find_step(target - overhead, step), 3)
        writer = _write(scene, output, codec, step, progress)
        try:
            size = writer.size
            progress.note(f"step {step:g} gives ×{scene.raw_bytes / size:.1f}")
            if abs(size / target - 1) <= RATIO_TOLERANCE:
                return writer.commit()
        except BaseException:
            writer.discard()
            raise
        overhead = size - writer.payload_bytes
        model.correct(step, writer.payload_bytes)
        writer.discard()
    raise CodecError(
        f"×{ratio:g} can't be met: the last pass gave ×{scene.raw_bytes / size:.1f}; fix the step"
    )


def _write(scene: Scene, output: Path, codec: Codec, step: float, progress: Progress) -> ArchiveWriter:
    """Write and verify an archive at a step, short of giving it its name."""
    groups = plan(scene, step)
    writer = ArchiveWriter(output, groups, codec=codec.name)
    tally = Tally(groups, step)
    try:
        spans = encode_scene(scene, groups, codec, writer, tally, progress)
        if not (spans[:, 0] < spans[:, 1]).any():
            raise SourceError(f"{scene.id} has no valid pixel in {groups[0].name}")
        writer.finish(
            build_item(scene, spans),
            _facts(scene, codec, step),
            lambda archive: _verify(archive, tally, progress),
            lambda size: _certified(tally, size, progress),
        )
    except BaseException:
        writer.discard()
        raise
    return writer


def _facts(scene: Scene, codec: Codec, step: float) -> dict[str, Any]:
    return {
        **({"model": codec.model_digest} if codec.model_digest else {}),
        "step": step,
        "raw_bytes": scene.raw_bytes,
        "source": {"name": scene.source_name, "sha256": scene.source_checksum},
    }


def _certified(tally: Tally, size: int, progress: Progress) -> dict[str, str]:
    """The certificate as a fact of the archive; what had to be left out of it is told, never silent."""
    found = tally.certificate(size)
    if found is None:
        progress.note(f"no quality certificate: it would be more than {SHARE:.0%} of so small an archive")
        return {}
    text, detail = found
    if detail != DETAILS[0]:
        progress.note(
            f"{_LEFT_OUT[detail]} left out of the certificate, which may be {SHARE:.0%} of the archive"
        )
    return {"certificate": text}


def _verify(archive: Archive, tally: Tally, progress: Progress) -> None:
    """Read every block of an archive back.

    Blocks of level 0 have been decoded to be measured, so they have to be those very bytes; others are
    decoded. The certificate has to tell what was measured.
    """
    tally.check(archive.name, archive.certificate)
    batches: list[tuple[Level, Sequence[tuple[int, int]]]] = []
    for group in archive.groups.values():
        for level in group.levels:
            rows, cols = level.grid
            places = [divmod(index, cols) for index in range(rows * cols)]
            batches += [
                (level, places[start : start + _VERIFY_BATCH])
                for start in range(0, len(places), _VERIFY_BATCH)
            ]
    progress.start("verifying", len(batches))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda batch: _verify_batch(archive, tally, *batch), batches):
            progress.advance()


def _verify_batch(archive: Archive, tally: Tally, level: Level, blocks: Sequence[tuple[int, int]]) -> None:
    if level.number:
        archive.decode_blocks(level, blocks)
        return
    for (row, col), payload in zip(blocks, archive.payloads(level, blocks), strict=True):
        if not tally.measured_on(level.group, row, col, payload):
            raise ArchiveError(
                f"{archive.name}: block ({row}, {col}) of {level.group}/0 is not the one that was written"
            )
