"""`from comeo.compress import compress`, as scripts for 0.1 have it; new ones write `comeo.compress(…)`.

Importing this module puts it where `comeo.compress` is looked up, so it can be called as the function is.
"""

from __future__ import annotations

import sys
from types import ModuleType

from comeo.compression import Progress, Silent, compress

__all__ = ["Progress", "Silent", "compress"]


class _Callable(ModuleType):
    """A module that is called as its function."""

    __call__ = staticmethod(compress)


sys.modules[__name__].__class__ = _Callable
