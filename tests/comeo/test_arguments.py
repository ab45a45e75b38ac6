"""Odd arguments of the public functions: each is refused with one sentence, and nothing is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import comeo
from comeo.errors import ArchiveError, CodecError, ComeoError, NotFoundError, ParameterError, SourceError
from comeo.export.arguments import request_of
from tests.scenes import array_group, array_scene, landscape

BOW_TIE = [[8.64, 47.45], [8.65, 47.46], [8.64, 47.46], [8.65, 47.45], [8.64, 47.45]]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = array_scene(array_group(landscape(3, 256, 256), names=["B02", "B03", "B04"]))
    return comeo.compress(scene, tmp_path_factory.mktemp("archives"), codec="dct", step=60.0)


def _deep(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


def _polygon(coordinates: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": coordinates}


EXTRACTS: dict[str, list[Any]] = {
    "max_size": [0, -1, 1.5, "5", True, math.nan],
    "resampling": ["foo", "", 3, ["nearest"], "NEAREST"],
    "bbox": [
        (1, 2, 3), (1, 2, 3, 4, 5), "abcd", 5, (), ("a", 1, 2, 3), (math.nan,) * 4, (-math.inf, 1, 2, 3),
        (8.65, 47.45, 8.64, 47.46), (8.64, 47.46, 8.65, 47.45), (10**400, 1, 2, 3), (None, 1, 2, 3),
    ],
    "bands": [[], (), "B04", "", [4], [""], ["B04", None], {"B04": 1}, 7],
    "expression": ["", " ", ";", 5, "B04/", "B04**" + "9" * 400, "import os", ["B04"]],
    "polygon": [
        {}, [], "x", {"type": "Point", "coordinates": [1, 2]}, {"type": "Feature"}, {"type": ["Polygon"]},
        _polygon([]), _polygon(None), _polygon("x"), _polygon([[[1, 2], [3, 4]]]), _polygon([BOW_TIE]),
        _polygon([[["a", "b"]] * 4]), _polygon(_deep(5000)),
        _polygon([[[10**400, 1], [2, 2], [3, 3], [1, 1]]]),
    ],
    "crs": ["", 5, 10**5000, "EPSG:1", "x", "EPSG:9999999", "+proj=utm", "/etc/passwd"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}-{index}")
        for name, values in EXTRACTS.items()
        for index, value in enumerate(values)
    ],
)
def test_extract_refuses(name: str, value: Any, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as refused:
        comeo.extract(archive, tmp_path / "a.tif", **{name: value})
    assert 10 < len(str(refused.value)) < 300
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"bands": ["B04", "X"]}, NotFoundError),
        ({"bbox": (1, 2, 3, 4)}, NotFoundError),
        ({"expression": "X+1"}, NotFoundError),
        ({"bands": ["B04"], "expression": "B04"}, ParameterError),
        ({"bbox": (8.64, 47.45, 8.65, 47.46), "polygon": _polygon([BOW_TIE])}, ParameterError),
    ],
)
def test_extract_refuses_what_does_not_fit(
    arguments: dict[str, Any], kind: type[ComeoError], archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(kind):
        comeo.extract(archive, tmp_path / "a.tif", **arguments)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(EXTRACTS)), ANYTHING))
def test_no_argument_makes_another_error(arguments: dict[str, Any]) -> None:
    try:
        request_of(**(dict.fromkeys(EXTRACTS) | arguments))
    except ParameterError as error:
        assert str(error)


@pytest.mark.parametrize("link", ["itself", "a hard link", "a symbolic link"])
def test_an_archive_is_not_overwritten_by_its_extract(link: str, archive: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.zarr.zip"
    own.write_bytes(archive.read_bytes())
    output = own if link == "itself" else tmp_path / "b.tif"
    if link == "a hard link":
        output.hardlink_to(own)
    if link == "a symbolic link":
        output.symlink_to(own)
    for given_archive in (own, str(own)):
        with pytest.raises(ParameterError, match="is the archive that is read"):
            comeo.extract(given_archive, output, force=True)
    with comeo.open_archive(own) as opened, pytest.raises(ParameterError, match="the archive that is read"):
        comeo.extract(opened, output, force=True)
    assert own.read_bytes() == archive.read_bytes()


def test_an_extract_is_not_written_into_a_folder_archive(tmp_path: Path) -> None:
    scene = array_scene(array_group(landscape(1, 64, 64)))
    made = comeo.compress(scene, tmp_path / "a.zarr", codec="dct", step=60.0)
    with pytest.raises(ParameterError, match="lies in the archive"):
        comeo.extract(made, made / "out.tif")


@pytest.mark.parametrize("value", ["", "nowhere", "\0", "ftp://a/b.zarr.zip"])
def test_a_name_of_nothing_is_refused(value: str, archive: Path, tmp_path: Path) -> None:
    calls: list[tuple[Callable[[], object], type[ComeoError]]] = [
        (lambda: comeo.open_archive(value), ArchiveError),
        (lambda: comeo.open_source(value), SourceError),
        (lambda: comeo.extract(value, tmp_path / "a.tif"), ArchiveError),
        (lambda: comeo.qualify(archive, value), SourceError),
        (lambda: comeo.compress(value, tmp_path / "a.zarr.zip"), SourceError),
    ]
    for call, kind in calls:
        with pytest.raises(kind) as refused:
            call()
        assert str(refused.value)


@pytest.mark.parametrize("value", [None, 5, b"x", object()])
def test_what_is_no_name_at_all_is_a_type_error(value: Any, archive: Path, tmp_path: Path) -> None:
    for call in (
        lambda: comeo.open_archive(value),
        lambda: comeo.open_source(value),
        lambda: comeo.extract(archive, value),
    ):
        with pytest.raises(TypeError, match=r"os\.PathLike"):
            call()


@pytest.mark.parametrize(
    "arguments",
    [
        {"bands": []}, {"bands": "B04"}, {"bands": 5}, {"bands": [4]}, {"datetime": 5},
        {"datetime": "nonsense"}, {"scene_id": 5}, {"collection": 5},
        {"scale": "2"}, {"scale": True}, {"scale": 0}, {"scale": math.nan}, {"offset": [1]},
        {"offset": math.inf}, {"nodata": "0"}, {"nodata": math.inf}, {"unit": 5}, {"unit": " "},
    ],
    ids=str,
)  # fmt: skip
def test_open_source_refuses(arguments: dict[str, Any], archive: Path, tmp_path: Path) -> None:
    source = comeo.extract(archive, tmp_path / "S2A_20200501_T32TMT.tif")
    with pytest.raises(SourceError) as refused:
        comeo.open_source(source, **arguments)
    assert str(refused.value)


def test_open_source_refuses_a_number_beyond_all_floats(archive: Path, tmp_path: Path) -> None:
    source = comeo.extract(archive, tmp_path / "S2A_20200501_T32TMT.tif")
    for name in ("scale", "offset", "nodata"):
        arguments: dict[str, Any] = {name: 10**400}
        with pytest.raises(SourceError, match=name):
            comeo.open_source(source, **arguments)


@pytest.mark.parametrize("value", ["5", 0, -1, math.nan, math.inf, True, [1], 1e9, None])
def test_compress_and_encode_refuse_steps_and_ratios(value: Any, tmp_path: Path) -> None:
    scene = array_scene(array_group(landscape(1, 64, 64)))
    for name in ("step", "ratio"):
        if value is not None:
            with pytest.raises(CodecError, match=f"{name}"):
                comeo.compress(scene, tmp_path / "a.zarr.zip", **{name: value})
    with pytest.raises(CodecError, match="step"):
        comeo.get_codec("dct").encode(np.ones((1, 8, 8), np.uint16), step=value)


@pytest.mark.parametrize("name", [None, 5, "", "nowhere", [], "DCT"])
def test_get_codec_refuses(name: Any) -> None:
    with pytest.raises(CodecError, match="choose one of"):
        comeo.get_codec(name)


@pytest.mark.parametrize("name", comeo.codec_names())
def test_codecs_refuse(name: str) -> None:
    codec, block = comeo.get_codec(name), np.ones((2, 16, 16), np.uint16)
    odd_blocks: list[Any] = [None, [[1]], block[0], block * 1.0, block[:0], "x"]
    odd_masks: list[Any] = [[1], np.ones(3, bool), np.ones((2, 16, 16)), "x"]
    odd_payloads: list[Any] = [None, "abc", b"", b"abc" * 40, 5]
    for odd in odd_blocks:
        with pytest.raises(CodecError):
            codec.encode(odd, step=5.0)
    for odd in odd_masks:
        with pytest.raises(CodecError):
            codec.encode(block, step=5.0, mask=odd)
    for odd in odd_payloads:
        with pytest.raises(CodecError):
            codec.decode(odd)
    payload = codec.encode(block, step=5.0)
    reductions: list[Any] = [-1, 4, 1.5, "1", None, math.nan]
    for odd in reductions:
        with pytest.raises(CodecError, match="reductions 0 to 3"):
            codec.decode(payload, reduce=odd)
