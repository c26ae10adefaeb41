"""One small Ray cluster for all tests of a process that need one."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def cluster() -> Iterator:
    """The Ray engine with two workers on this machine."""
    from ionscout.training.ray_engine import RayEngine

    with RayEngine(2) as running:
        yield running
