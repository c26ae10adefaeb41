"""The local engine: one process per core, each with its own model and hull."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING

from ionscout.serving.screen.options import Identity, ScreenOptions, ScreenStopped
from ionscout.serving.screen.rows import Scored, Shard

if TYPE_CHECKING:  # imports torch
    from ionscout.serving.screen.score import Scorer

# Shards sent ahead per worker: with one, a worker would wait for the parent to read the next.
AHEAD = 2
# numpy and torch would start a thread per core in every process, and they would fight for the cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

_options: ScreenOptions | None = None
_scorer: "Scorer | None" = None


class LocalEngine:
    """Scores shards in `workers` processes (spawned, so that no lock or thread of this process is copied)."""

    def __init__(self, options: ScreenOptions, workers: int) -> None:
        self.options = options
        self.workers = workers
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        with _environment(ONE_THREAD):  # read by the children when they start, on the first task
            self._pool = ProcessPoolExecutor(
                workers, mp_context=context, initializer=_start, initargs=(options, self._stop)
            )

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:  # Ctrl-C, or an error: nobody will use what the workers are at
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def identify(self) -> Identity:
        """Model and hull of a worker.

        Raises:
            IonscoutError: they cannot be loaded.
        """
        with _environment(ONE_THREAD), _broken():
            # All workers start on it at once: they load their models side by side, not one after the other.
            found = [self._pool.submit(_identify) for _ in range(self.workers)]
            return found[0].result()

    def score(self, shards: Iterable[Shard], expected: Identity) -> Scored:
        """Number, rows and lines of every shard, as they get ready; few are in memory at any time.

        Raises:
            ScreenStopped: a worker was ended from outside; BadData: a worker has another model.
        """
        running: dict[Future[bytes], Shard] = {}
        waiting = iter(shards)
        with _environment(ONE_THREAD), _broken():
            while True:
                while len(running) < AHEAD * self.workers and (shard := next(waiting, None)) is not None:
                    running[self._pool.submit(_score, shard, expected)] = shard
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda found: running[found].number):
                    shard = running.pop(future)
                    yield shard.number, len(shard.rows), future.result()


def _start(options: ScreenOptions, stop: Event) -> None:
    global _options
    _options = options
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(target=_end_when_told, args=(stop,), daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot end its workers, and they would wait for ever on a queue that all of them hold open."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end_when_told(stop: Event) -> None:
    stop.wait()
    os._exit(1)


def _identify() -> Identity:
    return _loaded().identity


def _score(shard: Shard, expected: Identity) -> bytes:
    scorer = _loaded()
    scorer.require(expected)  # whoever promotes a model in the middle of a screen does not mix two in one file
    return scorer.score(shard)


def _loaded() -> "Scorer":
    """The scorer of this process, made on the first task so that its errors reach the parent as they are."""
    global _scorer
    if _scorer is None:
        from ionscout.serving.screen.score import Scorer

        assert _options is not None
        _scorer = Scorer(_options)
    return _scorer


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise ScreenStopped(
            "A worker process was ended from outside, perhaps for lack of memory; "
            "run the same command again, with fewer --workers: finished shards are kept."
        ) from None


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables of the environment, set for children that start meanwhile and put back afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
