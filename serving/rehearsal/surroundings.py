"""A home for a rehearsal: its own record, observations and state, so that nothing of the user's is read or changed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ionscout.datasets.settings import settings

ADDRESS = "models:/conductivity@champion"


@contextlib.contextmanager
def own_home(folder: Path, tables: bool) -> Iterator[None]:
    """Environment and settings of this process and its children until the block ends.

    Args:
        tables: False hides IONSCOUT_DATA_DIR, so that a rehearsal says the same on every machine.
    """
    changes: dict[str, str | None] = {
        "IONSCOUT_HOME": str(folder),
        "IONSCOUT_STORE": str(folder / "observations.sqlite"),
        "IONSCOUT_MODEL_URI": ADDRESS,
        "IONSCOUT_MODEL_POLL_SECONDS": "1",
        "MLFLOW_TRACKING_URI": None,
    }
    if not tables:
        changes["IONSCOUT_DATA_DIR"] = None
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    settings.cache_clear()
