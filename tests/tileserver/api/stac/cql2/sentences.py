"""CQL2 by chance: expressions as JSON, the same as text, and text that is broken a little."""

from __future__ import annotations

from random import Random
from typing import Any

Json = Any
TEXTS = (
    "sentinel-2a",
    "sentinel-2b",
    "SENTINEL-2A",
    "Straße",
    "STRASSE",
    "one",
    "a",
    "",
    "it's",
    "50%",
    "x_y",
    "\\x",
    "msi",
)
PATTERNS = ("sentinel%", "%2_", "SENT%", "%", "", "50\\%", "x\\_y", "_%_", "str%", "[ab]*?", "\\\\_", "%'%")
NUMBERS = (0.0, 5.0, 10.0, 12.5, 99.0, -1.0, 1e300)
TIMES = (
    {"timestamp": "2020-05-10T10:30:00Z"}, {"timestamp": "2020-05-10T12:30:00.000001+02:00"},
    {"date": "2020-05-10"}, {"date": "2020-05-11"}, {"date": "1969-12-31"}, "2020-05-12T10:30:00Z",
    "2020-05-13",
)  # fmt: skip
INTERVALS = (
    {"interval": ["2020-05-10", "2020-05-12"]}, {"interval": ["..", "2020-05-11T10:30:00Z"]},
    {"interval": ["2020-05-11T10:30:00Z", ".."]}, {"interval": ["..", ".."]},
)  # fmt: skip
PLACES = (
    {"type": "Point", "coordinates": [8.65, 47.45]},
    {"bbox": [8.0, 47.0, 9.0, 48.0]},
    {"bbox": [170.0, -10.0, 8.65, 80.0]},
    {"type": "Polygon", "coordinates": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]]},
    {"type": "LineString", "coordinates": [[8.0, 47.45], [9.0, 47.45]]},
    {"type": "MultiPoint", "coordinates": [[8.65, 47.45], [0.0, 0.0]]},
)  # fmt: skip
TEXT_NAMES = ("id", "collection", "platform", "properties.constellation", "grid:code")
NUMBER_NAMES = ("eo:cloud_cover", "gsd", "view:off_nadir", "properties.eo:cloud_cover")
LISTS = ("instruments", "sar:polarizations")
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")


def expression(chance: Random, depth: int = 4) -> Json:
    """A condition as CQL2 JSON."""
    if depth and chance.random() < 0.6:
        name = chance.choice(("and", "or", "not"))
        count = 1 if name == "not" else chance.randint(2, 3)
        return _op(name, *(expression(chance, depth - 1) for _ in range(count)))
    return chance.choice((_text, _text, _number, _time, _list, _rest))(chance)


def as_text(node: Json, chance: Random) -> str:
    """The same as CQL2 text, with words in any case and spaces where there may be some."""
    if isinstance(node, bool):
        return _case(str(node), chance)
    if isinstance(node, str):
        return "'" + node.replace("'", "''") + "'"
    if isinstance(node, float):
        return repr(node)
    if isinstance(node, list):
        return f"({','.join(as_text(one, chance) for one in node)})"
    if "op" not in node:
        return _literal(node, chance)
    return _written(node["op"], [as_text(arg, chance) for arg in node["args"]], chance)


def broken(text: str, chance: Random) -> str:
    """Text with a few characters gone, doubled, swapped or made others."""
    letters = list(text)
    for _ in range(chance.randint(1, 2)):
        if not letters:
            break
        place = chance.randrange(len(letters))
        letters[place : place + 1] = chance.choice(
            ([], [letters[place]] * 2, [chance.choice("()'\",.%<>=!-+\\\0 \t\nzé\U0001f600\ud800[]{}0e")],
             [chance.choice((" AND ", " NOT ", " IN ", "NULL", "DATE(", "BBOX(1,2", "CASEI("))])
        )  # fmt: skip
    return "".join(letters)


def _op(name: str, *args: Json) -> Json:
    return {"op": name, "args": list(args)}


