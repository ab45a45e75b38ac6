"""Secrets of links in messages, and the digests that are kept of them."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

_BYTES: Final = 24


def new_token() -> str:
    """A secret that fits into an address, and cannot be guessed."""
    return secrets.token_urlsafe(_BYTES)


def digest_of(token: str) -> str:
    """What is kept of a secret: whoever reads the database cannot use its links."""
    return hashlib.sha256(token.encode()).hexdigest()
