"""What Alembic runs: the migrations, in the transaction of the connection it was handed."""

from __future__ import annotations

from alembic import context

from heedful.collect.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
