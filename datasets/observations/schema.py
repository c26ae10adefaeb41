"""Brings the tables of a store to the revision of this code, however many processes open it at once."""

import threading
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ionscout.datasets.errors import BadData
from ionscout.datasets.observations.engine import reading, shown, writing

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "ionscout_store_version"  # a name of its own: MLflow keeps an `alembic_version` where it shares
_ONE = threading.Lock()  # Alembic keeps what it runs in global names
_LOCK = 7_220_431_585  # any number that no other program locks PostgreSQL with


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Run what is missing, in one transaction that other processes wait for; nothing to do costs one read.

    Raises:
        BadData: a newer ionscout has written the store.
        DataUnavailable: the database does not answer.
    """
    with reading(engine) as connection:
        found = current(connection)
    if found == head():
        return
    _refuse_newer(engine, found)
    with _ONE, writing(engine) as connection:  # on SQLite this holds the write lock
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        if (found := current(connection)) == head():
            return  # another process was quicker
        _refuse_newer(engine, found)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def current(connection: sa.Connection) -> str | None:
    """The revision of a store, None of an empty database."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


@cache
def head() -> str:
    """The revision of this code."""
    return _script().get_current_head() or ""


def _refuse_newer(engine: sa.Engine, found: str | None) -> None:
    if found is not None and found not in {script.revision for script in _script().walk_revisions()}:
        raise BadData(
            f"{shown(engine.url)} was written by a newer ionscout (revision {found}, this one knows {head()}); "
            "update ionscout or give another store."
        )


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
