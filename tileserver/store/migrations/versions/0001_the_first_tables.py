"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tileserver.store.tables import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("oidc_sub", sa.String(length=255), nullable=True),
        sa.Column("confirmed", Instant(timezone=True), nullable=True),
        sa.Column("created", Instant(timezone=True), nullable=False),
        sa.Column("disabled", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("email", name=op.f("uq_account_email")),
        sa.UniqueConstraint("oidc_sub", name=op.f("uq_account_oidc_sub")),
    )
    op.create_table(
        "indicator",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_indicator")),
    )
    op.create_table(
        "task",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("lease_until", Instant(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(timezone=True), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_task")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("actor", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["actor"], ["account.id"], name=op.f("fk_audit_actor")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "site",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("owner", sa.Integer(), nullable=False),
        sa.Column("name", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("created", Instant(timezone=True), nullable=False),
        sa.Column("archived", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["owner"], ["account.id"], name=op.f("fk_site_owner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
    )
    with op.batch_alter_table("site", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_site_owner"), ["owner"], unique=False)

    op.create_table(
        "geoservice",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("title", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("owner", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("collections", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("start", Instant(timezone=True), nullable=False),
        sa.Column("end", Instant(timezone=True), nullable=True),
        sa.Column("locales", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("alert_policy", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("bulletin_policy", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["account.id"], name=op.f("fk_geoservice_owner")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_geoservice_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_geoservice")),
        sa.UniqueConstraint("slug", name=op.f("uq_geoservice_slug")),
    )
    with op.batch_alter_table("geoservice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_geoservice_owner"), ["owner"], unique=False)

    op.create_table(
        "site_member",
        sa.Column("group", sa.Integer(), nullable=False),
        sa.Column("site", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["group"], ["site.id"], name=op.f("fk_site_member_group")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_site_member_site")),
        sa.PrimaryKeyConstraint("group", "site", name=op.f("pk_site_member")),
    )
    with op.batch_alter_table("site_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_site_member_site"), ["site"], unique=False)

    op.create_table(
        "site_version",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("geometry", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("area_m2", sa.Float(), nullable=False),
        sa.Column("valid_from", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_site_version_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_version")),
        sa.UniqueConstraint("site", "number", name=op.f("uq_site_version_site_number")),
    )
    op.create_table(
        "gs_indicator",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("geoservice", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("nominal", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["geoservice"], ["geoservice.id"], name=op.f("fk_gs_indicator_geoservice")),
        sa.ForeignKeyConstraint(["sha256"], ["indicator.sha256"], name=op.f("fk_gs_indicator_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gs_indicator")),
        sa.UniqueConstraint("geoservice", "place", name=op.f("uq_gs_indicator_geoservice_place")),
    )
    op.create_table(
        "observation",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("site_version", sa.Integer(), nullable=False),
        sa.Column("indicator", sa.String(length=64), nullable=False),
        sa.Column("collection", sa.String(length=200), nullable=False),
        sa.Column("item", sa.String(length=300), nullable=False),
        sa.Column("etag", sa.String(length=64), nullable=False),
        sa.Column("datetime", Instant(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("u", sa.Float(), nullable=True),
        sa.Column("p10", sa.Float(), nullable=True),
        sa.Column("p50", sa.Float(), nullable=True),
        sa.Column("p90", sa.Float(), nullable=True),
        sa.Column("classes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("pixels", sa.Float(), nullable=True),
        sa.Column("covered", sa.Float(), nullable=True),
        sa.Column("clear", sa.Float(), nullable=True),
        sa.Column("cloud_near", sa.Float(), nullable=True),
        sa.Column("orbit", sa.Integer(), nullable=True),
        sa.Column("ratio", sa.Float(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("engine", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["indicator"], ["indicator.sha256"], name=op.f("fk_observation_indicator")),
        sa.ForeignKeyConstraint(
            ["site_version"], ["site_version.id"], name=op.f("fk_observation_site_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        sa.UniqueConstraint(
            "site_version",
            "indicator",
            "collection",
            "item",
            "etag",
            name=op.f("uq_observation_site_version_indicator_collection_item_etag"),
        ),
    )
    op.create_table(
        "recipient",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("geoservice", sa.Integer(), nullable=False),
        sa.Column("list", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("min_severity", sa.Integer(), nullable=False),
        sa.Column("rhythm", sa.String(length=10), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("confirmed_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["geoservice"], ["geoservice.id"], name=op.f("fk_recipient_geoservice")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipient")),
        sa.UniqueConstraint(
            "geoservice", "channel", "address", name=op.f("uq_recipient_geoservice_channel_address")
        ),
        sa.UniqueConstraint("token", name=op.f("uq_recipient_token")),
    )
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recipient_geoservice"), ["geoservice"], unique=False)

    op.create_table(
        "role",
        sa.Column("geoservice", sa.Integer(), nullable=False),
        sa.Column("account", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_role_account")),
        sa.ForeignKeyConstraint(["geoservice"], ["geoservice.id"], name=op.f("fk_role_geoservice")),
        sa.PrimaryKeyConstraint("geoservice", "account", name=op.f("pk_role")),
    )
    with op.batch_alter_table("role", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_role_account"), ["account"], unique=False)

    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("geoservice", sa.Integer(), nullable=False),
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("gs_indicator", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("first_item", sa.String(length=300), nullable=False),
        sa.Column("first_at", Instant(timezone=True), nullable=False),
        sa.Column("last_item", sa.String(length=300), nullable=False),
        sa.Column("last_at", Instant(timezone=True), nullable=False),
        sa.Column("opened", Instant(timezone=True), nullable=False),
        sa.Column("closed", Instant(timezone=True), nullable=True),
        sa.Column("evidence", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("moderator", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("verified", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["geoservice"], ["geoservice.id"], name=op.f("fk_alert_geoservice")),
        sa.ForeignKeyConstraint(["gs_indicator"], ["gs_indicator.id"], name=op.f("fk_alert_gs_indicator")),
        sa.ForeignKeyConstraint(["moderator"], ["account.id"], name=op.f("fk_alert_moderator")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_alert_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_geoservice"), ["geoservice"], unique=False)
        batch_op.create_index(
            "uq_alert_open",
            ["geoservice", "site", "gs_indicator", "kind"],
            unique=True,
            sqlite_where=sa.text("state IN ('verifying', 'candidate', 'confirmed', 'notified')"),
            postgresql_where=sa.text("state IN ('verifying', 'candidate', 'confirmed', 'notified')"),
        )

    op.create_table(
        "judged",
        sa.Column("gs_indicator", sa.Integer(), nullable=False),
        sa.Column("site", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["gs_indicator"], ["gs_indicator.id"], name=op.f("fk_judged_gs_indicator")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_judged_site")),
        sa.PrimaryKeyConstraint("gs_indicator", "site", name=op.f("pk_judged")),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("recipient", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created", Instant(timezone=True), nullable=False),
        sa.Column("next_at", Instant(timezone=True), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["recipient"], ["recipient.id"], name=op.f("fk_message_recipient")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("key", name=op.f("uq_message_key")),
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_message_state"), ["state"], unique=False)

    op.create_table(
        "alert_event",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("alert", sa.Integer(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("actor", sa.Integer(), nullable=True),
        sa.Column("before", sa.String(length=10), nullable=True),
        sa.Column("after", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(["actor"], ["account.id"], name=op.f("fk_alert_event_actor")),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name=op.f("fk_alert_event_alert")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_event")),
    )
    with op.batch_alter_table("alert_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_event_alert"), ["alert"], unique=False)

    op.create_table(
        "share",
        sa.Column("token_sha", sa.String(length=64), nullable=False),
        sa.Column("geoservice", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("alert", sa.Integer(), nullable=True),
        sa.Column("account", sa.Integer(), nullable=True),
        sa.Column("expires", Instant(timezone=True), nullable=False),
        sa.Column("used", Instant(timezone=True), nullable=True),
        sa.Column("created", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_share_account")),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name=op.f("fk_share_alert")),
        sa.ForeignKeyConstraint(["geoservice"], ["geoservice.id"], name=op.f("fk_share_geoservice")),
        sa.PrimaryKeyConstraint("token_sha", name=op.f("pk_share")),
    )
    with op.batch_alter_table("share", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_share_geoservice"), ["geoservice"], unique=False)
