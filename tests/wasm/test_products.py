"""What whole archives need of the decoder for browsers: references, weights, and models old and new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comeo.archive import open_archive
from comeo.archive.references import finer_blocks, references
from comeo.codecs import get_codec
from comeo.codecs.learned.model import models
from comeo.codecs.payload import HAS_INVALID, is_predicted, write_varint
from comeo.compression import compress
from tests.comeo.archive.pairs import cropped_scene
from tests.comeo.codecs.blocks import textured
from tests.scenes import array_group, array_scene
from tests.wasm.conftest import Case, Runner, Under
from tests.wasm.test_decoder import facts
from tools.format_vectors import COARSE

CODEC = get_codec("learned")


@pytest.fixture(scope="module")
def cropped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups, the second of which begins a finer pixel before the first in rows."""
    scene = cropped_scene((1, 521), (0, 530))
    return compress(scene, tmp_path_factory.mktemp("cropped") / "a.zarr.zip", step=60)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups, the second predicted from the first, of odd sizes and with holes and saturation."""
    both = textured(7, 540, 541, seed=21)
    fine, coarse = both[:3].copy(), both[3:, ::2, ::2].copy()
    valid = np.ones(fine.shape, bool)
    valid[:, 100:180, 20:90] = False
    valid[1, :40, 500:] = False
    fine[0, 300:320, 300:333] = 65535
    scene = array_scene(
        array_group(fine, valid, names=["B02", "B03", "B04"]),
        array_group(
            coarse, valid[:1, ::2, ::2].repeat(4, 0), names=["B05", "B06", "B07", "B11"], transform=COARSE
        ),
    )
    return compress(scene, tmp_path_factory.mktemp("product") / "a.zarr.zip", step=60)


def under_each(path: Path, reduces: tuple[int, ...]) -> tuple[list[Case], list[dict[str, Any]]]:
    """The blocks of the second group with the payloads that lie under them, and what they decode to."""
    cases: list[Case] = []
    expected = []
    with open_archive(path) as archive:
        level = archive.groups["r20m"].levels[0]
        finer = level.reference
        assert finer is not None
        sides = [
            {"bands": each.bands, "height": each.height, "width": each.width, "block": each.block}
            for each in (level, finer)
        ]
        for row, col in np.ndindex(*level.grid):
            payload = archive.payload(level, row, col)
            if payload is None:
                continue
            under = {place: archive.payload(finer, *place) for place in finer_blocks(finer, level, row, col)}
            present = {place: bytes(found) for place, found in under.items() if found is not None}
            (reference,) = references(finer, level, [(row, col)], archive.decode_blocks)
            for reduce in reduces:
                given = Under(sides[0], sides[1], (row, col), present, level.offset)
                cases.append((bytes(payload), reduce, given))
                expected.append(facts(bytes(payload), reduce, reference))
    return cases, expected


def test_references_are_made_of_finer_blocks(product: Path, run_in_node: Runner) -> None:
    cases, expected = under_each(product, (0, 2))
    assert len(cases) == 8
    assert sum(is_predicted(payload) for payload, *_ in cases) > 4
    assert run_in_node(cases) == expected


def test_references_of_groups_that_begin_a_pixel_before(cropped: Path, run_in_node: Runner) -> None:
    cases, expected = under_each(cropped, (0, 3))
    assert any(is_predicted(payload) for payload, *_ in cases)
    assert run_in_node(cases) == expected


def test_references_of_other_levels_are_refused_with_a_sentence(run_in_node: Runner) -> None:
    payload = CODEC.encode(textured(2, 40, 40), step=100)
    level, finer = ({"bands": 2, "height": side, "width": side, "block": 64} for side in (40, 80))

    def refused(level: dict[str, int], finer: dict[str, int], place: tuple[int, int] = (0, 0)) -> Case:
        return payload, 0, Under(level, finer, place, {(0, 0): payload})

    found = run_in_node(
        [
            refused(level, finer),
            refused(level, finer, (1, 0)),
            refused(level, {**finer, "width": 90}),
            refused({**level, "height": 0}, finer),
            (payload, 0, Under(level, finer, (0, 0), {}, (0, 2))),
        ]
    )
    assert [own["refused"] for own in found] == [True, *[False] * 4]  # PayloadError, or RangeError
    sentences = [
        "has 2×20×20 pixels at half size, not 2×32×32",
        "no block (1, 0)",
        "40×40 pixels is not predicted from one of 80×90",
        "whole numbers above 0",
        "begins −1, 0 or 1 pixels from the finer one's corner, not 0 and 2",
    ]
    for own, sentence in zip(found, sentences, strict=True):
        assert sentence in own["error"]


def test_weights_of_bands(run_in_node: Runner) -> None:
    block = textured(5, 50, 61, seed=7)
    mask = np.random.default_rng(1).random(block.shape[1:]) < 0.9
    reference = np.where(mask, block[:2], np.nan).astype(np.float32)
    made = [
        (CODEC.encode(block, step=90, weights=(32, 16, 8, 255, 21)), None),
        (CODEC.encode(block.astype(np.float32), step=90, mask=mask, weights=(1, 2, 3, 4, 5)), None),
        (
            CODEC.encode(block[2:], step=60, mask=mask, weights=(24, 16, 19), reference=reference),
            reference,
        ),
    ]
    assert is_predicted(made[2][0])
    cases: list[Case] = []
    expected = []
    for payload, known in made:
        for reduce in range(4):
            cases.append((payload, reduce) if known is None else (payload, reduce, known))
            expected.append(facts(payload, reduce, known))
    zero = bytearray(made[0][0])
    zero[12] = 0
    cases += [(bytes(zero), 0), (made[0][0][:17], 0)]
    found = run_in_node(cases)
    assert found[:-2] == expected
    for own in found[-2:]:
        assert own["refused"]
        assert "weights of bands are damaged" in own["error"]


def test_damage_to_predictions_and_weights_is_met_as_the_library_does(run_in_node: Runner) -> None:
    rng = np.random.default_rng(8)
    block = textured(5, 40, 45, seed=12)
    reference = block[:3].astype(np.float32)
    reference[1, 3:9, 4:20] = np.nan
    good = CODEC.encode(block[3:], step=50, weights=(20, 9), reference=reference)
    assert is_predicted(good)
    cases: list[Case] = []
    for case in range(300):
        data = bytearray(good)
        if case % 3 == 2:
            del data[rng.integers(12, 90) :]
        for place in rng.integers(12, min(len(data), 90), 1 + case % 3):
            data[place] ^= 1 << int(rng.integers(8))
        cases.append((bytes(data), case % 4, reference))
    refused = 0
    for (payload, reduce, *_), own in zip(cases, run_in_node(cases), strict=True):
        expected = facts(payload, reduce, reference)
        if "refused" in expected:
            refused += 1
            assert own.get("refused"), (payload[:90].hex(), reduce, own)
        else:
            assert own == expected, (payload[:90].hex(), reduce)
    assert 50 < refused < 290


def test_every_model_with_and_without_a_filter(run_in_node: Runner) -> None:
    block = textured(4, 70, 90, seed=3)
    payloads = [get_codec("learned", model=each).encode(block, step=300) for each in models().values()]
    assert len({payload[12 + 8 + 6 :][:2] for payload in payloads}) == len(payloads) >= 2
    cases: list[Case] = [(payload, reduce) for payload in payloads for reduce in range(4)]
    assert run_in_node(cases) == [facts(payload, reduce) for payload, reduce, *_ in cases]


def test_bytes_behind_a_mask_are_damage(run_in_node: Runner) -> None:
    mask = np.random.default_rng(4).random((30, 40)) < 0.8
    payload = CODEC.encode(textured(2, 30, 40), step=200, mask=mask)
    assert payload[2] & HAS_INVALID
    length = payload[12] & 127 | payload[13] << 7
    assert payload[12] & 128
    start = len(write_varint(length)) + 12
    longer = payload[:12] + write_varint(length + 1) + payload[start:][:length] + b"\0"
    longer += payload[start + length :]
    (own,) = run_in_node([(longer, 0)])
    assert facts(longer, 0) == {"refused": True}
    assert own["refused"]
    assert "mask" in own["error"]
