"""Tables of the database of user data. A change of them is a new migration: see `migrations/`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

OPEN_STATES: Final = ("verifying", "candidate", "confirmed", "notified")
"""States of an alert that is going on."""
_OPEN: Final = text("state IN ('verifying', 'candidate', 'confirmed', 'notified')")

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """A time in UTC, to the microsecond; SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database; a time without a zone is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        own = value.astimezone(UTC)
        return own.replace(tzinfo=None) if dialect.name == "sqlite" else own

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_Json: Final = JSON(none_as_null=True)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _of(name: str, target: str, **options: Any) -> Column[int]:
    return Column(
        name, Integer, ForeignKey(f"{target}.id"), nullable=options.pop("nullable", False), **options
    )


account: Final = Table(
    "account", metadata, _id(),
    Column("email", String(254), nullable=False, unique=True),  # in lower case
    Column("name", String(200), nullable=False),
    Column("locale", String(20), nullable=False),
    Column("oidc_sub", String(255), unique=True),
    Column("confirmed", Instant),  # when its address was proved
    Column("created", Instant, nullable=False),
    Column("disabled", Instant),
    Column("epoch", Integer, nullable=False, server_default="0"),  # sessions of earlier ones are over
)  # fmt: skip

login_link: Final = Table(  # by which somebody signs in, once
    "login_link", metadata,
    Column("token_sha", String(64), primary_key=True),
    Column("email", String(254), nullable=False),
    Column("locale", String(20), nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("used", Instant),
)  # fmt: skip

secret: Final = Table(  # keys that all processes share, made once
    "secret", metadata,
    Column("name", String(40), primary_key=True),
    Column("value", String(64), nullable=False),
)  # fmt: skip

attempt: Final = Table(  # how often something was tried; by digests, so that no address is kept
    "attempt", metadata,
    Column("key", String(64), nullable=False),
    Column("since", Instant, nullable=False),
    Column("count", Integer, nullable=False),
    PrimaryKeyConstraint("key", "since"),
)  # fmt: skip

site: Final = Table(
    "site", metadata, _id(),
    _of("owner", "account", index=True),
    Column("name", _Json, nullable=False),  # by language
    Column("kind", String(10), nullable=False),  # elementary, group
    Column("created", Instant, nullable=False),
    Column("archived", Instant),
)  # fmt: skip

site_version: Final = Table(  # a geometry never changes in place
    "site_version", metadata, _id(),
    _of("site", "site"),
    Column("number", Integer, nullable=False),
    Column("geometry", _Json, nullable=False),  # GeoJSON, WGS 84
    Column("sha256", String(64), nullable=False),
    Column("area_m2", Float, nullable=False),
    Column("valid_from", Instant, nullable=False),
    UniqueConstraint("site", "number"),
)  # fmt: skip

site_member: Final = Table(
    "site_member", metadata,
    Column("group", Integer, ForeignKey("site.id"), nullable=False),
    Column("site", Integer, ForeignKey("site.id"), nullable=False, index=True),
    PrimaryKeyConstraint("group", "site"),
)  # fmt: skip

indicator: Final = Table(  # a document is what its digest says, for ever
    "indicator", metadata,
    Column("sha256", String(64), primary_key=True),
    Column("id", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("document", Text, nullable=False),  # canonical JSON
)  # fmt: skip

geoservice: Final = Table(
    "geoservice", metadata, _id(),
    Column("slug", String(64), nullable=False, unique=True),
    Column("title", _Json, nullable=False),
    _of("owner", "account", index=True),
    Column("state", String(10), nullable=False),  # draft, active, paused, archived
    _of("site", "site"),
    Column("collections", _Json, nullable=False),
    Column("period", String(10), nullable=False),  # of bulletins: P1M
    Column("timezone", String(64), nullable=False),
    Column("start", Instant, nullable=False),
    Column("end", Instant),
    Column("locales", _Json, nullable=False),
    Column("alert_policy", _Json, nullable=False),
    Column("bulletin_policy", _Json, nullable=False),
    Column("maps", _Json),  # which maps of its periods are made
    Column("visibility", String(10), nullable=False),  # private, link, public
    Column("revision", Integer, nullable=False),
    Column("created", Instant, nullable=False),
)  # fmt: skip

gs_indicator: Final = Table(
    "gs_indicator", metadata, _id(),
    _of("geoservice", "geoservice"),
    Column("place", Integer, nullable=False),  # in the order of the definition
    Column("sha256", String(64), ForeignKey("indicator.sha256"), nullable=False),
    Column("nominal", _Json, nullable=False),
    UniqueConstraint("geoservice", "place"),
)  # fmt: skip

role: Final = Table(
    "role", metadata,
    Column("geoservice", Integer, ForeignKey("geoservice.id"), nullable=False),
    Column("account", Integer, ForeignKey("account.id"), nullable=False, index=True),
    Column("role", String(10), nullable=False),  # owner, editor, moderator, viewer
    PrimaryKeyConstraint("geoservice", "account"),
)  # fmt: skip

observation: Final = Table(  # shared by all geoservices: computed once
    "observation", metadata, _id(),
    _of("site_version", "site_version"),
    Column("indicator", String(64), ForeignKey("indicator.sha256"), nullable=False),
    Column("collection", String(200), nullable=False),
    Column("item", String(300), nullable=False),
    Column("etag", String(64), nullable=False),  # of the archive
    Column("datetime", Instant, nullable=False),
    Column("state", String(10), nullable=False),  # done, unusable
    Column("value", Float), Column("u", Float),
    Column("p10", Float), Column("p50", Float), Column("p90", Float),
    Column("classes", _Json), Column("pixels", Float), Column("covered", Float), Column("clear", Float),
    Column("cloud_near", Float),  # share of cloud in the site's surroundings
    Column("orbit", Integer),  # relative, of radar
    Column("ratio", Float), Column("reason", String(200)),
    Column("engine", String(32), nullable=False),  # revision of what computed it
    UniqueConstraint("site_version", "indicator", "collection", "item", "etag"),
)  # fmt: skip

judged: Final = Table(  # what alerts of a site were last brought in step with
    "judged", metadata,
    Column("gs_indicator", Integer, ForeignKey("gs_indicator.id"), nullable=False),
    Column("site", Integer, ForeignKey("site.id"), nullable=False),
    Column("digest", String(64), nullable=False),
    PrimaryKeyConstraint("gs_indicator", "site"),
)  # fmt: skip

alert: Final = Table(
    "alert", metadata, _id(),
    _of("geoservice", "geoservice", index=True),
    _of("site", "site"),
    _of("gs_indicator", "gs_indicator"),
    Column("kind", String(10), nullable=False),  # low, high, change
    Column("state", String(10), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("score", Float),
    Column("first_item", String(300), nullable=False), Column("first_at", Instant, nullable=False),
    Column("last_item", String(300), nullable=False), Column("last_at", Instant, nullable=False),
    Column("opened", Instant, nullable=False), Column("closed", Instant),
    Column("evidence", _Json, nullable=False),
    _of("moderator", "account", nullable=True),
    Column("decision", String(20)), Column("comment", Text),
    Column("verified", String(12), nullable=False),  # unknown, holds, withdrawn, unreachable
    Index("uq_alert_open", "geoservice", "site", "gs_indicator", "kind", unique=True,
          sqlite_where=_OPEN, postgresql_where=_OPEN),
)  # fmt: skip

alert_event: Final = Table(  # append only
    "alert_event", metadata, _id(),
    _of("alert", "alert", index=True),
    Column("at", Instant, nullable=False),
    _of("actor", "account", nullable=True),
    Column("before", String(10)), Column("after", String(10), nullable=False),
    Column("note", String(1000), nullable=False),
)  # fmt: skip

bulletin: Final = Table(
    "bulletin", metadata, _id(),
    _of("geoservice", "geoservice"),
    Column("label", String(10), nullable=False),  # of its period: 2026-11
    Column("revision", Integer, nullable=False),  # from 1; those after one that was sent are errata
    Column("state", String(10), nullable=False),  # draft, submitted, approved, rejected, sent
    Column("content", Text, nullable=False),  # canonical JSON
    Column("content_sha", String(64), nullable=False),
    Column("composed", Instant, nullable=False),
    _of("composed_by", "account", nullable=True),  # nobody: the worker
    _of("visa_by", "account", nullable=True),
    Column("visa_at", Instant),
    Column("visa_note", String(1000)),
    Column("sent_at", Instant),
    UniqueConstraint("geoservice", "label", "revision"),
)  # fmt: skip

bulletin_file: Final = Table(  # what was published, byte by byte
    "bulletin_file", metadata,
    Column("bulletin", Integer, ForeignKey("bulletin.id"), nullable=False),
    Column("locale", String(20), nullable=False),
    Column("kind", String(4), nullable=False),  # html, pdf
    Column("body", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    PrimaryKeyConstraint("bulletin", "locale", "kind"),
)  # fmt: skip

bulletin_event: Final = Table(  # append only
    "bulletin_event", metadata, _id(),
    _of("bulletin", "bulletin", index=True),
    Column("at", Instant, nullable=False),
    _of("actor", "account", nullable=True),
    Column("before", String(10)), Column("after", String(10), nullable=False),
    Column("note", String(1000), nullable=False),
)  # fmt: skip

period_map: Final = Table(  # archives that were made of a period, and of what
    "period_map", metadata,
    Column("gs_indicator", Integer, ForeignKey("gs_indicator.id"), nullable=False),
    Column("label", String(10), nullable=False),  # of the period: 2026-11
    Column("digest", String(64), nullable=False),  # of all that it was made of
    Column("item", String(300), nullable=False),
    Column("made", Instant, nullable=False),
    PrimaryKeyConstraint("gs_indicator", "label"),
)  # fmt: skip

recipient: Final = Table(
    "recipient", metadata, _id(),
    _of("geoservice", "geoservice", index=True),
    Column("list", String(10), nullable=False),  # alerts, bulletins, both
    Column("channel", String(10), nullable=False),  # email, webhook, apprise
    Column("address", String(2000), nullable=False),
    Column("locale", String(20), nullable=False),
    Column("state", String(12), nullable=False),  # pending, confirmed, unsubscribed, bouncing
    Column("min_severity", Integer, nullable=False),
    Column("rhythm", String(10), nullable=False),  # each, daily, weekly
    Column("token", String(64), nullable=False, unique=True),  # of its confirm and unsubscribe links
    Column("confirmed_at", Instant),
    Column("secret", String(100)),  # that webhooks are signed with
    Column("bounces", Integer, nullable=False, server_default="0"),  # refusals in a row
    UniqueConstraint("geoservice", "channel", "address"),
)  # fmt: skip

message: Final = Table(  # the outbox
    "message", metadata, _id(),
    Column("key", String(200), nullable=False, unique=True),
    Column("channel", String(10), nullable=False),
    Column("address", String(2000), nullable=False),
    _of("recipient", "recipient", nullable=True, index=True),
    Column("subject", String(500), nullable=False),
    Column("body", _Json, nullable=False),
    Column("state", String(10), nullable=False, index=True),  # queued, sending, sent, failed, dead
    Column("attempts", Integer, nullable=False),
    Column("created", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("error", String(500)),
)  # fmt: skip

share: Final = Table(
    "share", metadata,
    Column("token_sha", String(64), primary_key=True),
    _of("geoservice", "geoservice", index=True),
    Column("scope", String(10), nullable=False),  # view, data, moderate
    _of("alert", "alert", nullable=True),  # of a link that moderates one
    _of("account", "account", nullable=True),  # who acts by it
    Column("expires", Instant, nullable=False), Column("used", Instant),
    Column("created", Instant, nullable=False),
    Column("note", String(200)),  # whom it was given to
)  # fmt: skip

task: Final = Table(  # leases and back-off only; what is to be done is found by queries
    "task", metadata,
    Column("kind", String(20), nullable=False),
    Column("key", String(400), nullable=False),
    Column("lease_until", Instant),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("error", String(500)),
    PrimaryKeyConstraint("kind", "key"),
)  # fmt: skip

audit: Final = Table(
    "audit", metadata, _id(),
    Column("at", Instant, nullable=False),
    _of("actor", "account", nullable=True),
    Column("action", String(40), nullable=False),
    Column("object", String(200), nullable=False),
    Column("detail", _Json, nullable=False),
)  # fmt: skip

reporting: Final = Table(  # how many parcels of reports were packed for an origin
    "reporting", metadata,
    Column("origin", String(64), primary_key=True),  # digest of its address
    Column("seq", Integer, nullable=False),
)  # fmt: skip

reported: Final = Table(  # what a relay's geoservices have told an origin
    "reported", metadata,
    Column("origin", String(64), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("key", String(400), nullable=False),
    Column("digest", String(64), nullable=False),  # of what was told
    PrimaryKeyConstraint("origin", "kind", "key"),
)  # fmt: skip

relay: Final = Table(  # that has told this origin something
    "relay", metadata,
    Column("name", String(64), primary_key=True),
    Column("epoch", String(64), nullable=False),  # of its database
    Column("seq", Integer, nullable=False),  # of the last parcel
    Column("at", Instant, nullable=False),  # when it came
)  # fmt: skip

report: Final = Table(  # what relays have told, each by its own name
    "report", metadata,
    Column("relay", String(64), ForeignKey("relay.name"), nullable=False),
    Column("kind", String(12), nullable=False),  # geoservice, site, observation, alert, bulletin
    Column("key", String(400), nullable=False),
    Column("body", _Json, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("relay", "kind", "key"),
)  # fmt: skip
