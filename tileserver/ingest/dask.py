"""Orders carried out by workers of Dask: they may be on other machines, and come and go."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from distributed import Client, Worker, WorkerPlugin

from comeo.errors import ComeoError
from tileserver.ingest.compressing import prepare, work
from tileserver.ingest.orders import Done, Order

_ANSWER_SECONDS: Final = 10
_GIVEN_UP: Final = "closed"
"""Status of a client whose scheduler has been away for so long; it does not ask again by itself."""


class Models(WorkerPlugin):
    """Loads the models of codecs, once a worker; one that joins later does so when it comes.

    Args:
        codecs: Their names.
    """

    def __init__(self, codecs: Sequence[str]) -> None:
        self.name = f"comeo-models {' '.join(codecs)}"
        self._codecs = tuple(codecs)

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 - as Dask calls it
        """Load them."""
        prepare(self._codecs)


class Dask:
    """Workers of a scheduler of Dask, which see the folders of products and archives under the same names.

    What a worker had that is lost, another one does: Dask gives up after it has lost a few with one order.

    Args:
        address: Of the scheduler: `tcp://host:8786`.
        workers: Orders at once; by default one a worker.
        codecs: Names of those that orders are going to need.

    Raises:
        ComeoError: If there is no scheduler.
    """

    def __init__(self, address: str, workers: int | None = None, codecs: Sequence[str] = ()) -> None:
        self._address = address
        self._workers = workers
        self._codecs = tuple(codecs)
        self._open()

    def _open(self) -> None:
        try:
            self._client = Client(
                self._address, timeout=_ANSWER_SECONDS, set_as_default=False, name="comeo-ingest"
            )
        except (OSError, ValueError) as error:
            raise ComeoError(
                f"no scheduler of Dask answers at {self._address}: {error}; start one, or correct the address"
            ) from error
        self._client.register_plugin(Models(self._codecs))
        # Not pure: the same order may be sent again after a failure, and is to be carried out then.
        self._executor = self._client.get_executor(pure=False)

    @property
    def slots(self) -> int:
        """See `Executor`; none while the scheduler is away, which may come back."""
        if self._client.status == _GIVEN_UP:
            with contextlib.suppress(ComeoError):
                self._open()
            if self._client.status == _GIVEN_UP:
                return 0
        found = len(self._client.scheduler_info(n_workers=-1).get("workers", {}))
        return found if self._workers is None else min(found, self._workers)

    def submit(self, order: Order) -> Future[Done]:
        """See `Executor`."""
        future: Future[Done] = self._executor.submit(work, order)
        return future

    def close(self) -> None:
        """See `Executor`."""
        if self._client.status == _GIVEN_UP:
            return
        with contextlib.suppress(OSError, TimeoutError):
            self._executor.shutdown(wait=False)
        self._client.close(timeout=_ANSWER_SECONDS)
