"""Scripts of VtWeb's POF-ML as documents: nested calls of processing units.

As https://docs.visioterra.fr/vtweb/pof-ml describes them. A channel, `ch(B8)` or `ch(0,B8)`, gives digital
numbers, which of Sentinel-2 are ten thousand times the reflectance; in the indicators of vegetation it stands
for the reflectance, which is what their constants are for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from comeo.indicators.translate.common import NEVER, TranslationError, called, own_band
from comeo.indicators.translate.drafts import Draft, Imported, finish
from comeo.indicators.translate.infix import Grammar, read
from comeo.indicators.tree import Call, Name, Node, Number

DIGITAL: Final = 10_000.0
_GRAMMAR: Final = Grammar(
    "POF-ML",
    {"+": (1, "+"), "-": (1, "-"), "*": (2, "*"), "/": (2, "/")},
    {"-": (3, "-"), "+": (3, "+")},
)
_BINARY: Final = {"add": "+", "dif": "-", "sub": "-", "mul": "*", "div": "/", "pow": "**", "mod": "%"}
_UNARY: Final = {
    "abs": "abs", "sqrt": "sqrt", "exp": "exp", "ln": "log", "log": "log", "log10": "log10", "sin": "sin",
    "cos": "cos", "tan": "tan", "atan": "arctan", "tanh": "tanh", "floor": "floor", "round": "round",
}  # fmt: skip
_MORPHOLOGY: Final = {"dil": "focal_max", "ero": "focal_min"}


def _minus(one: Node, other: Node) -> Node:
    return Call("-", (one, other))


def _evi(nir: Node, red: Node, blue: Node) -> Node:
    """2.5·(nir − red) / (nir + 6·red − 7.5·blue + 1)."""
    parts = _minus(Call("+", (nir, Call("*", (Number(6.0), red)))), Call("*", (Number(7.5), blue)))
    above = Call("*", (Number(2.5), _minus(nir, red)))
    return Call("/", (above, Call("+", (parts, Number(1.0)))))


_INDICES: Final[Mapping[str, tuple[int, Callable[..., Node]]]] = {
    "ndvi": (2, lambda nir, red: Call("nd", (nir, red))),
    "gndvi": (2, lambda nir, green: Call("nd", (nir, green))),
    "ndwi": (2, lambda green, nir: Call("nd", (green, nir))),
    "arvi": (3, lambda nir, blue, red: Call("nd", (nir, _minus(red, _minus(blue, red))))),
    "evi": (3, _evi),
}
_REFUSED: Final = {
    "dispar": "disparities of two products are no formula of bands",
    "lvl": "virtual levels are a matter of reading; leave it out",
    "lsm": "there is no mask of land and sea; write mask = { keep = [\"land\"] } into the document's input",
    "cvl": "a convolution by a matrix has no function here; focal_mean has equal weights",
    "gra": "gradients have no function here", "azi": "aspects have no function here",
    "cur": "curvatures have no function here", "slo": "slopes have no function here",
}  # fmt: skip
_OPERATORS: Final = {"mean": "mean", "meanf": "mean", "max": "max", "min": "min", "median": "median"}


def read_pofml(text: str) -> Imported:
    """A document of a script.

    Raises:
        TranslationError: If it says what a document cannot, with line and reason.
    """
    reader = _Reader()
    results, raw = list[Node](), read(_quoted(text.strip()), _GRAMMAR)
    for each in raw.arguments if isinstance(raw, Call) and raw.function in ("rgb", "com") else (raw,):
        results.append(reader.node(each))
    radar = any(re.fullmatch("[VH]{2}", name) for name in reader.bands)
    draft = Draft(results, radar=radar, fields=reader.fields, left_out=reader.left_out)
    return finish(draft, "imported", "imported from POF-ML")


def _quoted(text: str) -> str:
    """Colours of `cls` are made a word, which they are not: `7cb342/1_005b9f/2`."""
    colours = re.compile(r"(?<=,)\s*((?:[0-9A-Fa-f]{6}/\d+_)*[0-9A-Fa-f]{6}/\d+)\s*(?=[,)])")
    return colours.sub(lambda found: "c_" + found.group(1).replace("/", "$"), text)


class _Reader:
    """Follows nested calls; what is not of the value goes to fields of the document."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.left_out: list[str] = []
        self.bands: list[str] = []
        self._outermost = True

    def node(self, raw: Node, *, digital: bool = True) -> Node:
        """The formula of a processing unit.

        Args:
            raw: The unit's call, as written.
            digital: Whether channels give digital numbers.
        """
        if isinstance(raw, Number):
            return raw
        if isinstance(raw, Name):
            raise TranslationError(f"{raw.name[:40]} is no processing unit; a channel is ch(B8)")
        name, arguments = raw.function, raw.arguments
        if name in _REFUSED:
            raise TranslationError(f"{name}: {_REFUSED[name]}")
        if name in ("ch", "channel"):
            return self._channel(arguments, digital=digital)
        if name in ("lut", "cls", "for"):
            if not self._outermost:
                raise TranslationError(f"{name} stands inside of another unit; it is of the whole")
            return self._whole(name, arguments, digital=digital)
        self._outermost = False
        if name in _INDICES:
            count, make = _INDICES[name]
            return make(*(self.node(each, digital=False) for each in self._counted(name, arguments, count)))
        return self._unit(name, arguments, digital=digital)

    def _unit(self, name: str, arguments: tuple[Node, ...], *, digital: bool) -> Node:  # noqa: PLR0911 - one a unit
        def of(*raw: Node) -> list[Node]:
            return [self.node(each, digital=digital) for each in raw]

        if name in _BINARY:
            one, other = of(*self._counted(name, arguments, 2))
            return Call(_BINARY[name], (one, other))
        if name in _UNARY:
            return Call(_UNARY[name], tuple(of(*self._counted(name, arguments, 1))))
        if name in _MORPHOLOGY:
            return Call(_MORPHOLOGY[name], (*of(*self._counted(name, arguments, 1)), Number(1.0)))
        match name, arguments:
            case "atan2", (x, y):
                return Call("atan2", (of(y)[0], of(x)[0]))
            case "ndi", (one, other):
                return Call("nd", tuple(self.node(each, digital=False) for each in (one, other)))
            case "ndi", (one, other, low, high):
                index = Call("nd", tuple(self.node(each, digital=False) for each in (one, other)))
                return _stretched(index, low, high)
            case "mask", (child, mask, threshold):
                value, shown, limit = of(child, mask, threshold)
                return Call("if_", (Call(">=", (shown, limit)), value, NEVER))
            case (("max" | "min"), _) if 2 <= len(arguments) <= 8:
                return Call(name, tuple(of(*arguments)))
            case (("mean" | "meanf"), _) if len(arguments) >= 2:
                return Call("/", (_sum(of(*arguments)), Number(float(len(arguments)))))
            case "lc", _ if arguments and len(arguments) % 2 == 0:
                factors, children = of(*arguments[::2]), of(*arguments[1::2])
                return _sum([Call("*", pair) for pair in zip(factors, children, strict=True)])
            case "clip", _:
                raise TranslationError("clip: an area is a matter of the request; leave it out")
        raise TranslationError(
            f"{name[:40]} is unknown, or takes other arguments than these {len(arguments)}"
        )

    def _channel(self, arguments: tuple[Node, ...], *, digital: bool) -> Node:
        match arguments:
            case (Number(value=0.0), band) | (band,):
                pass
            case (Number(), _):
                raise TranslationError("ch: a document is of one product here; write ch(0,…)")
            case _:
                raise TranslationError("ch takes a band, as in ch(B8) or ch(0,B8)")
        text = (
            f"B{band.value:.0f}" if isinstance(band, Number) else band.name if isinstance(band, Name) else ""
        )
        radar = bool(re.fullmatch("[VHvh]{2}", text))
        own: Node = Name(own_band(text, radar))
        self.bands.append(own.name if isinstance(own, Name) else "")
        if radar:
            return called("lin", own)
        return Call("*", (Number(DIGITAL), own)) if digital else own

    def _whole(self, name: str, arguments: tuple[Node, ...], *, digital: bool) -> Node:
        match name, arguments:
            case "lut", (child, table, Number(value=low), Number(value=high), *more):
                return self._shown(self.node(child, digital=digital), table, (low, high), more)
            case "cls", (child, Name(name=colours)):
                self.fields["classes"] = _classes(colours)
                return self.node(child, digital=digital)
            case "for", (child, Name(name=operator), *_) if operator in _OPERATORS:
                self.fields["temporal"] = {"window": "P100Y", "statistic": _OPERATORS[operator]}
                return self.node(child, digital=digital)
        raise TranslationError(
            f"{name}: a table of colours is lut(unit,table,min,max,linear), classes are cls(unit,colours), "
            f"and dates are for(unit,operator,indices) with {', '.join(_OPERATORS)}"
        )

    def _shown(self, value: Node, table: Node, limits: tuple[float, float], more: list[Node]) -> Node:
        function = more[0] if more else Number(0.0)
        if len(more) > 1 and more[1] != Number(0.0):
            raise TranslationError("lut: shadowing has no place in a document")
        if function in (Number(2.0), Name("log")):
            value = Call("log", (value,))
        elif function in (Number(3.0), Name("exp")):
            value = Call("exp", (value,))
        elif function not in (Number(0.0), Name("linear")):
            raise TranslationError("lut: its function is linear, log or exp")
        self.fields["display"] = {"rescale": list(limits)}
        words = table.name if isinstance(table, Name) else "given"
        self.left_out.append(
            f"the table of colours {words[:40]} is left out: choose a palette in display.colormap"
        )
        return value

    @staticmethod
    def _counted(name: str, arguments: tuple[Node, ...], count: int) -> tuple[Node, ...]:
        if len(arguments) != count:
            raise TranslationError(f"{name} takes {count} units, not {len(arguments)}")
        return arguments


def _sum(values: list[Node]) -> Node:
    total = values[0]
    for each in values[1:]:
        total = Call("+", (total, each))
    return total


def _stretched(index: Node, low: Node, high: Node) -> Node:
    """An index of -1 to 1 from one number to another."""
    if not (isinstance(low, Number) and isinstance(high, Number)):
        raise TranslationError("ndi: its limits are numbers")
    gain = Number((high.value - low.value) / 2)
    return Call("+", (Call("*", (Call("+", (index, Number(1.0))), gain)), low))


def _classes(colours: str) -> list[dict[str, Any]]:
    found = re.findall(r"([0-9A-Fa-f]{6})\$(\d+)", colours)
    if not colours.startswith("c_") or not found:
        raise TranslationError("cls: its colours are rrggbb/number with _ between them")
    rows = sorted((int(number), colour) for colour, number in found)
    return [
        {"value": number, "color": f"#{colour}", "title": {"en": f"class {number}"}}
        for number, colour in rows
    ]
