"""Accounts that sign in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tileserver.store.tables import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of 0001 up."""
    op.add_column("account", sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "login_link",
        sa.Column("token_sha", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("created", Instant(timezone=True), nullable=False),
        sa.Column("expires", Instant(timezone=True), nullable=False),
        sa.Column("used", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_sha", name=op.f("pk_login_link")),
    )
    op.create_table(
        "secret",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secret")),
    )
    op.create_table(
        "attempt",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("since", Instant(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "since", name=op.f("pk_attempt")),
    )
