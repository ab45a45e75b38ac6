"""Run in a process of its own, whose library has sanitizers: sound, damaged and random bodies at every level.

`python sanitized.py LIBRARY BLOB CASES COUNT` with cases as JSON lines; needs neither onnxruntime nor Numba.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from comeo.codecs.native import Context, Flat, Library, Picture, Plan
from comeo.codecs.native.library import BAD_SYMBOLS, NativeError
from tests.fuzz.mutations import mutated


def decode(context: Context, flat: Flat, plan: Plan, case: dict[str, Any], body: bytes, reduce: int) -> int:
    """Decode a body at a size, by all groups and by the first; returns the status."""
    bands, height, width = case["shape"]
    data = np.frombuffer(body, np.uint8) if body else np.empty(0, np.uint8)
    read = flat.groups_read(reduce, bands, plan.count, data)
    status = context.decode(flat, plan, data, bands, read)
    size = bands, -(-height >> reduce), -(-width >> reduce)
    mean, angles = np.full(bands, 1e3, np.float32), np.arange(bands * (bands - 1) // 2).astype(np.uint8)
    for kind in (np.uint16, np.float32):
        pixels = np.empty(size, kind)
        picture = Picture(
            bands, height, width, reduce, 0, kind == np.uint16, 3.0, read,
            mean.ctypes.data, angles.ctypes.data, pixels.ctypes.data,
        )  # fmt: skip
        assert (context.inverse(picture) == 0) == (status == 0)
    return status


def run_passes(library: Library, flat: Flat, plan: Plan, case: dict[str, Any]) -> None:
    """What an encoder calls, with values as large as they come."""
    context, rng = library.new_context(), np.random.default_rng(1)
    energy = rng.integers(0, 128, (case["items"], flat.channels // 256)).astype(np.uint8)
    assert context.begin(flat, plan, energy, thorough=True) == 0
    values = context.values(flat, plan)
    tiles, mean = np.empty(plan.count, np.int32), np.empty((plan.count, flat.channels), np.int32)
    index = np.empty((plan.count, flat.channels), np.uint8)
    for group in range(flat.groups):
        for number in range(5):
            count = context.predict(group, number, tiles, mean, index)
            if count >= 0:
                values[tiles[:count]] += rng.integers(-(1 << 27), 1 << 27, (count, flat.channels)).astype(
                    np.int32
                )
                np.clip(values, -(1 << 27), 1 << 27, out=values)
                context.note(group, number)
        context.share(group)


def main() -> None:
    """Run as a command; prints how many bodies were refused."""
    path, blob, cases, count = (
        Path(sys.argv[1]),
        Path(sys.argv[2]).read_bytes(),
        sys.argv[3],
        int(sys.argv[4]),
    )
    found = [json.loads(line) for line in Path(cases).read_text().splitlines()]
    bodies, random, refused = [base64.b64decode(case["body"]) for case in found], Random(count), 0
    for level in Library(path).levels:
        library = Library(path, level)
        flat, context = Flat(library, blob), library.new_context()
        for case, body in zip(found, bodies, strict=True):
            plan = library.plan(case["rows"], case["columns"], case["items"])
            assert all(decode(context, flat, plan, case, body, reduce) == 0 for reduce in range(4))
            for number in range(count):
                bad = mutated(body, random.choice(bodies), random)
                refused += decode(context, flat, plan, case, bad, number % 4) != 0
        run_passes(library, flat, plan, case)
        library.magnitudes(3841)
    for _ in range(count):
        try:
            Flat(library, mutated(blob[:1200], blob[:900], random) + blob[1200:])
        except NativeError:
            refused += 1
    print(refused, BAD_SYMBOLS)


if __name__ == "__main__":
    main()
