"""The codec interface, and the front end that all codecs share.

A codec turns a block of pixels into a payload and back. What every codec does alike is done here once:
lossless masks, smooth filling, the prediction from a finer group, the adaptive spectral transform, rounding
and clipping. A codec itself sees only decorrelated float32 components, which need no better than the same
step for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from comeo.codecs import payload as pl
from comeo.codecs.correction import correct
from comeo.codecs.fill import fill_invalid
from comeo.codecs.ground import Mask, Shares, check_ground, fitted_to, tile_shares
from comeo.codecs.payload import Buffer, Header, Parsed
from comeo.codecs.prediction import Predictor, Reference, check_reference
from comeo.codecs.prediction import fit as fit_predictor
from comeo.codecs.reduction import reduce_mask, reduce_mean
from comeo.codecs.spectral import SpectralTransform, fit
from comeo.decibel import reduce_power
from comeo.errors import CodecError
from comeo.parallel import each as in_parallel

if TYPE_CHECKING:
    from comeo.codecs.learned.model import Model
    from comeo.settings import CodecSettings

Block = NDArray[Any]
Components = NDArray[np.float32]

MAX_REDUCE = 3
_MAX_MAGNITUDE = 1e9


@dataclass(frozen=True, slots=True)
class Coded:
    """A payload with pixels, but for its entropy-coded components.

    Attributes:
        header: Its header.
        transform: Its spectral transform.
        body: Of the codec.
        predictor: Of the block, or None.
        reference: That it takes, or None.
        weights: (bands,) that bands were multiplied by, or None.
    """

    header: Header
    transform: SpectralTransform
    body: memoryview
    predictor: Predictor | None
    reference: Reference | None
    weights: NDArray[np.float32] | None

    @property
    def plain(self) -> bool:
        """Whether pixels need nothing but what the codec decodes."""
        return self.predictor is None and self.weights is None

    @property
    def whole(self) -> bool:
        """Whether what the codec decodes is rounded to whole pixels by it."""
        return self.plain and self.header.dtype == np.uint16

    @classmethod
    def of(cls, parsed: Parsed, reference: Reference | None) -> Self:
        """Read what precedes the components, and check the reference if it is used.

        Raises:
            CodecError: If anything of it is damaged or missing.
        """
        header, body, predictor, weights = parsed.header, parsed.body, None, None
        if header.flags & pl.WEIGHTED:
            weights, body = _read_weights(body, header.bands)
        if header.flags & pl.PREDICTED:
            if reference is None:
                raise CodecError("the payload is predicted from a finer group, which has to be decoded first")
            check_reference(reference, header.height, header.width)
            predictor, body = Predictor.from_bytes(body, header.bands)
            predictor.check(len(reference))
        transform, body = SpectralTransform.from_bytes(body, header.bands)
        return cls(header, transform, body, predictor, reference, weights)

    def restored(self, values: Block, reduce: int) -> Block:
        """Add what is predicted to decoded bands (bands, y, x) and divide by their weights, in place."""
        if self.predictor is not None and self.reference is not None:
            predicted = self.predictor.predict(self.reference)
            values += reduce_mean(predicted, reduce) if reduce else predicted
        if self.weights is not None:
            values /= self.weights[:, None, None]
        return values


class Codec(ABC):
    """Base of all codecs: subclasses code components, this class codes blocks.

    Attributes:
        name: Name in the `--codec` option and in archives.
        number: Number in the header of a payload.
        flags: Of the header, that its payloads with pixels have.
        weighs: Whether it can let errors count less where there is no ground.
    """

    name: ClassVar[str]
    number: ClassVar[int]
    flags: ClassVar[int] = 0
    weighs: ClassVar[bool] = True

    @classmethod
    def customised(cls, model: Model | None, settings: CodecSettings | None) -> Self:  # noqa: ARG003
        """Return a codec with a model and settings of its own, where they mean something to it.

        Raises:
            CodecError: If a model is given to a codec that has none.
        """
        if model is not None:
            raise CodecError(f"codec {cls.name!r} uses no model; only 'learned' does")
        return cls()

    @property
    def model_digest(self) -> str | None:
        """SHA-256 of the model that this codec encodes with, in hex; None if it needs none."""
        return None

    def require(self, digest: str) -> None:  # noqa: B027 - a codec without models has nothing to do
        """Make sure that payloads of an archive that names a model are decoded by that one.

        Raises:
            MissingModelError: If it is not here.
        """

    def encode(
        self,
        block: Block,
        *,
        step: float,
        mask: NDArray[np.bool_] | None = None,
        reference: Reference | None = None,
        weights: Sequence[int] | None = None,
        ground: Mask | None = None,
    ) -> bytes:
        """Code one block.

        Args:
            block: (bands, y, x), uint16 or float32.
            step: Quantisation step in the block's own numbers.
            mask: True where pixels are valid, (y, x) or (bands, y, x). With a mask, decoding gives 0 (NaN for
                floats) exactly where it is False. None: every pixel is valid, zeros included.
            reference: The same ground in the bands of a finer group, as decoded, brought to the block's size:
                (any bands, y, x) float32, NaN where a pixel is invalid. The block is predicted from it where
                that saves bytes; then decoding takes the very same reference.
            weights: How finely each band is coded, in sixteenths from 1 to 255: its own step is step · 16 /
                weight. None: all alike.
            ground: (y, x), True where errors count in full; elsewhere their squares count a sixteenth, in
                tiles of 16×16 without any ground. None: everywhere.

        Returns:
            The payload.

        Raises:
            CodecError: If the type, shape or step of the block or of the reference, a weight or the ground is
                out of bounds, or the codec cannot weigh errors by ground.
        """
        block, valid, flags = _check(block, mask)
        pl.check_step(step)
        saturated, usable = _saturated(block, valid), valid
        if saturated is not None:
            flags |= pl.HAS_SATURATED
            usable = ~saturated if valid is None else valid & ~saturated
        bands, height, width = block.shape
        if reference is not None:
            check_reference(reference, height, width)
        if ground is not None:
            check_ground(ground, height, width)
            self.check_weighs()
        step = float(np.float32(step))
        body = b""
        if usable is None or usable.any():
            body, found = self._encode_usable(block, usable, step, reference, weights, ground)
            flags |= found
        header = Header(self.number, flags, bands, height, width, step)
        return pl.pack(header, valid if flags & pl.HAS_INVALID else None, saturated, body)

    def _encode_usable(
        self,
        block: Block,
        usable: Mask | None,
        step: float,
        reference: Reference | None,
        weights: Sequence[int] | None,
        ground: Mask | None,
    ) -> tuple[bytes, int]:
        """Code a block of which some pixels are usable: what follows the masks, and its flags."""
        flags, body, values = self.flags, b"", block.astype(np.float32)
        if weights is not None:
            flags |= pl.WEIGHTED
            body, factors = _weights(weights, len(block))
            values *= factors[:, None, None]
        shares, seen = None, usable
        if ground is not None and not ground.all():
            shares = tile_shares(ground if usable is None else ground & usable.any(axis=0))
            seen = fitted_to(ground, usable)
        predictor = None if reference is None else fit_predictor(values, usable, reference, step)
        if reference is not None and predictor is not None:
            flags |= pl.PREDICTED
            body += predictor.to_bytes()
            values -= predictor.predict(reference)
        if usable is not None:
            values = fill_invalid(values, np.broadcast_to(usable, values.shape))
        masks = [seen] if seen is usable else [seen, usable]
        return body + self._encode_values(values, masks, step, shares), flags

    def check_weighs(self) -> None:
        """Refuse to let errors count less where there is no ground, if the codec cannot.

        Raises:
            CodecError: Saying which codecs can.
        """
        if not self.weighs:
            raise CodecError(
                f"{self.name} codes clouds and ground alike; take learned or dct to code clouds more coarsely"
            )

    def decode(self, payload: Buffer, *, reduce: int = 0, reference: Reference | None = None) -> Block:
        """Decode one payload: see `decode_many`."""
        return self.decode_many([payload], reduce=reduce, references=[reference])[0]

    def decode_many(
        self,
        payloads: Sequence[Buffer],
        *,
        reduce: int = 0,
        references: Sequence[Reference | None] | None = None,
    ) -> list[Block]:
        """Decode a batch.

        Args:
            payloads: Of `encode`, of blocks of any shapes.
            reduce: Decode at 1/2^reduce of the size, each pixel standing for the mean of the 2^reduce ×
                2^reduce pixels that it covers (of decibels with a correction: of their power). 0 to 3.
            references: For each payload the reference that it was encoded with, whatever the reduction; None
                for payloads that are not predicted (`payload.is_predicted`).

        Returns:
            One block a payload: (bands, ⌈y/2^reduce⌉, ⌈x/2^reduce⌉), of the type that was encoded.

        Raises:
            CodecError: If a payload is damaged, or predicted and its reference is missing or another one.
        """
        if reduce not in range(MAX_REDUCE + 1):
            raise CodecError(f"blocks decode at reductions 0 to {MAX_REDUCE}, not {reduce!r}")
        reduce = int(reduce)
        given = [None] * len(payloads) if references is None else list(references)
        if len(given) != len(payloads):
            raise CodecError(f"{len(payloads)} payloads come with {len(given)} references")
        pairs = list(zip(payloads, given, strict=True))
        if self.in_batches:
            return self._decode(pairs, reduce)
        return in_parallel(lambda pair: self._decode([pair], reduce)[0], pairs)

    @property
    def in_batches(self) -> bool:
        """Whether payloads are decoded in one batch rather than one by one, on all processors."""
        return False

    def _decode(self, pairs: Sequence[tuple[Buffer, Reference | None]], reduce: int) -> list[Block]:
        """Decode payloads, each with its reference, in one batch."""
        parsed = [pl.parse(_buffer(payload), self.number) for payload, _ in pairs]
        coded = [
            Coded.of(item, reference)
            for item, (_, reference) in zip(parsed, pairs, strict=True)
            if len(item.body)
        ]
        values = iter(self._decode_bands(coded, reduce))
        return [_finish(item, next(values) if len(item.body) else None, reduce) for item in parsed]

    def _decode_bands(self, coded: Sequence[Coded], reduce: int) -> Iterator[Block]:
        """Decode a batch to its bands, whole ones where their power is to be averaged."""
        sizes = [0 if each.header.flags & pl.CORRECTED else reduce for each in coded]
        decoded = {
            size: iter(
                self._decode_values([c for c, own in zip(coded, sizes, strict=True) if own == size], size)
            )
            for size in set(sizes)
        }
        return (each.restored(next(decoded[own]), own) for each, own in zip(coded, sizes, strict=True))

    def _encode_values(
        self, values: Components, parts: Sequence[Mask | None], step: float, shares: Shares | None
    ) -> bytes:
        """Code bands (bands, y, x): the spectral transform, then the components.

        Args:
            values: All finite.
            parts: Which of them the transform may be fitted to, (1 or bands, y, x) each; the best is taken.
                Others are made up, or of little account. None: all.
            step: Quantisation step.
            shares: That the squared error of each tile counts: see `tile_shares`. None: all in full.
        """
        transform = fit(values, parts[0])
        return transform.to_bytes() + self._encode_components(transform.forward(values), step, shares)

    def _decode_values(self, coded: Sequence[Coded], reduce: int) -> list[Block]:
        """Decode a batch of what `_encode_values` returned, at 1/2^reduce of the size.

        Returns:
            Bands (bands, y, x) each: float32, or, where the payload is plain, uint16 that are already rounded
            and within bounds.

        Raises:
            CodecError: If a body is damaged.
        """
        bodies, headers = [each.body for each in coded], [each.header for each in coded]
        components = self._decode_components(bodies, headers, reduce)
        return [
            each.transform.inverse_whole(own, each.header.lowest, pl.SATURATED - 1)
            if each.whole
            else each.transform.inverse(own)
            for each, own in zip(coded, components, strict=True)
        ]

    def _encode_components(self, components: Components, step: float, shares: Shares | None) -> bytes:
        """Code components (components, y, x) that have a mean of about zero: if `_encode_values` doesn't."""
        raise NotImplementedError

    @abstractmethod
    def _decode_components(
        self, bodies: Sequence[memoryview], headers: Sequence[Header], reduce: int
    ) -> list[Components]:
        """Decode a batch of what `_encode_components` returned, at 1/2^reduce of the size.

        Raises:
            CodecError: If a body is damaged.
        """


