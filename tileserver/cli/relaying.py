"""`comeo relay plan`, `run`, `import`, `export`, `status`, `verify`: what comes, when, and what is here."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from comeo.errors import ComeoError
from tileserver.cli.options import database_option
from tileserver.cli.progress import LiveLine
from tileserver.cli.signals import ended_by_signal

if TYPE_CHECKING:
    from tileserver.relay.keeping.assembly import Defined
    from tileserver.relay.keeping.notices import Notices
    from tileserver.relay.plan.forecast import Coming

_log = logging.getLogger("comeo")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
definition_argument = click.argument("definition", metavar="RELAY.toml", type=_FILE)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.command()
@definition_argument
@database_option
@json_option
@click.option("--most", type=click.IntRange(1, 100_000), default=40, show_default=True, help="Pieces.")
def plan(definition: Path, database: str | None, as_json: bool, most: int) -> None:
    """Say what will come, when, and what it will cost, as far as the feeds have been read."""
    from tileserver.relay.keeping.journal import Journal, now_utc
    from tileserver.relay.keeping.status import coming, coming_document

    relay = read(definition, database)
    with closing(Journal(relay.folder.journal, create=False)) as journal:
        found = coming(relay, journal, now_utc(), most)
    if as_json:
        click.echo(json.dumps(coming_document(found), indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("nothing is coming: all that is wanted is here, or the link is never open")
    _table(found, relay)


@click.command()
@definition_argument
@database_option
@click.option("--once", is_flag=True, help="End when nothing more can be fetched now.")
def run(definition: Path, database: str | None, once: bool) -> None:
    """Fetch what is wanted, in the order of what it is worth, until the command is ended."""
    from tileserver.relay.errors import UnreachableError
    from tileserver.relay.keeping.assembly import running, upstream_of

    relay = read(definition, database)
    relay.folder.make()
    upstreams, copies = [], relay.terms.copies
    for origin in relay.terms.origins:
        try:
            upstream = upstream_of(origin, relay.folder, copy=origin.url in copies)
            upstreams.append((origin.url, upstream))
        except UnreachableError as error:  # a disk that is not plugged in
            _log.warning("%s", error)
    if not upstreams:
        raise ComeoError("no origin can be reached; see the messages above")
    with ended_by_signal(), telling() as notices, running(relay, notices, upstreams) as runner:
        runner.run(once=once)


@click.command("import")
@definition_argument
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@database_option
def import_(definition: Path, folder: Path, database: str | None) -> None:
    """Take what is wanted from FOLDER, a copy of an origin's that was carried here; windows do not count."""
    from tileserver.relay.keeping.assembly import open_copy, running

    relay = read(definition, database)
    upstream, origin = open_copy(relay, folder)
    name = str(folder)
    trusted = {name} if origin.models else set()
    with (
        ended_by_signal(), telling() as notices,
        running(relay, notices, [(name, upstream)], free=True, trusted=trusted) as runner,
    ):  # fmt: skip
        runner.run(once=True)


