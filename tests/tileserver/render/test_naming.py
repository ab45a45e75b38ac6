"""What files are called."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tileserver.render.naming import file_name
from tileserver.render.plan import RenderRequest

DAY = datetime(2019, 7, 1, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("scene", "moment", "request_", "name"),
    [
        ("fields", DAY, RenderRequest(), "fields_2019-07-01"),
        ("S2A_20190701T103021", DAY, RenderRequest(style="ndvi"), "S2A_20190701T103021_ndvi"),
        ("S2_2019-07-01", DAY, RenderRequest(bands=("B04", "B08")), "S2_2019-07-01_B04-B08"),
        ("fields", None, RenderRequest(expression="B04/B08"), "fields_expression"),
        ("a", DAY, RenderRequest(style="ndvi@1", against="b"), "a_2019-07-01_ndvi@1_against-b"),
        ('x"/../y\n', None, RenderRequest(style="ä b"), "x-..-y-_ä-b"),
    ],
)
def test_a_file_says_scene_day_and_content(
    scene: str, moment: datetime | None, request_: RenderRequest, name: str
) -> None:
    assert file_name(scene, moment, request_) == name
    assert len(file_name("s" * 500, moment, request_)) <= 200