def _buffer(payload: Buffer) -> memoryview:
    """A payload's bytes.

    Raises:
        CodecError: If it has none.
    """
    try:
        return memoryview(payload)
    except TypeError as error:
        raise CodecError(f"a payload is bytes, not {type(payload).__name__}") from error


def _weights(weights: Sequence[int], bands: int) -> tuple[bytes, NDArray[np.float32]]:
    """Weights as a payload has them, and as factors.

    Raises:
        CodecError: If there are too many or too few, or one is out of bounds.
    """
    if len(weights) != bands or not all(isinstance(each, int) and 1 <= each <= 255 for each in weights):
        raise CodecError(f"weights are {bands} whole numbers from 1 to 255, not {tuple(weights)}")
    return bytes(weights), _read_weights(memoryview(bytes(weights)), bands)[0]


def _read_weights(body: memoryview, bands: int) -> tuple[NDArray[np.float32], memoryview]:
    """The factors that bands were multiplied by, and what follows them.

    Raises:
        CodecError: If they are cut short, or one is 0.
    """
    whole = np.frombuffer(body[:bands], np.uint8)
    if len(whole) < bands or not whole.all():
        raise CodecError("the payload's weights of bands are damaged")
    return whole.astype(np.float32) / np.float32(pl.WEIGHT_UNIT), body[bands:]


