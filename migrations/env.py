"""Alembic environment: the connection comes from `app.migration`, in a transaction, never from a file."""

from alembic import context

import app.tables  # noqa: F401  (fills the metadata)
from app.orm import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
