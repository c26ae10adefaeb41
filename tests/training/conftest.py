"""What several training tests need: a home of their own, and one small Ray cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ionscout.datasets.settings import settings


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Path]:
    """A home folder of its own, so that no test writes to the real record."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IONSCOUT_HOME", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        settings.cache_clear()
        yield folder
    settings.cache_clear()


@pytest.fixture(scope="session")
def cluster() -> Iterator:
    """The Ray engine with two workers on this machine."""
    from ionscout.training.ray_engine import RayEngine

    with RayEngine(2) as running:
        yield running
