"""Bulletins that are kept, maps of periods, and what webhooks are signed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tileserver.store.tables import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of 0002 up."""
    op.create_table(
        "bulletin",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("geoservice", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=10), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_sha", sa.String(length=64), nullable=False),
        sa.Column("composed", Instant(timezone=True), nullable=False),
        sa.Column("composed_by", sa.Integer(), nullable=True),
        sa.Column("visa_by", sa.Integer(), nullable=True),
        sa.Column("visa_at", Instant(timezone=True), nullable=True),
        sa.Column("visa_note", sa.String(length=1000), nullable=True),
        sa.Column("sent_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["composed_by"], ["account.id"], name=op.f("fk_bulletin_composed_by")),
        sa.ForeignKeyConstraint(["geoservice"], ["geoservice.id"], name=op.f("fk_bulletin_geoservice")),
        sa.ForeignKeyConstraint(["visa_by"], ["account.id"], name=op.f("fk_bulletin_visa_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin")),
        sa.UniqueConstraint(
            "geoservice", "label", "revision", name=op.f("uq_bulletin_geoservice_label_revision")
        ),
    )
    op.create_table(
        "bulletin_event",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("bulletin", sa.Integer(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("actor", sa.Integer(), nullable=True),
        sa.Column("before", sa.String(length=10), nullable=True),
        sa.Column("after", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(["actor"], ["account.id"], name=op.f("fk_bulletin_event_actor")),
        sa.ForeignKeyConstraint(["bulletin"], ["bulletin.id"], name=op.f("fk_bulletin_event_bulletin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin_event")),
    )
    op.create_index(op.f("ix_bulletin_event_bulletin"), "bulletin_event", ["bulletin"], unique=False)
    op.create_table(
        "bulletin_file",
        sa.Column("bulletin", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["bulletin"], ["bulletin.id"], name=op.f("fk_bulletin_file_bulletin")),
        sa.PrimaryKeyConstraint("bulletin", "locale", "kind", name=op.f("pk_bulletin_file")),
    )
    op.create_table(
        "period_map",
        sa.Column("gs_indicator", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=10), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=300), nullable=False),
        sa.Column("made", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["gs_indicator"], ["gs_indicator.id"], name=op.f("fk_period_map_gs_indicator")
        ),
        sa.PrimaryKeyConstraint("gs_indicator", "label", name=op.f("pk_period_map")),
    )
    op.add_column("geoservice", sa.Column("maps", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(op.f("ix_message_recipient"), "message", ["recipient"], unique=False)
    op.add_column("recipient", sa.Column("secret", sa.String(length=100), nullable=True))
    op.add_column("recipient", sa.Column("bounces", sa.Integer(), server_default="0", nullable=False))
    op.add_column("share", sa.Column("note", sa.String(length=200), nullable=True))
