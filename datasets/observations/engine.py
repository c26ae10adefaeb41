"""Opens the database of a store: SQLite or PostgreSQL, durable, migrated, with errors a user can act on."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from platformdirs import user_data_dir
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError

from ionscout.datasets.errors import BadData, DataUnavailable, UnknownName
from ionscout.datasets.settings import settings

# A writer waits this long for the others. One write takes milliseconds, so only a stuck process makes it run out;
# shorter than the 60 s after which the service gives up by itself.
BUSY_SECONDS = 30.0
WRITE = "ionscout_write"  # execution option of a connection that is going to write


def default_store() -> str:
    """`IONSCOUT_STORE`, else a file in the user's data folder."""
    return settings().store or str(Path(user_data_dir("ionscout")) / "campaigns.sqlite")


def store_url(text: str) -> sa.URL:
    """The URL of a store given as such or as the path of a SQLite file.

    Raises:
        UnknownName: for a database other than SQLite or PostgreSQL, or without a file.
    """
    if "://" not in text:
        return sa.URL.create("sqlite", database=str(Path(text).expanduser().resolve()))
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise UnknownName("The store is not a database URL; give a file or postgresql+psycopg://…") from None
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UnknownName(f"A store cannot be a {backend} database; give a file or postgresql+psycopg://…")
    if not url.database or url.database == ":memory:":
        raise UnknownName("A store in memory would be lost; give a file, such as sqlite:///campaigns.sqlite.")
    return url.set(drivername="sqlite", database=str(Path(url.database).expanduser().resolve()))


def shown(url: sa.URL) -> str:
    """The URL without its password."""
    return url.render_as_string(hide_password=True)


def open_engine(url: sa.URL) -> sa.Engine:
    """Connect. What is committed survives the end of the process and a power cut.

    Raises:
        DataUnavailable: the folder cannot be made, or nothing answers.
    """
    if url.get_backend_name() == "postgresql":
        # A connection that the server dropped is replaced unseen. PostgreSQL commits synchronously by default.
        return sa.create_engine(url, pool_pre_ping=True, pool_size=8, connect_args={"connect_timeout": 10})
    try:
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataUnavailable(f"The folder of {url.database} cannot be made ({error.strerror}).") from None
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextlib.contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that only reads.

    Raises:
        DataUnavailable, BadData.
    """
    with spoken(engine.url), engine.begin() as connection:
        yield connection


@contextlib.contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that holds the write lock from its start; all of it is stored, or nothing.

    Raises:
        DataUnavailable, BadData.
    """
    with spoken(engine.url), engine.execution_options(**{WRITE: True}).begin() as connection:
        yield connection


@contextlib.contextmanager
def spoken(url: sa.URL) -> Iterator[None]:
    """Turn errors of the database into sentences.

    Raises:
        DataUnavailable: it cannot be reached, or was locked too long.
        BadData: it is no database of ours.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        reason = " ".join(str(error.orig).split())[:200]
        raise DataUnavailable(f"The observation store {shown(url)} does not answer ({reason}); try again.") from None
    except sa.exc.IntegrityError:
        raise
    except DatabaseError as error:
        reason = " ".join(str(error.orig).split())[:200]
        raise BadData(f"{shown(url)} is not an observation store ({reason}); give another file or database.") from None


def _prepare_sqlite(connection, record) -> None:  # type: ignore[no-untyped-def]  # of the driver
    connection.isolation_level = None  # the driver begins no transaction of its own: `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")  # every commit reaches the disk before it is acknowledged
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _switch_to_wal(cursor)
    cursor.close()


def _switch_to_wal(cursor) -> None:  # type: ignore[no-untyped-def]
    """Readers and the writer then do not wait for each other. SQLite's own waiting does not cover this switch."""
    import sqlite3

    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads before it writes would fail, not wait, when another one wrote in between.
    write = connection.get_execution_options().get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
