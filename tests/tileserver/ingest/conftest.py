from collections.abc import Iterator

import pytest

from tests.tileserver.ingest.products import OPENED


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
