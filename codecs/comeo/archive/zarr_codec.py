"""The codecs as Zarr v3 codecs, found by zarr-python through entry points.

A chunk of an array (band, y, x) is one block. Pixels of the array's fill value (0, or NaN for floats) are
masked when they are written and come back exactly. A chunk at the array's far edge may hold a block cropped
to the array; it is padded with the fill value when it is read, since Zarr's chunks are all of one shape.

Payloads of `learned` name their model themselves; writing takes the package's default.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.common import JSON, parse_named_configuration

from comeo.codecs import get_codec
from comeo.codecs.base import Block, Codec
from comeo.codecs.payload import check_block_shape, check_step, is_predicted
from comeo.errors import CodecError

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer


@dataclass(frozen=True)
class BlockZarrCodec(ArrayBytesCodec):
    """Base of the Zarr codecs: one chunk (bands, y, x), uint16 or float32, is one payload.

    Attributes:
        step: Quantisation step for writing; reading takes each payload's own.
        reference: Key of the array that chunks are predicted from, or None. zarr-python shows a codec one
            chunk of one array and nothing else, so it cannot read such chunks.
    """

    is_fixed_size = False
    codec_name: ClassVar[str]

    step: float
    reference: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.step, bool) or not isinstance(self.step, int | float):
            raise CodecError(f"the step must be a number, not {self.step!r}")
        check_step(self.step)
        if not isinstance(self.reference, str | None):
            raise CodecError(f"the reference must be the key of an array, not {self.reference!r}")

    @classmethod
    def from_dict(cls, data: dict[str, JSON]) -> Self:
        """Build from Zarr metadata: `{"name": "comeo.dct", "configuration": {"step": 80.0}}`."""
        _, configuration = parse_named_configuration(data, f"comeo.{cls.codec_name}")
        try:
            return cls(**configuration)  # type: ignore[arg-type]
        except TypeError as error:
            raise CodecError(
                f"the configuration of codec comeo.{cls.codec_name} is wrong: {error}"
            ) from error

    def to_dict(self) -> dict[str, JSON]:
        """Zarr metadata, the inverse of `from_dict`."""
        return {"name": f"comeo.{self.codec_name}", "configuration": self.configuration()}

    def configuration(self) -> dict[str, JSON]:
        """Arguments of `from_dict` that build this codec again."""
        reference: dict[str, JSON] = {} if self.reference is None else {"reference": self.reference}
        return {"step": float(self.step), **reference}

    def codec(self) -> Codec:
        """The codec that does the work."""
        return get_codec(self.codec_name)

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Refuse arrays that no codec can hold."""
        native = dtype.to_native_dtype()
        if native not in (np.dtype(np.uint16), np.dtype(np.float32)):
            raise CodecError(f"codec comeo.{self.codec_name} holds uint16 or float32, not {native}")
        if len(shape) != 3:
            raise CodecError(f"codec comeo.{self.codec_name} holds arrays (band, y, x), not of shape {shape}")
        chunk_shape = getattr(chunk_grid, "chunk_shape", None)
        if chunk_shape is not None:
            check_block_shape(*chunk_shape)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        block = await asyncio.to_thread(self._decode_block, chunk_bytes.to_bytes(), chunk_spec)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(block)

    def _decode_block(self, payload: bytes, spec: ArraySpec) -> Block:
        if is_predicted(payload):
            raise CodecError(
                f"this chunk is predicted from {self.reference or 'another array'}, which Zarr does not show "
                'to a codec; open the archive with engine="comeo" of xarray, or compress the scene with '
                "--independent-groups"
            )
        block = self.codec().decode(payload)
        native = spec.dtype.to_native_dtype()
        if block.dtype != native:
            raise CodecError(f"the chunk holds {block.dtype}, but the array is {native}")
        if block.shape == spec.shape:
            return block
        if block.shape[0] != spec.shape[0] or any(np.greater(block.shape, spec.shape)):
            raise CodecError(
                f"the chunk holds a block of shape {block.shape}, which does not fit {spec.shape}"
            )
        chunk = np.full(spec.shape, spec.fill_value, native)
        chunk[:, : block.shape[1], : block.shape[2]] = block
        return chunk

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        block = np.ascontiguousarray(chunk_array.as_numpy_array())
        fill = np.asarray(chunk_spec.fill_value)
        mask = ~np.isnan(block) if np.isnan(fill) else block != fill
        payload = await asyncio.to_thread(self.codec().encode, block, step=float(self.step), mask=mask)
        return chunk_spec.prototype.buffer.from_bytes(payload)

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Not known before coding."""
        raise NotImplementedError


@dataclass(frozen=True)
class DctZarrCodec(BlockZarrCodec):
    """`comeo.dct` in Zarr metadata."""

    codec_name: ClassVar[str] = "dct"


@dataclass(frozen=True)
class Jpeg2000ZarrCodec(BlockZarrCodec):
    """`comeo.jpeg2000` in Zarr metadata."""

    codec_name: ClassVar[str] = "jpeg2000"


@dataclass(frozen=True)
class LearnedZarrCodec(BlockZarrCodec):
    """`comeo.learned` in Zarr metadata."""

    codec_name: ClassVar[str] = "learned"
