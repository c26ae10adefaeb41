"""One real server for all tests of a process that need one."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest


def _folder(purpose: str) -> str:
    """A folder that is gone when this process ends."""
    path = tempfile.mkdtemp(prefix=f"ionscout-tests-{purpose}-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


# BentoML makes its home folder on import; no test may leave one in the user's home.
if "BENTOML_HOME" not in os.environ:
    os.environ["BENTOML_HOME"] = _folder("bentoml")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Nor may one write into the user's own observations.
os.environ["IONSCOUT_STORE"] = os.path.join(_folder("store"), "campaigns.sqlite")


@pytest.fixture(scope="session")
def server() -> Iterator:
    """The service under `bentoml serve` on a free loopback port; `.url`, `.log`, `.process`."""
    from ionscout.serving.launch import ServiceFailed, running_server

    try:
        with running_server() as running:
            yield running
    except ServiceFailed as error:
        pytest.fail(f"{error}\n{error.log}", pytrace=False)


@pytest.fixture
def client(server) -> Iterator:
    """The Python client of that service."""
    from ionscout.serving.client import Client

    with Client(server.url) as connected:
        yield connected


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of this run's own."""
    from postgres_server import binaries, running_postgres

    if (folder := binaries()) is None:
        pytest.skip("no PostgreSQL server is installed (initdb and postgres)")
    with running_postgres(folder) as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """A URL of that PostgreSQL in which nobody else's tables are: a schema of its own, which is quicker made."""
    import uuid

    import sqlalchemy as sa

    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {name}"))
    engine.dispose()
    return f"{postgres}?options=-csearch_path%3D{name}"
