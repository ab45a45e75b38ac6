"""Compile the codecs' loops ahead of time: python -m comeo.codecs.

Installers run it once, so that no server's first request waits for the compiler.
"""

from __future__ import annotations

import numpy as np

from comeo.codecs import codec_names, get_codec
from comeo.codecs.decoder import decoder_in_use
from comeo.errors import CodecError

for name in codec_names():
    codec = get_codec(name)
    try:
        for dtype in (np.uint16, np.float32):
            block = np.arange(2 * 33 * 20).reshape(2, 33, 20).astype(dtype)
            payload = codec.encode(block, step=8.0, mask=np.ones((33, 20), bool))
            for reduce in (0, 1):
                codec.decode(payload, reduce=reduce)
            codec.encode(block, step=8.0, reference=block.astype(np.float32))
    except CodecError as error:  # a codec whose extra is not installed
        print(f"{name} is left out: {error}")
if slow := decoder_in_use().slow:
    print(f"{slow}.")
