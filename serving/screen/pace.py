"""How fast one run of a screen is, with its start-up and without."""

import time


class Pace:
    """Rows and times of the shards that a run finishes; it starts when this is made.

    Args:
        workers: processes or actors.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.rows = self._shards = self._steady_rows = 0
        self._started = self._first = self._last = time.monotonic()

    def add(self, rows: int) -> None:
        """A shard is finished."""
        self.rows += rows
        self._shards += 1
        self._last = time.monotonic()
        # Workers that start together finish their first shards together: counted from the very first of these on, the
        # others would seem to have taken no time.
        if self._shards <= self.workers:
            self._first = self._last
        else:
            self._steady_rows += rows

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.monotonic() - self._started

    @property
    def steady(self) -> float | None:
        """Rows per second from the moment when as many shards as there are workers were finished to the last shard.

        None if there were no more shards.
        """
        seconds = self._last - self._first
        return self._steady_rows / seconds if self._steady_rows and seconds > 0 else None
