"""Orders of jobs, as they lie on disk."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tileserver.render.fingerprint import CODE


class Order(BaseModel):
    """An order of work.

    Attributes:
        kind: Name of the kind of work: see `tileserver.jobs.kinds`.
        body: The work, as the kind's own model reads it.
        name: Of the file to be made, without its extension.
        estimate: Expected result, as shown to the client.
        disk_bytes: Most bytes on disk while it works.
        code: Digest of the code of the server that took the order. A job's process runs the code that is
            installed when it works, which may be another by then.
        created: Seconds since 1970.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    body: dict[str, Any]
    name: str
    estimate: dict[str, Any] = Field(default_factory=dict)
    disk_bytes: int = Field(ge=0)
    code: str = CODE
    created: float = Field(default_factory=time.time)
