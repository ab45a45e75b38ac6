"""JSON in the bodies of requests: what Python reads beyond JSON is refused, wherever it stands.

Answers repeat parts of what was sent, as ids and properties of areas, and have to be JSON in UTF-8.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from flask.json.provider import DefaultJSONProvider

from comeo.errors import ParameterError
from tileserver.text import is_text

_MAYBE_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class StrictJson(DefaultJSONProvider):
    """JSON as RFC 8259 has it, whose text can be written as UTF-8 again."""

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Read a body.

        Raises:
            ValueError: If it is no JSON.
            ParameterError: If it has numbers that JSON has not, or halves of characters, or is text alone.
        """
        text = s if isinstance(s, str) else s.decode(json.detect_encoding(s), "surrogatepass")
        value = json.loads(text, parse_constant=_refused)
        if isinstance(value, str):  # in which flask-openapi3 would look for JSON
            raise ParameterError("the body is one JSON string; send the object itself, without quotes")
        if _MAYBE_HALF.search(text) and not _is_whole(value):
            members = value.items() if isinstance(value, dict) else ()
            where = next((name for name, each in members if not _is_whole([name, each])), "the body")
            raise ParameterError(f"{where} has half of a character: a surrogate without its other half")
        return value


def _is_whole(value: Any) -> bool:
    return is_text(json.dumps(value, ensure_ascii=False))


def _refused(name: str) -> Any:
    raise ParameterError(f"{name} is no number of JSON; leave it out, or write null")
