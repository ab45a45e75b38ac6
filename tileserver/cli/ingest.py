"""`comeo ingest`: the compression service."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tileserver.cli.places import LocalPath
from tileserver.cli.progress import LiveLine
from tileserver.cli.signals import ended_by_signal

if TYPE_CHECKING:
    from tileserver.ingest.journal import Journal, Row
    from tileserver.ingest.orders import State
    from tileserver.ingest.runner import UnderWay

_REFRESH_SECONDS: Final = 0.5
_RUN: Final = "run"


class _Group(click.Group):
    """A group whose first command can be left out: `comeo ingest SOURCE.toml` runs it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group`."""
        if args and args[0] not in self.commands:
            args = [_RUN, *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command`: options of the first command may come before its argument."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


_document = click.argument("document", metavar="SOURCE.toml", type=LocalPath(exists=True, dir_okay=False))


@click.group(cls=_Group)
def ingest() -> None:
    """Compress what a source has, as SOURCE.toml says: a folder, a STAC API, a subscription of CDSE.

    `comeo ingest SOURCE.toml` works until it is ended; see docs/ingest.md.
    """


@ingest.command(_RUN)
@_document
@click.option("--once", is_flag=True, help="End when all that there is has been tried.")
@click.option(
    "--executor", default="processes", show_default=True,
    help="Where the work is done: processes, or the scheduler of Dask, as tcp://host:8786.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1, 1024),
    help="Products at once.  [default: as many as there are processors for, or workers of Dask]",
)  # fmt: skip
@ended_by_signal()
def run(document: Path, once: bool, executor: str, workers: int | None) -> None:
    """Compress what the source of SOURCE.toml has (the default command)."""
    from comeo.errors import ComeoError
    from tileserver.ingest.document import read_source
    from tileserver.ingest.executors import executor_of
    from tileserver.ingest.finding import finder_of
    from tileserver.ingest.journal import Journal
    from tileserver.ingest.orders import State
    from tileserver.ingest.runner import Runner, journal_path, only_runner

    source = read_source(document)
    with only_runner(source), closing(Journal(journal_path(source))) as journal:
        finder = finder_of(source, journal)
        shown = _Shown(journal)
        codecs = sorted({each.codec for each in source.quality})
        work = executor_of(executor, workers, source.cores, codecs)
        try:
            Runner(source, journal, finder, work, shown).run(once=once)
        except KeyboardInterrupt:
            click.echo("comeo: ended; what was under way is begun again the next time", err=True)
            raise SystemExit(130) from None
        finally:
            shown.finish()
        counts = journal.counts()
    click.echo(_in_words(counts))
    bad = counts.get(State.FAILED, 0) + counts.get(State.DEAD, 0)
    if bad:
        raise ComeoError(f"{bad} products were not compressed; `comeo ingest status {document}` says why")


@ingest.command()
@_document
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Lines a state."
)
def status(document: Path, as_json: bool, limit: int) -> None:
    """Say what has become of the products of SOURCE.toml: under way, failed and dead ones by name."""
    import json
    from dataclasses import asdict

    from tileserver.ingest.document import read_source
    from tileserver.ingest.orders import UNDER_WAY, State
    from tileserver.ingest.runner import journal_path, progress_of

    source = read_source(document)
    with _existing(journal_path(source)) as journal:
        counts = journal.counts()
        rows = {
            state: journal.in_state(state, limit=limit) for state in (*UNDER_WAY, State.FAILED, State.DEAD)
        }
    if as_json:
        document_of = {
            "counts": counts, **{state.value: [asdict(row) for row in found] for state, found in rows.items()}
        }  # fmt: skip
        click.echo(json.dumps(document_of, indent=2, ensure_ascii=False))
        return
    click.echo(_in_words(counts))
    for state, found in rows.items():
        for row in found:
            click.echo(_line(state, row, progress_of(source.state, row)))


@ingest.command()
@_document
@click.argument("products", nargs=-1)
def retry(document: Path, products: tuple[str, ...]) -> None:
    """Try failed and dead PRODUCTS of SOURCE.toml again from now on; all of them if none is named."""
    from tileserver.ingest.document import read_source
    from tileserver.ingest.runner import journal_path

    with _existing(journal_path(read_source(document))) as journal:
        count = journal.retry(products)
    click.echo(f"{count} archives are tried again")


def _existing(path: Path) -> closing[Journal]:
    from comeo.errors import ComeoError
    from tileserver.ingest.journal import Journal

    if not path.is_file():
        raise ComeoError(f"{path} is not there: nothing has been ingested with this document yet")
    return closing(Journal(path))


def _in_words(counts: Mapping[State, int]) -> str:
    return ", ".join(f"{count:,} {state.value}" for state, count in counts.items()) or "nothing was found"


def _line(state: State, row: Row, now: UnderWay) -> str:
    how = f"{now.stage} {now.percent} %" if now.stage else row.fault
    due = (
        f" (again at {time.strftime('%H:%M:%S', time.localtime(row.due))})" if state.value == "failed" else ""
    )
    quality = f" [{row.quality}]" if row.quality else ""
    return f"{state.value:12}{row.scene}{quality}  {how}{due}"


class _Shown:
    """A running line on a terminal; in a log, why nothing is begun, once a reason."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._line = LiveLine()
        self._shown = 0.0
        self._waiting = ""

    def __call__(self, under_way: list[UnderWay], waiting: str) -> None:
        """See `Runner`."""
        import logging

        if waiting != self._waiting:
            self._waiting = waiting
            if waiting and not self._line.live:
                logging.getLogger("comeo.ingest").warning("waiting: %s", waiting)
        now = time.monotonic()
        if not self._line.live or now - self._shown < _REFRESH_SECONDS:
            return
        self._shown = now
        line = ", ".join([_in_words(self._journal.counts()), *map(_short, under_way[:2])])
        self._line.draw((line + (f"; {waiting}" if waiting else ""))[:200])

    def finish(self) -> None:
        """End the line."""
        self._line.draw("")


def _short(each: UnderWay) -> str:
    return f"{each.row.scene[-24:]} {each.stage} {each.percent} %"
