"""Ed25519 (RFC 8032) as text: public keys as `ed25519:BASE64`, signatures in Base64."""

from __future__ import annotations

import base64
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX: Final = "ed25519:"
_KEY_BYTES: Final = 32


def public_text(key: Ed25519PrivateKey) -> str:
    """The public key of a private one, as others are given it."""
    return PREFIX + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def public_key(text: str) -> Ed25519PublicKey:
    """Read what `public_text` has written.

    Raises:
        ValueError: If it is something else.
    """
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        if text.startswith(PREFIX) and len(raw) == _KEY_BYTES:
            return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        pass
    raise ValueError(
        "a key is written ed25519: and 44 characters of Base64, as `comeo relay publish` and "
        "`comeo geoservice key` print it"
    )


def sign(key: Ed25519PrivateKey, data: bytes) -> str:
    """A signature."""
    return base64.b64encode(key.sign(data)).decode()


def holds(key: Ed25519PublicKey, data: bytes, signature: str) -> bool:
    """Whether a signature is one of some bytes by a key."""
    try:
        key.verify(base64.b64decode(signature, validate=True), data)
    except (InvalidSignature, ValueError):
        return False
    return True
