"""`comeo pof`: documents of indicators checked, tested, shown, and translated."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comeo.errors import ComeoError, ParameterError
from tileserver.cli.options import names_of

if TYPE_CHECKING:
    from comeo.indicators.document import Document
    from comeo.indicators.problems import Problem

LANGUAGES = ("evalscript", "openeo", "pofml", "render", "snap", "qgis")
TARGETS = ("openeo", "evalscript", "render", "qgis", "snap", "gdal")
MOST_TEXT = 1 << 20
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def pof() -> None:
    """Check, test, show and translate documents of indicators."""


@pof.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Say what is wrong in FILES (.toml or .json), with line, reason and what to write instead."""
    from comeo.indicators.catalogue import read_file
    from comeo.indicators.problems import DocumentError

    found: dict[Path, list[Problem]] = {}
    for file in files:
        try:
            document = read_file(file)
            found[file] = []
            if not as_json:
                click.echo(f"{file}: {document.id}@{document.version} is valid")
        except DocumentError as error:
            found[file] = list(error.problems)
            if not as_json:
                for each in error.problems:
                    click.echo(_problem_line(file, each), err=True)
    if as_json:
        click.echo(
            json.dumps(
                [{"file": str(file), "problems": _plain(file, p)} for file, p in found.items()], indent=2
            )
        )
    if any(found.values()):
        sys.exit(1)


@pof.command(name="test")
@click.argument("files", nargs=-1, required=True, type=_FILE)
def run(files: tuple[Path, ...]) -> None:
    """Run the tests that the documents in FILES carry."""
    from comeo.indicators.catalogue import read_file
    from comeo.indicators.trials import LEAST_TESTS, run_tests

    failed = False
    for file in files:
        document = read_file(file)
        results = run_tests(document)
        for each in results:
            click.echo(f"{file}: {'passed' if each.passed else 'FAILED'}: {each.message}")
        if len(results) < LEAST_TESTS:
            click.echo(
                f"{file}: {len(results)} tests are too few to publish it; give {LEAST_TESTS}", err=True
            )
        failed |= len(results) < LEAST_TESTS or not all(each.passed for each in results)
    if failed:
        sys.exit(1)


@pof.command()
@click.argument("name", metavar="ID|FILE")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(name: str, as_json: bool) -> None:
    """Show a document: its formula, bands, halo, cost, classes and tests."""
    from comeo.indicators.description import describe

    facts = describe(_document(name))
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for key, value in facts.items():
        for index, line in enumerate(_lines(value)):
            click.echo(f"{key if not index else '':14}{line}")


@pof.command(name="import")
@click.argument("file", type=_FILE)
@click.option("--from", "language", required=True, type=click.Choice(LANGUAGES), help="Language of FILE.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write, .toml or .json."
)
@click.option("--id", "identity", help="Id of the document.")
@click.option(
    "--bands", callback=lambda _c, _p, value: names_of(value),
    help="What the bands of a layer of QGIS are, in order, as B02,B03,B04.",
)  # fmt: skip
def import_(
    file: Path, language: str, output: Path | None, identity: str | None, bands: tuple[str, ...] | None
) -> None:
    """Make a document of a FILE in another language."""
    from comeo.indicators.catalogue import FORMS
    from comeo.indicators.document import Document
    from comeo.indicators.translate import import_document, to_toml

    if output is not None and output.suffix not in FORMS:
        raise click.UsageError(f"let the name {output.name} end in .toml or .json")
    try:
        imported = import_document(_text(file), language, bands or ())
    except ParameterError as error:
        raise ComeoError(f"{file}: {error}") from error
    document = imported.document
    if identity is not None:
        fields = document.model_dump(by_alias=True, exclude_unset=True)
        document = Document.model_validate({**fields, "id": identity})
    as_json = output is not None and output.suffix == ".json"
    text = (
        json.dumps(_fields(document), indent=2, ensure_ascii=False) + "\n" if as_json else to_toml(document)
    )
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
    for each in imported.left_out:
        click.echo(f"{file}: {each}", err=True)


@pof.command()
@click.argument("name", metavar="ID|FILE")
@click.option("--to", "language", required=True, type=click.Choice(TARGETS), help="Language to write.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
def export(name: str, language: str, output: Path | None) -> None:
    """Write a document in another language."""
    from comeo.indicators.translate import export_document

    text = export_document(_document(name), language)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def _document(name: str) -> Document:
    """A document of a file, or of the predefined ones by its id.

    Raises:
        ComeoError: If there is none.
    """
    from comeo.indicators.catalogue import FORMS, predefined, read_file

    path = Path(name)
    if path.suffix in FORMS:
        if not path.is_file():
            raise ComeoError(f"{name} does not exist")
        return read_file(path)
    found = predefined().find(name)
    if found is None:
        known = ", ".join(each.id for each in predefined().all())
        raise ComeoError(f"{name} is neither a file .toml or .json nor one of the documents {known}")
    return found


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        data = opened.read(MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        raise ComeoError(f"{file} has more than {MOST_TEXT} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ComeoError(f"{file} is not text in UTF-8 (byte {error.start})") from error


def _problem_line(file: Path, problem: Problem) -> str:
    line = f"{file}:{problem.line}" if problem.line else str(file)
    text = (
        str(_bare(file, problem))
        .removeprefix(f"line {problem.line}, ")
        .removeprefix(f"line {problem.line}: ")
    )
    return f"{line}: {text}"


def _bare(file: Path, problem: Problem) -> Problem:
    """A problem without the file's name in its path."""
    return replace(problem, path=problem.path.removeprefix(file.name).removeprefix(": "))


def _plain(file: Path, problems: list[Problem]) -> list[dict[str, Any]]:
    return [asdict(_bare(file, each)) for each in problems]


def _fields(document: Document) -> dict[str, Any]:
    return document.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _lines(value: Any) -> list[str]:
    """A fact as lines of text."""
    if isinstance(value, dict):
        return [f"{key}: {inner}" for key, inner in value.items()] or ["none"]
    if isinstance(value, list):
        return [str(each) for each in value] or ["none"]
    return ["none" if value in (None, "") else str(value)]
