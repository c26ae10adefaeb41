"""Locks between processes of one machine; the kernel frees that of a process that was killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ionscout.datasets.errors import IonscoutError


@contextmanager
def held(path: Path, busy: IonscoutError, seconds: float = 0.0, again: bool = False) -> Iterator[None]:
    """Hold a lock file, whose folder is made.

    Args:
        busy: raised when another has held it for so many `seconds`.
        again: whether who holds it may ask for it again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=seconds, is_singleton=again)
    try:
        lock.acquire()
    except Timeout:
        raise busy from None
    try:
        yield
    finally:
        lock.release()
