"""One real server for all tests of a process that need one."""

import os
import tempfile
from collections.abc import Iterator

import pytest

# BentoML makes its home folder on import; no test may leave one in the user's home.
os.environ.setdefault("BENTOML_HOME", tempfile.mkdtemp(prefix="ionscout-tests-bentoml-"))
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


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