@click.command()
@click.argument("source")
@click.argument("disk", metavar="DEST", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--since", default="0", metavar="last|LINE",
    help="Only archives of lines of the feed behind this one; `last`: of the last whole export to DEST.",
)  # fmt: skip
@click.option(
    "--max", "most", metavar="SIZE", help="Bytes of archives at most, as 64G.  [default: as there is room]"
)
@click.option("--key", help="Of SOURCE, as its operator announced it.  [default: the one that it has]")
def export(source: str, disk: Path, since: str, most: str | None, key: str | None) -> None:
    """Copy what SOURCE publishes to the disk DEST, which `comeo relay import` takes elsewhere.

    SOURCE is the address of an origin or a relay, or a folder or bucket that `comeo relay publish` has
    written. The newest archives come first. What was cut short is completed by the same command.
    """
    from tileserver.relay.feed.trust import Trust
    from tileserver.relay.keeping.exporting import export as exported
    from tileserver.relay.upstream import FolderUpstream, open_upstream

    after, room = _since(since), _size(most)
    trust = Trust(None, key)
    upstream = open_upstream(source if "://" in source else Path(source).absolute().as_uri(), trust)
    if isinstance(upstream, FolderUpstream) and upstream.contains(disk):
        raise ComeoError(f"{disk} lies in {source}, which is published; name the disk that is carried")
    try:
        with ended_by_signal(), telling() as notices:
            done = exported(upstream, disk, after, room, notices)
    finally:
        upstream.close()
    for reason in done.refused:
        click.echo(f"left out: {reason}", err=True)
    click.echo(f"{disk}  {done.archives:,} archives, {done.bytes:,} bytes, {done.new:,} of them new")
    if done.left:
        click.echo(
            f"no room for {done.left:,} more; take another disk, or export again when this one is empty"
        )


def _since(text: str) -> int | Literal["last"]:
    if text.lower() == "last":
        return "last"
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise click.BadParameter("give `last`, or the number of a line", param_hint="--since")
    return int(text)


def _size(text: str | None) -> int | None:
    from tileserver.relay.plan.definition import size_of

    try:
        return None if text is None else int(size_of(text))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--max") from error


@click.command()
@definition_argument
@database_option
@json_option
def status(definition: Path, database: str | None, as_json: bool) -> None:
    """Say what is here, what is coming and when, what was spent, and what is wrong."""
    from tileserver.relay.keeping.journal import Journal, now_utc
    from tileserver.relay.keeping.status import status as state_of

    relay = read(definition, database)
    with closing(Journal(relay.folder.journal, create=False)) as journal:
        found = state_of(relay, journal, now_utc())
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _say(found)


@click.command()
@definition_argument
@database_option
@click.option("--mend", is_flag=True, help="Have what is damaged fetched again by the next run.")
def verify(definition: Path, database: str | None, mend: bool) -> None:
    """Read every byte again, and compare it with its checksums."""
    from tileserver.relay.keeping.journal import Journal
    from tileserver.relay.keeping.verifying import verify as verified

    relay = read(definition, database)
    with (
        relay.folder.only_runner(),
        closing(Journal(relay.folder.journal, create=False)) as journal,
        telling() as notices,
    ):
        scenes = checked = bad = 0
        for found in verified(journal, relay.folder, mend=mend):
            scenes, checked = scenes + 1, checked + found.checked
            notices.line(f"{scenes} scenes, {checked:,} bytes")
            if found.bad:
                bad += 1
                notices.note(f"{found.key.id} of {found.key.collection}: {found.bad:,} bytes are damaged")
    click.echo(f"{scenes} scenes, {checked:,} bytes: {bad or 'none'} damaged")
    if bad and not mend:
        raise ComeoError("some are damaged; --mend has them fetched again")


def read(definition: Path, database: str | None) -> Defined:
    """Read RELAY.toml, with the database of geoservices if there is one."""
    from tileserver.relay.keeping.assembly import defined, sites_of
    from tileserver.settings import Settings

    return defined(definition, sites_of(database or Settings.from_environment(paths=()).database))


@contextmanager
def telling() -> Iterator[Notices]:
    """A line of progress on a terminal, that ends whatever happens; notes in the log."""
    from tileserver.relay.keeping.notices import Notices

    line = LiveLine()

    def note(text: str) -> None:
        line.draw("")
        _log.info("%s", text)

    try:
        yield Notices(line.draw, note)
    finally:
        line.draw("")


