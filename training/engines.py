"""Where fits run: here, in processes of this machine, or as tasks of a Ray cluster. The results are the same bits."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any, Literal, Protocol, TypeVar

import torch
from threadpoolctl import threadpool_limits

from ionscout.datasets.errors import IonscoutError

Result = TypeVar("Result")
EngineName = Literal["local", "ray"]


class FitStopped(IonscoutError):
    title = "Fit stopped"
    http_status = 503


class Engine(Protocol):
    """Runs functions of this package; `workers` of them side by side.

    Futures raise what the function raised, or FitStopped when a worker was lost.
    """

    workers: int

    def share(self, value: Any) -> Any:
        """Hand over a value once that many tasks read (none may change it); what comes back stands for it."""

    def submit(self, function: Callable[..., Result], shared: Any, *arguments: Any) -> "Future[Result]":
        """Call `function(value, *arguments)` as soon as a worker is free."""


@contextmanager
def open_engine(name: EngineName, workers: int | None, address: str | None = None) -> Iterator[Engine]:
    """An engine for a while.

    A GPU is not shared out between local processes: there the fits follow each other in this one.

    Args:
        workers: fits side by side; None: one a core.
        address: of a Ray cluster, as `ray.init` takes it; None starts one on this machine.

    Raises:
        DataUnavailable: Ray is not installed, or no cluster answers.
    """
    if name == "ray":
        from ionscout.training.ray_engine import RayEngine

        with RayEngine(workers, address) as cluster:
            yield cluster
    elif workers == 1 or torch.cuda.is_available():
        yield Here()
    else:
        with Processes(workers or multiprocessing.cpu_count()) as processes:
            yield processes


class Here:
    """Runs everything in this process, at once."""

    workers = 1

    def share(self, value: Any) -> Any:
        return value

    def submit(self, function: Callable[..., Result], shared: Any, *arguments: Any) -> "Future[Result]":
        future: Future[Result] = Future()
        try:
            with one_thread():
                future.set_result(function(shared, *arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes:
    """Runs functions in processes of one thread each, spawned so that no lock or thread is copied."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        context = multiprocessing.get_context("spawn")
        self._alive, self._end = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(self._alive,))

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:  # Ctrl-C, or an error: nobody will use what the workers are at
            self._end.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._end.close()
        self._alive.close()

    def share(self, value: Any) -> bytes:
        # As bytes: torch would hand every tensor over through a file descriptor of its own and run out of them.
        return pickle.dumps(value)

    def submit(self, function: Callable[..., Result], shared: bytes, *arguments: Any) -> "Future[Result]":
        return unpacked(self._pool.submit(call, function, shared, *arguments))


def call(function: Callable, shared: bytes, *arguments: Any) -> bytes:
    """What runs in a worker."""
    with one_thread():
        return pickle.dumps(function(_value(shared), *arguments))


@contextmanager
def one_thread() -> Iterator[None]:
    """Tasks share the cores; and the order of a sum, so its last bits, depends on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=8)  # tasks come back to the same few values: the folds of a search
def _value(shared: bytes) -> Any:
    return pickle.loads(shared)


def unpacked(
    packed: "Future[bytes]", cause: Callable[[BaseException], BaseException] = lambda error: error
) -> "Future[Any]":
    """The future of what `call` returns; `cause` finds out what an error was."""
    future: Future[Any] = Future()

    def hand_over(done: "Future[bytes]") -> None:
        if done.cancelled():
            future.cancel()
            return
        error = done.exception()
        if isinstance(error, BrokenProcessPool):
            error = FitStopped("A worker was ended from outside (out of memory?); run the same command again.")
        if error is not None:
            future.set_exception(cause(error))
        else:
            future.set_result(pickle.loads(done.result()))

    packed.add_done_callback(hand_over)
    return future


def _start(alive: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()


def _end_with_parent(alive: Connection) -> None:
    """Leave when the parent closes its end of a pipe or is killed, which closes it too; else a worker would finish a
    fit that nobody waits for, and then wait for ever on a queue that all workers hold open."""
    with suppress(EOFError, OSError):
        alive.recv()
    os._exit(1)
