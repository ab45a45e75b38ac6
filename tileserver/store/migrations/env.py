"""Alembic's entry: runs migrations on the connection that `tileserver.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from tileserver.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter columns in place
    user_module_prefix="",
)
with context.begin_transaction():
    context.run_migrations()
