"""A program of JavaScript followed symbolically: its numbers are formulas. Nothing of it is run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from comeo.indicators.translate import natives, syntax
from comeo.indicators.translate.common import NEVER, TranslationError
from comeo.indicators.translate.evalscript import BROUGHT, HELPERS, OF_MATH, STATISTICS
from comeo.indicators.translate.folding import fold
from comeo.indicators.translate.script_values import (
    Closure,
    Combined,
    Dates,
    Enough,
    Native,
    Sample,
    Samples,
    is_number,
)
from comeo.indicators.tree import Call, Name, Number

if TYPE_CHECKING:
    from tree_sitter import Node as Syntax

DEEPEST: Final = 60
MOST_STEPS: Final = 20_000
_OURS: Final = {js: name for name, js in BROUGHT.items()}
_MATH: Final = {js: name for name, js in OF_MATH.items()} | {"pow": "**"}
_DATES: Final = {js: name for name, js in STATISTICS.items()}
_BINARY: Final = {
    **{sign: sign for sign in ("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "**")},
    "==": "==", "===": "==", "!=": "!=", "!==": "!=", "&&": "and", "||": "or",
}  # fmt: skip


@dataclass(slots=True)
class Script:
    """A script on the way to a document.

    Attributes:
        scope: Names of the script's outermost level.
        shown: Least and greatest value of a ramp of colours, once one is met.
        left_out: What is not taken over, a sentence each.
    """

    scope: dict[str, Any] = field(default_factory=dict)
    shown: list[float] | None = None
    left_out: list[str] = field(default_factory=list)
    _steps: int = 0
    _depth: int = 0

    def declare(self, root: Syntax) -> None:
        """Take in the functions and constants of a script."""
        self.scope.update(index=self._native("nd"), colorBlend=Native("colorBlend", self._blend))
        for statement in root.named_children:
            if statement.type != "comment":
                self._statement(statement, self.scope)

    def run(self, name: str, arguments: list[Any]) -> Any:
        """What a function of the script returns.

        Raises:
            TranslationError: With line and reason.
        """
        function = self.scope.get(name)
        if not isinstance(function, Closure):
            raise TranslationError(f"there is no function {name}")
        return self._apply(function, arguments, syntax.line(function.body))

    def _apply(self, function: Any, arguments: list[Any], line: int) -> Any:
        if isinstance(function, Native):
            return function.call(arguments, line)
        if not isinstance(function, Closure):
            raise TranslationError("this is called, and is no function that is known", line)
        self._depth += 1
        if self._depth > DEEPEST:
            raise TranslationError(f"functions call each other more than {DEEPEST} deep", line)
        scope = dict(function.scope)
        scope.update(zip(function.parameters, arguments, strict=False))
        if function.body.type == "statement_block":
            result = self._block(function.body.named_children, scope)
        else:
            result = self._value(function.body, scope)
        self._depth -= 1
        return result

    def _block(self, statements: list[Syntax], scope: dict[str, Any]) -> Any:
        """What statements return, or None if they end without returning."""
        for index, statement in enumerate(statements):
            if statement.type == "if_statement":
                rest = statements[index + 1 :]
                condition = self._value(syntax.child(statement, "condition"), scope)
                yes, no = syntax.child(statement, "consequence"), statement.child_by_field_name("alternative")
                first = [*syntax.statements(yes), *rest]
                second = [*(syntax.statements(no) if no is not None else []), *rest]
                when, otherwise = self._block(first, dict(scope)), self._block(second, dict(scope))
                return self._choose(condition, when, otherwise, syntax.line(statement))
            if statement.type == "return_statement":
                children = statement.named_children
                return self._value(children[0], scope) if children else None
            self._statement(statement, scope)
        return None

    def _statement(self, statement: Syntax, scope: dict[str, Any]) -> None:
        match statement.type:
            case "comment" | "empty_statement":
                return
            case "function_declaration":
                name = syntax.text(syntax.child(statement, "name"))
                scope[name] = self._known(name, statement) or self._closure(statement, scope)
            case "lexical_declaration" | "variable_declaration":
                for each in statement.named_children:
                    self._declared(each, statement, scope)
            case "expression_statement":
                self._assigned(statement.named_children[0], scope)
            case _:
                raise syntax.unreadable(statement)

    def _declared(self, each: Syntax, statement: Syntax, scope: dict[str, Any]) -> None:
        name, value = syntax.child(each, "name"), each.child_by_field_name("value")
        known = self._known(syntax.text(name), statement)
        result = known or (self._value(value, scope) if value is not None else NEVER)
        if name.type == "identifier":
            scope[syntax.text(name)] = result
        elif name.type == "object_pattern" and isinstance(result, Sample):
            scope.update({syntax.text(part): Name(syntax.text(part)) for part in name.named_children})
        else:
            raise syntax.unreadable(name)

    def _assigned(self, each: Syntax, scope: dict[str, Any]) -> None:
        if each.type == "string":  # "use strict"
            return
        left = each.child_by_field_name("left")
        if left is None or left.type != "identifier":
            raise syntax.unreadable(each)
        value = self._value(syntax.child(each, "right"), scope)
        if each.type == "augmented_assignment_expression":
            sign = syntax.text(syntax.child(each, "operator"))[:-1]
            value = self._binary(sign, scope.get(syntax.text(left)), value, syntax.line(each))
        scope[syntax.text(left)] = value

    def _value(self, node: Syntax, scope: dict[str, Any]) -> Any:
        """The value of an expression."""
        self._steps += 1
        self._depth += 1
        if self._steps > MOST_STEPS or self._depth > 4 * DEEPEST:
            raise TranslationError("the script is too long to be followed", syntax.line(node))
        method = getattr(self, f"_of_{node.type}", None)
        if method is None:
            raise syntax.unreadable(node)
        result = method(node, scope)
        self._depth -= 1
        return result

    def _of_number(self, node: Syntax, _: dict[str, Any]) -> Any:
        text = syntax.text(node).replace("_", "")
        return Number(float(int(text, 0)) if text[:2].lower() in ("0x", "0b", "0o") else float(text))

    def _of_true(self, *_: Any) -> Any:
        return Number(1.0)

    def _of_false(self, *_: Any) -> Any:
        return Number(0.0)

    def _of_null(self, *_: Any) -> Any:
        return NEVER

    def _of_undefined(self, *_: Any) -> Any:
        return NEVER

    def _of_string(self, node: Syntax, _: dict[str, Any]) -> Any:
        return syntax.text(node)[1:-1]

    def _of_identifier(self, node: Syntax, scope: dict[str, Any]) -> Any:
        name = syntax.text(node)
        if name in scope and scope[name] is not None:
            return scope[name]
        constants = {
            "NaN": NEVER,
            "Infinity": NEVER,
            "Math": "Math",
            "Number": "Number",
            "isNaN": "Number.isNaN",
        }
        if name in constants:
            return self._member("Number", "isNaN", node) if name == "isNaN" else constants[name]
        if name in ("Mosaicking", "SampleType"):
            return name
        raise TranslationError(f"{name} is unknown here", syntax.line(node))

    def _of_parenthesized_expression(self, node: Syntax, scope: dict[str, Any]) -> Any:
        return self._value(node.named_children[0], scope)

    def _of_array(self, node: Syntax, scope: dict[str, Any]) -> Any:
        found = list[Any]()
        for each in node.named_children:
            if each.type == "comment":
                continue
            if each.type == "spread_element":
                spread = self._value(each.named_children[0], scope)
                found.extend(spread if isinstance(spread, list) else [spread])
            else:
                found.append(self._value(each, scope))
        return found

    def _of_object(self, node: Syntax, scope: dict[str, Any]) -> Any:
        found: dict[str, Any] = {}
        for each in node.named_children:
            if each.type == "pair":
                found[syntax.text(syntax.child(each, "key")).strip("\"'")] = self._value(
                    syntax.child(each, "value"), scope
                )
            elif each.type == "shorthand_property_identifier":
                found[syntax.text(each)] = scope.get(syntax.text(each))
            elif each.type != "comment":
                raise syntax.unreadable(each)
        return found

    def _of_arrow_function(self, node: Syntax, scope: dict[str, Any]) -> Any:
        return self._closure(node, scope)

    _of_function_expression = _of_arrow_function

    def _of_unary_expression(self, node: Syntax, scope: dict[str, Any]) -> Any:
        sign, value = (
            syntax.text(syntax.child(node, "operator")),
            self._value(syntax.child(node, "argument"), scope),
        )
        if sign not in "-+!" or not is_number(value):
            raise syntax.unreadable(node)
        return value if sign == "+" else fold("-" if sign == "-" else "not", value)

    def _of_binary_expression(self, node: Syntax, scope: dict[str, Any]) -> Any:
        left, right = (self._value(syntax.child(node, side), scope) for side in ("left", "right"))
        return self._binary(syntax.text(syntax.child(node, "operator")), left, right, syntax.line(node))

    def _of_ternary_expression(self, node: Syntax, scope: dict[str, Any]) -> Any:
        parts = [
            self._value(syntax.child(node, key), scope) for key in ("condition", "consequence", "alternative")
        ]
        condition, yes, no = parts
        return self._choose(condition, yes, no, syntax.line(node))

    def _of_member_expression(self, node: Syntax, scope: dict[str, Any]) -> Any:
        return self._member(
            self._value(syntax.child(node, "object"), scope),
            syntax.text(syntax.child(node, "property")),
            node,
        )

    def _of_subscript_expression(self, node: Syntax, scope: dict[str, Any]) -> Any:
        whole, index = (self._value(syntax.child(node, key), scope) for key in ("object", "index"))
        if isinstance(whole, list) and isinstance(index, Number) and 0 <= index.value < len(whole):
            return whole[int(index.value)]
        if isinstance(whole, Sample) and isinstance(index, str):
            return Name(index)
        raise TranslationError(
            "an element of samples is no part of a document; use map over all of them", syntax.line(node)
        )

    def _of_new_expression(self, node: Syntax, scope: dict[str, Any]) -> Any:
        name = syntax.text(syntax.child(node, "constructor"))
        if not name.endswith("Visualizer"):
            raise syntax.unreadable(node)
        arguments = [self._value(each, scope) for each in syntax.child(node, "arguments").named_children]
        return {"visualizer": name, "arguments": arguments}

    def _of_call_expression(self, node: Syntax, scope: dict[str, Any]) -> Any:
        arguments = list[Any]()
        for each in syntax.child(node, "arguments").named_children:
            if each.type == "spread_element":
                spread = self._value(each.named_children[0], scope)
                arguments.extend(spread if isinstance(spread, list) else [spread])
            elif each.type != "comment":
                arguments.append(self._value(each, scope))
        callee = syntax.child(node, "function")
        if callee.type == "member_expression":
            whole = self._value(syntax.child(callee, "object"), scope)
            return self._method(whole, syntax.text(syntax.child(callee, "property")), arguments, callee)
        return self._apply(self._value(callee, scope), arguments, syntax.line(node))

    def _member(self, whole: Any, name: str, node: Syntax) -> Any:  # noqa: PLR0911 - one a kind
        constants = {"PI": math.pi, "E": math.e, "LN10": math.log(10), "LN2": math.log(2)}
        match whole:
            case Sample():
                return Number(1.0) if name == "dataMask" else Name(name)
            case "Math" if name in constants:
                return Number(constants[name])
            case "Math" if name in _MATH:
                return self._native(_MATH[name])
            case "Number" if name in ("isNaN", "isFinite"):
                return Native(name, lambda arguments, _: natives.known_number(name, arguments))
            case "Mosaicking" | "SampleType":
                return name
            case Dates() | list() if name == "length":
                return whole if isinstance(whole, Dates) else Number(float(len(whole)))
            case dict() if name in whole:
                return whole[name]
        raise TranslationError(f"the member {name} has no place in a document", syntax.line(node))

    def _method(  # noqa: PLR0911 - one a method
        self, whole: Any, name: str, arguments: list[Any], node: Syntax
    ) -> Any:
        line = syntax.line(node)
        match whole, name, arguments:
            case list(), "includes", [value] if is_number(value):
                same = [fold("==", value, each) for each in whole]
                return natives.any_of(same)
            case list(), "map", [function]:
                return [self._apply(function, [each], line) for each in whole]
            case list(), "some", [function]:
                return natives.any_of([self._apply(function, [each], line) for each in whole])
            case Samples(), "map", [function]:
                return Dates(self._apply(function, [Sample()], line))
            case Dates(value=value), "map", [function]:
                return Dates(self._apply(function, [value], line))
            case Dates(value=value), "filter", [function]:
                shown = self._apply(function, [value], line)
                same = shown == Call("isvalid", (value,))
                return whole if same else Dates(fold("if_", shown, value, NEVER))
            case {"visualizer": str(kind), "arguments": list(given)}, "process", [value]:
                return self._ramp(kind, given, value)
            case str(), _, _:
                return self._apply(self._member(whole, name, node), arguments, line)
        raise TranslationError(f"the method {name} has no place in a document", line)

    def _binary(self, sign: str, left: Any, right: Any, line: int) -> Any:
        if isinstance(left, Dates) and sign in (">=", ">") and isinstance(right, Number):
            return Enough(int(right.value) + (sign == ">"))
        if sign not in _BINARY or not (is_number(left) and is_number(right)):
            raise TranslationError(f"{sign} of these has no place in a document", line)
        return fold(_BINARY[sign], left, right)

    def _choose(self, condition: Any, yes: Any, no: Any, line: int) -> Any:
        """One of two values, part by part."""
        if isinstance(condition, Enough) and isinstance(yes, Combined) and no == NEVER:
            return replace(yes, dates=condition.dates)
        if isinstance(condition, Number):
            return yes if condition.value else no
        if isinstance(yes, list) and isinstance(no, list) and len(yes) == len(no):
            return [self._choose(condition, *pair, line) for pair in zip(yes, no, strict=True)]
        if isinstance(yes, dict) and isinstance(no, dict) and yes.keys() == no.keys():
            return {key: self._choose(condition, yes[key], no[key], line) for key in yes}
        if all(map(is_number, (condition, yes, no))):
            return fold("if_", condition, yes, no)
        raise TranslationError("the branches of a choice differ in kind, or one returns nothing", line)

    def _closure(self, node: Syntax, scope: dict[str, Any]) -> Closure:
        single = node.child_by_field_name("parameter")
        several = node.child_by_field_name("parameters")
        parts = [single] if single is not None else several.named_children if several is not None else []
        if any(each.type != "identifier" for each in parts):
            raise syntax.unreadable(node)
        return Closure(tuple(map(syntax.text, parts)), syntax.child(node, "body"), scope)

    def _known(self, name: str, statement: Syntax) -> Native | None:
        """The function that our own scripts bring by this name, if it is that to the letter."""
        if HELPERS.get(name) != syntax.text(statement):
            return None
        if name in _DATES:
            return Native(name, lambda arguments, line: natives.over_dates(_DATES[name], arguments, line))
        return self._native(_OURS[name]) if name in _OURS else Native(name, natives.not_called)

    def _native(self, function: str) -> Native:
        return Native(function, lambda arguments, line: natives.call(function, arguments, line))

    def _blend(self, arguments: list[Any], line: int) -> Any:
        match arguments:
            case [value, [Number(value=low), *_, Number(value=high)], *_] if is_number(value):
                return self._shown(value, low, high, "colorBlend")
        raise TranslationError("colorBlend takes a value and its limits", line)

    def _ramp(self, kind: str, given: list[Any], value: Any) -> Any:
        match given:
            case [[[Number(value=low), *_], *_, [Number(value=high), *_]], *_]:
                return self._shown(value, low, high, kind)
            case [_, Number(value=low), Number(value=high)]:
                return self._shown(value, low, high, kind)
        return self._shown(value, 0.0, 1.0, kind)

    def _shown(self, value: Any, low: float, high: float, kind: str) -> Any:
        self.shown = [min(low, high), max(low, high)] if low != high else None
        self.left_out.append(f"the colours of {kind} are left out: choose a palette in display.colormap")
        return [value]
