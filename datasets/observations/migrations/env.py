"""Alembic runs this file. The connection and its transaction belong to `schema.upgrade`."""

from alembic import context

from ionscout.datasets.observations.schema import VERSION_TABLE
from ionscout.datasets.observations.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # SQLite can, if its driver lets it: a killed migration leaves nothing behind
)
with context.begin_transaction():
    context.run_migrations()