def _check(block: Block, mask: NDArray[np.bool_] | None) -> tuple[Block, NDArray[np.bool_] | None, int]:
    """Return the block, its valid pixels as (1 or bands, y, x), and their header flags."""
    for name, given in (("block", block), ("mask", mask)):
        if not isinstance(given, np.ndarray) and (name == "block" or given is not None):
            raise CodecError(f"the {name} is a NumPy array, not {type(given).__name__}")
    if block.ndim != 3:
        raise CodecError(f"a block is (bands, y, x), not of shape {block.shape}")
    pl.check_block_shape(*block.shape)
    if block.dtype not in (np.uint16, np.float32):
        raise CodecError(f"a block is uint16 or float32, not {block.dtype}")
    flags = pl.FLOAT32 if block.dtype == np.float32 else 0
    valid = None
    if mask is not None:
        if mask.dtype != np.bool_ or mask.shape not in (block.shape, block.shape[1:]):
            raise CodecError(
                f"the mask is bool {block.shape} or {block.shape[1:]}, not {mask.dtype} {mask.shape}"
            )
        valid = mask.reshape(-1, *block.shape[1:])
        if (valid == valid[:1]).all():
            valid = valid[:1]
        flags |= pl.NODATA_DOMAIN
        flags |= pl.HAS_INVALID if not valid.all() else 0
        flags |= pl.PER_BAND_MASK if len(valid) > 1 else 0
    if block.dtype == np.float32:
        usable = np.abs(block) <= _MAX_MAGNITUDE  # false for NaN
        if not (usable if valid is None else usable | ~valid).all():
            raise CodecError(
                f"the block has valid pixels not finite or beyond ±{_MAX_MAGNITUDE:g}; mark them in the mask"
            )
    return block, valid, flags


