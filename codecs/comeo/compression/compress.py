"""From a scene to an archive of a given ratio or step."""

from __future__ import annotations

import numbers
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from comeo.archive import Archive, ArchiveGroup, ArchiveWriter, Level, archive_suffix
from comeo.archive.certificate import DETAILS
from comeo.archive.clear import ClearLayer
from comeo.archive.clouds import COARSE
from comeo.archive.model import ID_PATTERN
from comeo.archive.stores import ZIP_SUFFIX, sweep
from comeo.codecs import DEFAULT_CODEC, Codec, get_codec
from comeo.codecs.ground import CLOUD_WEIGHT
from comeo.codecs.payload import check_step
from comeo.compression.apart import with_decibels_apart
from comeo.compression.choice import codec_for
from comeo.compression.clear import check_method, check_written, clear_layer, with_shares
from comeo.compression.clouds import Ground, check_clouds, ground_of, marked
from comeo.compression.despeckle import check_despeckle, despeckled
from comeo.compression.encode import encode_scene
from comeo.compression.item import build_item, check_place
from comeo.compression.measure import HISTOGRAM_SHARE, SHARE, ErrorAccumulator
from comeo.compression.plan import plan
from comeo.compression.pool import executor_of, in_order
from comeo.compression.presets import check_bands, check_preset
from comeo.compression.rate import RateModel
from comeo.decibel import uses_power
from comeo.errors import ArchiveError, CodecError, SourceError
from comeo.places import is_far
from comeo.progress import Progress, Silent
from comeo.scene import Scene
from comeo.sources import open_source

DEFAULT_RATIO = 100.0
RATIO_TOLERANCE = 0.015
_PASSES = 4
_VERIFY_BATCH = 8
_LEFT_OUT = {
    7: "the bias of blocks is",
    3: "bias and maximum of blocks are",
    1: "blocks are",
    0: "blocks and the correlation of bands are",
}


@dataclass(frozen=True, slots=True)
class _Work:
    """A compression: the same in each of its passes."""

    scene: Scene
    output: Path
    codec: Codec
    progress: Progress
    executor: Executor
    replace: bool
    clear: ClearLayer | None
    independent_groups: bool
    preset: str | None
    despeckle: str | None
    ground: Ground | None

    def plan(self, step: float) -> list[ArchiveGroup]:
        """The scene's groups, as they are archived at a step."""
        return plan(self.scene, step, independent_groups=self.independent_groups)

    def note_groups(self) -> None:
        """Say which groups are coded by themselves though others could have helped."""
        if not self.independent_groups:
            for group in self.plan(1.0)[1:]:
                if group.levels[0].reference is None and not uses_power(group.bands):
                    self.progress.note(
                        f"{group.name} is coded by itself: no group has pixels half as large that fit into it"
                    )