def _text(chance: Random) -> Json:
    subject: Json = {"property": chance.choice(TEXT_NAMES)}
    fold = chance.random() < 0.4
    subject = _op("casei", subject) if fold else subject
    values = [_op("casei", value) if fold else value for value in chance.sample(TEXTS, 3)]
    pattern = chance.choice(PATTERNS)
    return chance.choice(
        (
            _op(chance.choice(COMPARISONS), subject, values[0]),
            _op(chance.choice(COMPARISONS), values[0], subject),
            _op(chance.choice(COMPARISONS), subject, {"property": "platform"}),
            _op("in", subject, values),
            _op("like", subject, _op("casei", pattern) if fold else pattern),
            _op("between", subject, *values[:2]),
        )
    )


def _number(chance: Random) -> Json:
    subject = {"property": chance.choice(NUMBER_NAMES)}
    values = chance.sample(NUMBERS, 3)
    return chance.choice(
        (
            _op(chance.choice(COMPARISONS), subject, values[0]),
            _op(chance.choice(COMPARISONS), values[0], subject),
            _op(chance.choice(COMPARISONS), subject, {"property": "gsd"}),
            _op("in", subject, values),
            _op("between", subject, *values[:2]),
        )
    )


def _time(chance: Random) -> Json:
    subject = {"property": "datetime"}
    times = chance.sample(TIMES, 2)
    typed = [one for one in TIMES if not isinstance(one, str)]
    relation = chance.choice(("t_after", "t_before", "t_disjoint", "t_equals", "t_intersects"))
    return chance.choice(
        (
            _op(chance.choice(COMPARISONS), subject, times[0]),
            _op(chance.choice(COMPARISONS), times[0], subject),
            _op("in", subject, list(times)),
            _op("between", subject, *times),
            _op(relation, subject, chance.choice((*typed, *INTERVALS))),
            _op(relation, chance.choice(typed), subject),
            _op("t_during", subject, chance.choice(INTERVALS)),
        )
    )


def _list(chance: Random) -> Json:
    subject = {"property": chance.choice(LISTS)}
    values = chance.sample(("msi", "MSI", "VV", "VH", "other"), chance.randint(1, 3))
    name = chance.choice(("a_contains", "a_containedBy", "a_equals", "a_overlaps"))
    return chance.choice(
        (
            _op(name, subject, values),
            _op(chance.choice(("=", "<>")), subject, values[0]),
            _op("=", _op("casei", subject), _op("casei", values[0])),
            _op("in", subject, values),
            _op("like", subject, "m%"),
        )
    )


def _rest(chance: Random) -> Json:
    name = chance.choice((*TEXT_NAMES, *NUMBER_NAMES, *LISTS, "datetime", "geometry"))
    place = [{"property": "geometry"}, chance.choice(PLACES)]
    chance.shuffle(place)
    return chance.choice((True, False, _op("isNull", {"property": name}), _op("s_intersects", *place)))


def _written(name: str, args: list[str], chance: Random) -> str:  # noqa: PLR0911 - one for each form
    space = chance.choice((" ", "  ", "\n"))
    word = _case(name, chance)
    if name in ("and", "or"):
        return "(" + f"{space}{word}{space}".join(args) + ")"
    if name == "not":
        return f"{word}{space}({args[0]})"
    if name == "isNull":
        return f"{args[0]} {_case('is null', chance)}"
    if name in ("in", "like"):
        return f"{args[0]}{space}{word}{space}{args[1]}"
    if name == "between":
        return f"{args[0]} {word} {args[1]} {_case('and', chance)} {args[2]}"
    if name in COMPARISONS:
        return chance.choice(("", " ")).join((args[0], name, args[1]))
    return f"{word}({', '.join(args)})"


def _literal(node: Json, chance: Random) -> str:
    (name, value) = next(iter(node.items()))
    if name == "property":
        return chance.choice((value, f'"{value}"'))
    if name == "type":
        return f"{_case(value.upper(), chance)}{_positions(node['coordinates'], value)}"
    args = value if isinstance(value, list) else [value]
    return f"{_case(name, chance)}({', '.join(as_text(one, chance) for one in args)})"


def _positions(part: Json, kind: str) -> str:
    if kind == "Point":
        return f"({_position(part)})"
    if isinstance(part[0][0], list):
        return f"({','.join(_positions(one, kind) for one in part)})"
    return f"({','.join(map(_position, part))})"


def _position(part: Json) -> str:
    return " ".join(map(repr, part))


def _case(word: str, chance: Random) -> str:
    return chance.choice((word.upper(), word.lower(), word))
