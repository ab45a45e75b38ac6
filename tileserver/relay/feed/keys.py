"""Keys of origins: kept in a file, and what they sign."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import AfterValidator, Field

from comeo.errors import ComeoError
from tileserver.relay.feed.files import replace_file
from tileserver.signing import holds, public_key, public_text, sign

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MAX_FILE_BYTES: Final = 1 << 12
Kind = Literal["index", "line"]
"""What is signed: a signature of one kind is none of the other."""


def _checked(text: str) -> str:
    public_key(text)
    return text


KeyText = Annotated[str, Field(max_length=64), AfterValidator(_checked)]
Signature = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]


class SigningKey:
    """The private key of an origin.

    Attributes:
        text: The public key, as `ed25519:BASE64`.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.text = public_text(key)

    @classmethod
    def make(cls) -> SigningKey:
        """A new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def open(cls, path: Path) -> SigningKey:
        """The key of a file, which is made where there is none, for its owner alone to read.

        Raises:
            ComeoError: If others may read it, or it is no Ed25519 key in PEM.
            OSError: If it cannot be read or made.
        """
        if not path.exists():
            cls._create(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            if os.fstat(descriptor).st_mode & _OTHERS:
                raise ComeoError(f"{path} can be read by others; run `chmod 600 {path}`, or make a new key")
            data = file.read(_MAX_FILE_BYTES)
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError) as error:
            raise ComeoError(
                f"{path} is no private key in PEM; restore it, or remove it for a new one"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ComeoError(f"{path} is no Ed25519 key; restore it, or remove it for a new one")
        return cls(key)

    @classmethod
    def _create(cls, path: Path) -> None:
        data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with contextlib.suppress(FileExistsError):  # another process was first
            replace_file(path, data, mode=0o600, new=True)

    def sign(self, kind: Kind, document: dict[str, Any]) -> str:
        """Signature of a document, in Base64: see `signed`."""
        return sign(self._key, signed(kind, document))


def verify(key: Ed25519PublicKey, kind: Kind, document: dict[str, Any], signature: str) -> bool:
    """Whether a signature is one of a document by a key."""
    try:
        return holds(key, signed(kind, document), signature)
    except ValueError:  # numbers that JSON cannot carry
        return False


def signed(kind: Kind, document: dict[str, Any]) -> bytes:
    """The bytes that are signed: what is signed, its version, and canonical JSON (RFC 8785).

    Raises:
        ValueError: If the document has numbers that JSON cannot carry.
    """
    return b"comeo-relay-" + kind.encode() + b"-1\n" + rfc8785.dumps(document)
