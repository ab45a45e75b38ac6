"""The codecs through zarr-python, sharded and with checksums, as archives use them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.registry import get_codec_class
from zarr.storage import MemoryStore

from comeo.archive.zarr_codec import BlockZarrCodec, DctZarrCodec, Jpeg2000ZarrCodec, LearnedZarrCodec
from comeo.codecs import get_codec
from comeo.errors import CodecError
from tests.comeo.codecs.blocks import textured

CLASSES = {"dct": DctZarrCodec, "jpeg2000": Jpeg2000ZarrCodec, "learned": LearnedZarrCodec}


def create(store: MemoryStore, values: NDArray[Any], serializer: BlockZarrCodec, **options: Any) -> Any:
    defaults: dict[str, Any] = {
        "chunks": (values.shape[0], 64, 64),
        "shards": (values.shape[0], 128, 128),
        "fill_value": 0 if values.dtype == np.uint16 else np.nan,
        "compressors": [Crc32cCodec()],
        "filters": None,
    }
    array = zarr.create_array(
        store, shape=values.shape, dtype=values.dtype, serializer=serializer, **{**defaults, **options}
    )
    array[:] = values
    return array


@pytest.mark.parametrize("name", CLASSES)
def test_entry_points_name_the_codecs(name: str) -> None:
    assert get_codec_class(f"comeo.{name}") is CLASSES[name]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_round_trip_with_sharding_and_checksums(name: str, dtype: str) -> None:
    values = textured(3, 150, 200, dtype=dtype)
    fill = 0 if dtype == "uint16" else np.nan
    values[:, :30, :40] = fill
    values[1, 100:, 190:] = fill
    store = MemoryStore()
    create(store, values, CLASSES[name](step=20.0 if dtype == "uint16" else 0.2))
    reopened = zarr.open_array(store, mode="r")
    read = np.asarray(reopened[:])
    assert read.dtype == values.dtype
    if dtype == "uint16":
        np.testing.assert_array_equal(read == 0, values == 0)
    else:
        np.testing.assert_array_equal(np.isnan(read), np.isnan(values))
    assert np.nanmax(np.abs(read.astype(float) - values)) < (100 if dtype == "uint16" else 1)
    metadata = json.loads(store._store_dict["zarr.json"].to_bytes())
    inner = metadata["codecs"][0]["configuration"]["codecs"][0]
    assert inner == {"name": f"comeo.{name}", "configuration": {"step": 20.0 if dtype == "uint16" else 0.2}}


@pytest.mark.parametrize("name", CLASSES)
def test_a_cropped_block_is_padded_with_the_fill_value(name: str) -> None:
    """What an archive stores at the far edge: the block cropped to the scene."""
    block = textured(2, 50, 30)
    store = MemoryStore()
    values = np.zeros((2, 64, 64), np.uint16)
    array = create(store, values, CLASSES[name](step=10.0), shards=None, compressors=None)
    payload = get_codec(name).encode(block, step=10.0, mask=np.ones((50, 30), bool))
    store._store_dict["c/0/0/0"] = default_buffer_prototype().buffer.from_bytes(payload)
    read = array[:]
    np.testing.assert_array_equal(read[:, :50, :30], get_codec(name).decode(payload))
    assert not read[:, 50:].any()
    assert not read[:, :, 30:].any()


def test_chunks_that_do_not_fit_the_array_are_refused() -> None:
    store = MemoryStore()
    values = np.zeros((2, 64, 64), np.uint16)
    array = create(store, values, DctZarrCodec(step=10.0), shards=None, compressors=None)
    for block in (textured(2, 65, 10), textured(3, 10, 10), textured(2, 64, 64, dtype="float32")):
        payload = get_codec("dct").encode(block, step=10.0)
        store._store_dict["c/0/0/0"] = default_buffer_prototype().buffer.from_bytes(payload)
        with pytest.raises(CodecError, match="the chunk holds"):
            array[:]


@pytest.mark.parametrize(
    "configuration", [{}, {"step": "fine"}, {"step": True}, {"step": -1.0}, {"step": 5.0, "speed": 3}]
)
def test_wrong_configurations_are_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(CodecError, match=r"step|configuration"):
        DctZarrCodec.from_dict({"name": "comeo.dct", "configuration": configuration})


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.ones((2, 64, 64), np.int32), {"fill_value": 0}, "uint16 or float32"),
        (np.zeros((64, 64), np.uint16), {"chunks": (64, 64), "shards": None}, r"\(band, y, x\)"),
        (np.zeros((1, 64, 2048), np.uint16), {"chunks": (1, 64, 2048), "shards": None}, "1 to 1024 pixels"),
    ],
)
def test_arrays_that_no_payload_holds_are_refused(
    values: NDArray[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CodecError, match=message):
        create(MemoryStore(), values, DctZarrCodec(step=10.0), **options)
