"""Parcels of reports on their way up: packed JSON, signed by the relay's key (Ed25519, RFC 8032)."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from comeo.errors import ParameterError
from tileserver.errors import ForbiddenError
from tileserver.signing import holds, sign
from tileserver.store.reports import Kind, Report
from tileserver.watch.reports.model import check

PATH: Final = "relay/v1/reports"
CONTENT_TYPE: Final = "application/gzip"
SIGNATURE: Final = "Comeo-Signature"
NAME: Final = "Comeo-Relay"
MOST_PACKED: Final = 1 << 20
"""Bytes of a parcel on the wire."""
MOST_UNPACKED: Final = 16 << 20
MOST_REPORTS: Final = 10_000
_CONTEXT: Final = b"comeo reports 1\n"
_Key = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent at once.

    Attributes:
        epoch: Of the relay's database: numbers begin anew with it.
        seq: Number of the parcel; of two the one with the greater number was packed later.
        reports: In it.
    """

    epoch: str
    seq: int
    reports: Sequence[Report]


class _Packed(BaseModel):
    """A parcel as JSON."""

    model_config = ConfigDict(extra="forbid")

    epoch: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    seq: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
    reports: Annotated[list[tuple[Kind, _Key, dict[str, Any] | None]], Field(max_length=MOST_REPORTS)]


def pack(parcel: Parcel, secret: str) -> tuple[bytes, str]:
    """A parcel's bytes and their signature."""
    rows = [[each.kind, each.key, each.body] for each in parcel.reports]
    text = json.dumps({"epoch": parcel.epoch, "seq": parcel.seq, "reports": rows}, separators=(",", ":"))
    data = gzip.compress(text.encode(), mtime=0)
    return data, sign(private_key(secret), _CONTEXT + data)


def unpack(data: bytes, signature: str, key: Ed25519PublicKey) -> Parcel:
    """A parcel whose signature holds; nothing of it is looked at before.

    Raises:
        ForbiddenError: If it does not.
        ParameterError: If it is no parcel nevertheless.
    """
    if not holds(key, _CONTEXT + data, signature):
        raise ForbiddenError("the signature is not of that relay's key")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        text = unpacking.decompress(data, MOST_UNPACKED)
        if not unpacking.eof:
            raise ParameterError(f"the parcel is cut short, or has more than {MOST_UNPACKED >> 20} MB")
        packed = _Packed.model_validate_json(text)
    except (zlib.error, ValidationError) as error:
        raise ParameterError("the body is no parcel of reports; is the relay of another version?") from error
    return Parcel(packed.epoch, packed.seq, [check(*each) for each in packed.reports])


def private_key(secret: str) -> Ed25519PrivateKey:
    """The key of 32 bytes in hex."""
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
