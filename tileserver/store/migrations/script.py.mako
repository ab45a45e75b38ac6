"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tileserver.store.tables import Instant

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of ${down_revision} up."""
    ${upgrades if upgrades else "pass"}