def compress(
    source: Scene | str | Path,
    output: str | Path,
    *,
    codec: str = DEFAULT_CODEC,
    ratio: float | None = None,
    step: float | None = None,
    clear: str | None = None,
    force: bool = False,
    independent_groups: bool = False,
    preset: str | None = None,
    clouds: str | None = None,
    despeckle: str | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Path:
    """Compress a scene into one archive, which appears under its name once it is complete and verified.

    Args:
        source: A scene, or anything that `open_source` opens.
        output: Name of the archive, ending in `.zarr.zip` or `.zarr`; or an existing folder, in which it
            becomes `<id>.zarr.zip`.
        codec: Name of the codec: see `codec_names`.
        ratio: Raw bytes of the scene / bytes of the archive, met by choosing the step. 100 if neither a ratio
            nor a step is given.
        step: Quantisation step in stored numbers, instead of a ratio.
        clear: How to know which pixels are clear: `scl`, `s2cloudless` or `none`: see `clear_layer`.
        force: Replace an archive of that name.
        independent_groups: Predict no group from a finer one: plain Zarr readers can read all of the archive
            then, and it is about a fifth larger.
        preset: `vegetation` codes red and near infrared more finely, the other bands more coarsely.
        clouds: `coarse` codes clouds in steps about four times as long, so that more bytes are left for the
            ground. It needs to be known which pixels are cloud: see `clear`.
        despeckle: `lee` filters the speckle of radar backscatter before it is coded, its mean power kept.
            The archive says so, and its errors are those against the filtered scene.
        progress: Receives the stages and units of the work.
        executor: Runs the reading and coding of blocks. It must share this process's memory, as a
            `ThreadPoolExecutor` does, and stays open. None: one thread a CPU; verifying has its own.

    Returns:
        The name of the archive.

    Raises:
        ArchiveError: If the archive exists already, or verification finds a fault.
        CodecError: If the codec is unknown or cannot code clouds so, or the ratio or step is not possible.
        SourceError: If the source cannot be read or has no valid pixel, or does not say what is cloud.
    """
    if is_far(output):
        raise ArchiveError(
            f"{output} is no file: compress into one, and publish that as `comeo compress` does"
        )
    check_wanted(ratio, step)
    check_clouds(clouds, get_codec(codec))
    check_method(clear)
    check_preset(preset)
    check_despeckle(despeckle)
    with nullcontext(source) if isinstance(source, Scene) else open_source(source) as opened:
        scene = despeckled(with_decibels_apart(opened), despeckle)
        path = _place_of(scene, Path(output), force=force)
        check_place(scene)
        check_bands(scene, preset)
        # Blocks are coded in threads of our own; BLAS's threads on top of them make it ten times slower.
        with threadpool_limits(1, user_api="blas"), executor_of(executor) as threads:
            layer = clear_layer(scene, clear)
            work = _Work(
                marked(with_shares(scene, layer), clouds), path, codec_for(scene, codec),
                progress or Silent(), threads, force, layer, independent_groups, preset, despeckle,
                ground_of(scene, clouds, layer),
            )  # fmt: skip
            return _done(work, ratio, step)


def _done(work: _Work, ratio: float | None, step: float | None) -> Path:
    """The archive's name once it is there: see `compress`."""
    work.note_groups()
    if step is None:
        return _compress_to_ratio(work, DEFAULT_RATIO if ratio is None else ratio)
    return _write(work, step).commit(replace=work.replace)


def _place_of(scene: Scene, output: Path, *, force: bool) -> Path:
    """Name of a scene's archive, free or to be replaced; what broken-off work left beside it is removed."""
    if not re.fullmatch(ID_PATTERN, scene.id):
        raise SourceError(
            f"{scene.id!r} is not valid as an archive's id: use letters, digits, '.', '_' and '-' (--id)"
        )
    path = output
    if archive_suffix(path) is None and path.is_dir():
        path = path / f"{scene.id}{ZIP_SUFFIX}"
    sweep(path.parent)
    if path.exists() and not force:
        raise ArchiveError(f"{path} exists already; use --force to replace it")
    return path


def check_wanted(ratio: float | None, step: float | None) -> None:
    """Refuse a ratio or step that is not possible, before a source is opened.

    Raises:
        CodecError: Saying what there may be.
    """
    if ratio is not None and step is not None:
        raise CodecError("give a ratio or a step, not both")
    given: Any = ratio
    if given is not None:
        number = isinstance(given, numbers.Real) and not isinstance(given, bool)
        if not (number and 1 < given < 100_000):
            raise CodecError(f"a ratio lies between 1 and 100 000, not {given!r}")
    if step is not None:
        check_step(step)


def _compress_to_ratio(work: _Work, ratio: float) -> Path:
    """Full passes until the whole file has the ratio, the first at the step that a sample suggests."""
    scene = work.scene
    target = scene.raw_bytes / ratio
    model = RateModel(
        scene, work.plan(1.0), work.codec, work.progress, work.executor, work.preset, work.ground
    )
    step = model.first_guess(ratio)
    overhead = min(0.05 * target, 20_000) + (work.clear.size if work.clear else 0)
    for _ in range(_PASSES):
        if target <= overhead:
            raise CodecError(
                f"×{ratio:g} is not possible: the metadata of this scene alone take {overhead:.0f} of "
                f"{target:.0f} bytes; choose a lower ratio, or give a step instead"
            )
        step = round(model.find_step(target - overhead, step), 3)
        writer = _write(work, step)
        try:
            size = writer.size
            work.progress.note(f"step {step:g} gives ×{scene.raw_bytes / size:.1f}")
            if abs(size / target - 1) <= RATIO_TOLERANCE:
                return writer.commit(replace=work.replace)
        except BaseException:
            writer.discard()
            raise
        overhead = size - writer.payload_bytes
        model.correct(step, writer.payload_bytes)
        writer.discard()
    raise CodecError(
        f"×{ratio:g} was not met: the last pass gave ×{scene.raw_bytes / size:.1f}; give a step instead"
    )


def _write(work: _Work, step: float) -> ArchiveWriter:
    """Write and verify an archive at a step, short of giving it its name."""
    scene = work.scene
    groups = work.plan(step)
    writer = ArchiveWriter(work.output, groups, codec=work.codec.name, clear=work.clear)
    errors = ErrorAccumulator(groups, step)
    try:
        spans = encode_scene(
            scene, groups, work.codec, writer, errors, work.progress, work.executor, work.preset, work.ground
        )
        if not (spans[:, 0] < spans[:, 1]).any():
            raise SourceError(f"{scene.id} has no valid pixel in {groups[0].name}")
        writer.finish(
            build_item(scene, spans),
            {**_facts(work, step), **_of_clouds(work, errors), **_of_power(errors)},
            lambda archive: _verify(archive, errors, work),
            lambda size: _certified(errors, size, work.progress),
        )
    except BaseException:
        writer.discard()
        raise
    return writer


def _facts(work: _Work, step: float) -> dict[str, Any]:
    scene, model = work.scene, work.codec.model_digest
    return {
        **({"model": model} if model else {}),
        **({"preset": work.preset} if work.preset else {}),
        **({"despeckle": work.despeckle} if work.despeckle else {}),
        "step": step,
        "raw_bytes": scene.raw_bytes,
        "source": {"name": scene.source_name, "sha256": scene.source_checksum},
    }


def _of_clouds(work: _Work, errors: ErrorAccumulator) -> dict[str, Any]:
    """How clouds were coded and what that lost, if they were not coded as the ground was."""
    if work.ground is None:
        return {}
    facts = {"coding": COARSE, "weight": CLOUD_WEIGHT, "share": work.ground.cloud_share}
    return {"clouds": {**facts, **errors.clouds()}}


def _of_power(errors: ErrorAccumulator) -> dict[str, Any]:
    """What was lost of the mean power of bands in decibels, if there are any."""
    found = errors.power()
    return {"power": {band: own.model_dump() for band, own in found.items()}} if found else {}


def _certified(errors: ErrorAccumulator, size: int, progress: Progress) -> dict[str, Any]:
    """What was measured, as facts of the archive; a note says what had to be left out."""
    facts: dict[str, Any] = {"means": errors.means()}
    histograms = errors.histograms(size)
    if histograms is None:
        progress.note(f"no histograms: they would be more than {HISTOGRAM_SHARE:.0%} of so small an archive")
    else:
        facts["histograms"] = histograms
    found = errors.certificate(size)
    if found is None:
        progress.note(f"no quality certificate: it would be more than {SHARE:.0%} of so small an archive")
        return facts
    text, detail = found
    if detail != DETAILS[0]:
        progress.note(
            f"{_LEFT_OUT[detail]} left out of the certificate, which may be {SHARE:.0%} of the archive"
        )
    return {**facts, "certificate": text}


def _verify(archive: Archive, errors: ErrorAccumulator, work: _Work) -> None:
    """Read every block of an archive back.

    Blocks of level 0 have been decoded to be measured, so they have to be those very bytes; others are
    decoded. The certificate has to state what was measured.
    """
    errors.check(archive.name, archive.certificate)
    stated = None if archive.clouds is None else archive.clouds.model_dump()
    if stated != _of_clouds(work, errors).get("clouds"):
        raise ArchiveError(f"{archive.name}: it does not state the errors of its clouds")
    if (archive.power or {}) != errors.power():
        raise ArchiveError(f"{archive.name}: it does not state what its mean power lost")
    check_written(archive, work.clear)
    batches: list[tuple[Level, Sequence[tuple[int, int]]]] = []
    for group in archive.groups.values():
        for level in group.levels:
            rows, cols = level.grid
            places = [divmod(index, cols) for index in range(rows * cols)]
            batches += [
                (level, places[start : start + _VERIFY_BATCH])
                for start in range(0, len(places), _VERIFY_BATCH)
            ]
    work.progress.start("verifying", len(batches))
    for _ in in_order(work.executor, lambda batch: _verify_batch(archive, errors, *batch), batches):
        work.progress.advance()


def _verify_batch(
    archive: Archive, errors: ErrorAccumulator, level: Level, blocks: Sequence[tuple[int, int]]
) -> None:
    if level.number:
        archive.decode_blocks(level, blocks)
        return
    for (row, col), payload in zip(blocks, archive.payloads(level, blocks), strict=True):
        if not errors.measured_on(level.group, row, col, payload):
            raise ArchiveError(
                f"{archive.name}: block ({row}, {col}) of {level.group}/0 is not the one that was written"
            )
