"""Formulas and documents of indicators: damaged ones, and such as are written to do harm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib import resources
from random import Random
from typing import Final

import numpy as np

from comeo.indicators.catalogue import predefined
from comeo.indicators.compiled import expression_of_document
from comeo.indicators.document import canonical, read_document
from comeo.indicators.formula import FUNCTIONS, FormulaError, evaluate, names, parse_formula
from comeo.indicators.problems import DocumentError
from comeo.indicators.tree import from_json, to_json, to_text
from comeo.indicators.trials import run_tests
from tests.fuzz.mutations import mutated

LONGEST: Final = 0.050
"""Seconds of the processor in which an input is refused."""
_WORDS: Final = (
    *FUNCTIONS, "nir", "red", "B04", "VV", "x", "été", "١", "𝒙", "_", "if_", "where", "pow", "1", "0.5",
    "1e29", "1e31", "1e999", ".5", "5.", "0x1f", "1_0", "007", *"()(),,;[]{}'\"\\#?:=!^@.", "&&", "||", "//",
    "**", "<<", "..", "lambda", "None", "True", "nd(", "focal_mean(", "lee(x, 3)", "if_(", "\n", "\t",
    "\0", "\ud7ff", "\u200b", "﷽", " " * 50,
)  # fmt: skip
_PIECES: Final = (
    "pof = 1\n", "[inputs.s2]\n", "[[tests]]\n", "[let]\n", "[value]\n", "[[classes]]\n", "[display]\n",
    "a = 1\n", "bands = { red = 'B04' }\n", "formula = 'red'\n", "x = 1979-05-27\n", "x = nan\n",
    "x = -inf\n", "x = 0b1\n", 'x = """\n', "x = '''\n", 'x = "\\U0010FFFF"\n', "x.y.z = {}\n",
    "x = [[[[]]]]\n", "''=1\n", "# c\n", "\r\n",
)  # fmt: skip
Maker = Callable[[Random], bytes]


class IndicatorTarget:
    """See `tests.fuzz.targets.Target`. The first byte says whether it is a formula, TOML or JSON."""

    def __init__(self) -> None:
        documents = predefined().all()
        folder = resources.files("comeo.indicators") / "predefined"
        texts = [(folder / f"{each.id}.toml").read_bytes() for each in documents]
        self._samples = {
            b"t": texts,
            b"j": [canonical(each) for each in documents]
            + [json.dumps(json.loads(canonical(each)), indent=1).encode() for each in documents],
            b"f": [text.encode() for each in documents for text in each.formula_texts.values()],
        }
        self._makers: dict[bytes, tuple[Maker, ...]] = {
            b"f": (_words, _deep_formula, _long_formula),
            b"t": (_pieces, _deep_toml, _long_toml),
            b"j": (_deep_json, _long_json),
        }

    def case(self, number: int) -> bytes:
        """A damaged sample mostly, else one that is made to do harm."""
        random = Random(number)
        kind = random.choice((b"f", b"f", b"t", b"j"))
        samples = self._samples[kind]
        if random.random() < 0.75:
            return kind + mutated(random.choice(samples), random.choice(samples), random)
        return kind + random.choice(self._makers[kind])(random)

    def check(self, data: bytes) -> str:
        """Read it; refusing has to be fast, and what is accepted has to be computed and read again."""
        before = time.thread_time()
        try:
            outcome = _formula(data[1:]) if data[:1] == b"f" else _document(data[1:], toml=data[:1] == b"t")
        except (FormulaError, DocumentError) as error:
            if time.thread_time() - before > LONGEST and _slow(data):
                raise TimeoutError(f"refusing it takes more than {LONGEST} s of the processor") from error
            return f"refused: {type(error).__name__}: {error}"[:70]
        return outcome


def _slow(data: bytes) -> bool:
    """Whether refusing takes too long every time: once it may be that rubbish is collected."""
    took = []
    for _ in range(3):
        before = time.thread_time()
        try:
            _formula(data[1:]) if data[:1] == b"f" else _document(data[1:], toml=data[:1] == b"t")
        except (FormulaError, DocumentError):
            took.append(time.thread_time() - before)
    return min(took, default=0) > LONGEST


def _formula(data: bytes) -> str:
    node = parse_formula(data.decode("utf-8", "replace"))
    assert parse_formula(to_text(node)) == node
    assert from_json(to_json(node)) == node
    image = np.linspace(-2, 2, 9, dtype=np.float32).reshape(3, 3)
    found = evaluate(node, dict.fromkeys(names(node), image), (3, 3))
    assert found.shape == (3, 3)
    assert not np.isinf(found).any()
    return f"computed {len(names(node))} names"


def _document(data: bytes, *, toml: bool) -> str:
    document = read_document(data, "toml" if toml else "json")
    form = canonical(document)
    assert canonical(read_document(form, "json")) == form
    expression = expression_of_document(document)
    passed = sum(each.passed for each in run_tests(document))
    return f"read, {len(expression.parts)} results, {passed} of {len(document.tests)} tests passed"


def _words(random: Random) -> bytes:
    words = random.choices(_WORDS, k=random.randint(1, 60))
    return random.choice(("", " ")).join(words).encode("utf-8", "replace")


def _deep_formula(random: Random) -> bytes:
    opening, closing = random.choice(
        (("(", ")"), ("-", ""), ("not ", ""), ("abs(", ")"), ("a**", ""), ("~", ""))
    )
    times = random.choice((50, 61, 199, 1000, 3999))
    return (opening * times + "a" + closing * random.choice((times, times - 1, 0))).encode()


def _long_formula(random: Random) -> bytes:
    text = random.choice(("a+", "a<", "a,", "1", "1e", ".", " ", "&", "a", "é", "b a", "max(a,", "1+1"))
    return (text * random.choice((100, 1999, 4000, 60000)) + "a").encode()


def _pieces(random: Random) -> bytes:
    return "".join(random.choices(_PIECES, k=random.randint(1, 60))).encode()


def _deep_toml(random: Random) -> bytes:
    times = random.choice((20, 300, 3000, 20000))
    form = random.choice(("x = {0}", "[{1}]", "{1} = 1", "x = {2}", "[[{1}]]"))
    return form.format("[" * times, ".".join("a" * times), "{a=" * times).encode()


def _long_toml(random: Random) -> bytes:
    line = random.choice(
        (
            "[a{0}]\n",
            "[[a]]\n",
            "k{0} = 1\n",
            "a.b{0} = 1\n",
            "[a.b.c{0}]\n",
            '"{0}" = ""\n',
            "x = [\n",
            "#\n",
            "\n",
        )
    )
    text = "".join(line.format(number) for number in range(random.choice((50, 1000, 6000))))
    return (text + random.choice(("", "x = " + "9" * 4000, "x = '" + "a" * 30000, "x=1\nx=1"))).encode()[
        :65536
    ]


def _deep_json(random: Random) -> bytes:
    times = random.choice((20, 300, 3000, 30000))
    return (random.choice(("[", '{"a":', '[{"a":')) * times).encode()[:65536]


def _long_json(random: Random) -> bytes:
    value = random.choice(
        ("1", "9" * 4400, '"' + "a" * 9999 + '"', "null", "1e999", "-0.0", '"\\ud800"', "[]")
    )
    name = random.choice(("pof", "let", "inputs", "tests", "classes", "title", "value", "x"))
    inner = ",".join(f'"k{number}":{value}' for number in range(random.choice((1, 30, 3000))))
    return f'{{"pof":1,"{name}":{{{inner}}},"id":{value}}}'.encode()[:65536]