def _saturated(block: Block, valid: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Where valid pixels hold the saturated value, or None if none does."""
    if block.dtype != np.uint16:
        return None
    saturated: NDArray[np.bool_] = block == pl.SATURATED
    if valid is not None:
        saturated = saturated & valid
    return saturated if saturated.any() else None


def _finish(parsed: Parsed, values: Block | None, reduce: int) -> Block:
    """Bring decoded values to the block's type and put the lossless masks back."""
    header = parsed.header
    given = 0 if parsed.correction is not None else reduce
    if values is None:
        size = (-(-header.height >> given), -(-header.width >> given))
        values = np.zeros((header.bands, *size), np.float32)
    if header.dtype == np.uint16:
        block = values
        if values.dtype != np.uint16:
            block = np.clip(np.rint(values), header.lowest, pl.SATURATED - 1).astype(np.uint16)
        if parsed.saturated is not None:
            block[reduce_mask(parsed.saturated, reduce)] = pl.SATURATED
    else:
        block = values
    if parsed.correction is not None:
        correct(block, parsed.correction)
        _mask(block, parsed, 0)
        if not reduce:
            return block
        block = reduce_power(block, reduce)
    _mask(block, parsed, reduce)
    return block


def _mask(block: Block, parsed: Parsed, reduce: int) -> None:
    """Mark the invalid pixels of a block, in place."""
    if parsed.valid is not None:
        valid = np.broadcast_to(reduce_mask(parsed.valid, reduce), block.shape)
        block[~valid] = np.nan if parsed.header.flags & pl.FLOAT32 else 0