def _table(found: list[Coming], relay: Defined) -> None:
    zone, currency = relay.terms.link.zone, relay.terms.link.currency
    priced = any(each.price for each in found)
    total, price = 0, 0.0
    for each in found:
        total, price = total + each.wire, price + each.price
        begins, ends = (f"{moment.astimezone(zone):%m-%d %H:%M:%S}" for moment in (each.begins, each.ends))
        cost = f"  {each.price:9.4f} {currency}" if priced else ""
        click.echo(f"{begins}  {ends}  {each.wire:>13,}  {each.layer:6} {each.key.id}{cost}")
    if found:
        cost = f"  {price:.2f} {currency}" if priced else ""
        click.echo(f"{len(found)} pieces, {total:,} bytes on the wire{cost}")


_DOING: Final = {
    "stopped": "not running; comeo relay run begins it", "fetching": "fetching", "waiting": "all is here",
    "closed": "no window of the link is open", "quota": "the quota of bytes is used up",
    "disk": "the disk is full", "down": "no origin answers",
}  # fmt: skip
_HERE: Final = {
    "complete": "complete", "head": "with their head", "coarse": "with their overviews",
    "area": "sharp over the area", "rest": "but for what came damaged", "waiting": "not here yet",
    "faulty": "faulty",
}  # fmt: skip


def _origin(origin: dict[str, Any]) -> str:
    """An origin in a line."""
    if origin["up"] is None:
        return f"{origin['url']}, not tried yet"
    answers = "answers since" if origin["up"] else "has not answered since"
    read = "" if origin["line"] is None else f", line {origin['line']} of epoch {origin['epoch']}"
    problem = origin["problem"] or origin["detail"]
    reason = f"; {problem}" if problem else ""
    return f"{origin['name'] or origin['url']} {answers} {origin['since']}{read}{reason}"


def _looked_at(wanted: dict[str, Any]) -> str:
    """What waits of what people look at, in a line."""
    waits = "what people look at cannot be read now; see whether the folder can be written"
    if wanted["places"] is not None:
        waits = f"{wanted['places']:,} places that were looked at, about {wanted['bytes']:,} bytes"
    spent = (
        f"{wanted['today']:,} of {wanted['daily']:,} today"
        if wanted["daily"]
        else f"{wanted['today']:,} today"
    )
    return f"{waits}; {spent}" + (
        ": no more is fetched so until there is quota again" if wanted["exhausted"] else ""
    )


def _say(found: dict[str, Any]) -> None:
    echo: Callable[[str], None] = click.echo
    echo(f"{'folder':10}{found['folder']}")
    doing = found["doing"]
    echo(f"{'runner':10}{_DOING[doing['what']]}" + (f" until {doing['until']}" if doing["until"] else ""))
    for origin in found["origins"]:
        echo(f"{'origin':10}{_origin(origin)}")
    scenes = ", ".join(f"{count} {_HERE[state]}" for state, count in sorted(found["scenes"].items()))
    echo(f"{'scenes':10}{scenes or 'none'}")
    size, spent = found["bytes"], found["spent"]
    disk = f"{size['disk']:,} on disk, {size['free']:,} free"
    echo(f"{'bytes':10}{size['here']:,} of {size['of']:,} here; {disk}")
    quotas = [
        f"{spent[part]:,}" + (f" of {spent[most]:,}" if spent[most] else "") + f" {words}"
        for part, most, words in (("today", "daily", "today"), ("month", "monthly", "this month"))
    ]
    echo(f"{'spent':10}{', '.join(quotas)}; {spent['wire']:,} in all for {spent['useful']:,} of archives")
    if (wanted := found["wanted"]) is not None:
        echo(f"{'wanted':10}{_looked_at(wanted)}")
    for each in found["coming"]:
        echo(f"{'coming':10}{each['ends']}  {each['layer']:6} {each['id']}")
    for each in found["models"]:
        told = f"{each['scenes']:,} scenes cannot be drawn without {each['sha256'][:12]}…: {each['detail']}"
        told += f" ({each['problem']})" if each["problem"] else ""
        echo(f"{'model':10}{told}")
    for each in found["faults"]:
        echo(f"{'fault':10}{each['id']}: {each['problem']}")
