from pathlib import Path
from typing import Any

import pytest

from comeo.errors import ComeoError
from tests.tileserver.ingest.products import archives, document, ingest, name_of
from tileserver.ingest.executors import executor_of
from tileserver.ingest.orders import State

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'comeo[dask]'")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_workers_of_dask_compress_and_one_that_is_lost_is_replaced(tmp_path: Path) -> None:
    path = document(tmp_path, filled=4)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs="CRITICAL"
    ) as cluster:
        executor: Any = executor_of(cluster.scheduler_address, None, 2)
        assert executor.slots == 2
        submit = executor.submit
        killed: list[str] = []

        def submit_and_kill(order: object) -> object:
            future = submit(order)
            if len(killed) < 1:
                killed.append(next(iter(cluster.workers.values())).worker_address)
                next(iter(cluster.workers.values())).process.process.kill()
            return future

        executor.submit = submit_and_kill
        journal = ingest(path, executor)
    assert journal.counts() == {State.PUBLISHED: 4}
    assert archives(tmp_path) == [name_of(number) for number in range(4)]


def test_no_scheduler_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tileserver.ingest.dask._ANSWER_SECONDS", 0.3)
    with pytest.raises(ComeoError, match=r"no scheduler of Dask answers at tcp://127.0.0.1:9"):
        executor_of("tcp://127.0.0.1:9", None, 2)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_scheduler_that_was_away_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tileserver.ingest.dask._ANSWER_SECONDS", 1.0)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, silence_logs="CRITICAL"
    ) as cluster:
        executor: Any = executor_of(cluster.scheduler_address, None, 2)
        executor._client.close()  # as it does by itself when it has waited for long enough
        address, executor._address = executor._address, "tcp://127.0.0.1:9"
        assert executor.slots == 0
        executor._address = address
        assert executor.slots == 1
        executor._client.close()
        executor.close()
