"""The Ray engine: the same fits as tasks, on a cluster started here or on one at an address.

Nodes need ionscout as it is here and nothing else: data goes out with the tasks, results come back to this process,
which alone reads and writes files. A node with another version of ionscout or PyTorch is refused: it would give other
numbers.
"""

import logging
import os
import pickle
from collections.abc import Callable
from concurrent.futures import Future
from importlib import metadata
from typing import Any

from ionscout.datasets.errors import BadData, DataUnavailable, IonscoutError
from ionscout.training.engines import FitStopped, Result, call, unpacked

OBJECT_STORE = 256_000_000  # bytes, of a cluster started here: shards of a screen are up to 4 MB, folds of a search 16
VERSIONS = ("ionscout", "torch", "numpy")
TOLD = (IonscoutError, ArithmeticError, ValueError)  # raised by a task, these say themselves what is wrong


class RayEngine:
    """Runs functions in tasks of one core each.

    Args:
        workers: cores of a cluster started here; tasks to have under way on another one, None: one a core.
        address: of a cluster, as `ray.init` takes it; None starts one here and stops it afterwards.

    Raises:
        DataUnavailable: Ray is not installed, or no cluster answers at the address.
    """

    def __init__(self, workers: int | None, address: str | None = None) -> None:
        self.ray, self._started = connected(workers, address)
        self.workers = workers or int(self.ray.cluster_resources()["CPU"])
        # max_retries: of lost nodes; a function that raises is not tried again
        self._call = self.ray.remote(num_cpus=1, max_retries=3)(_call)
        self._versions = versions()

    def __enter__(self) -> "RayEngine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            self.ray.shutdown()

    def share(self, value: Any) -> Any:
        return self.ray.put(pickle.dumps(value))

    def submit(self, function: Callable[..., Result], shared: Any, *arguments: Any) -> "Future[Result]":
        return unpacked(self._call.remote(self._versions, function, shared, *arguments).future(), cause)


def versions() -> dict[str, str]:
    """Of what decides the bits of a fit."""
    return {name: metadata.version(name) for name in VERSIONS}


def require(expected: dict[str, str]) -> None:
    """Refuse to work where other versions are installed.

    Raises:
        BadData.
    """
    if (here := versions()) != expected:
        different = ", ".join(f"{name} {here[name]} instead of {expected[name]}" for name in VERSIONS
                              if here[name] != expected[name])  # fmt: skip
        raise BadData(f"A Ray node has {different}; install the same on every node.")


def cause(error: BaseException) -> BaseException:
    """What went wrong in a task; Ray hides it under errors of its own."""
    import ray

    if isinstance(error, ray.exceptions.RayTaskError):
        return error.cause if isinstance(error.cause, TOLD) else error
    return lost("task", error) if isinstance(error, ray.exceptions.RayError) else error


def lost(what: str, error: BaseException) -> FitStopped:
    """The cluster lost a part of the work."""
    return FitStopped(f"Ray lost a {what} ({type(error).__name__}); run the same command again.")


def _call(expected: dict[str, str], function: Callable, shared: bytes, *arguments: Any) -> bytes:
    require(expected)
    return call(function, shared, *arguments)


def connected(workers: int | None, address: str | None) -> tuple[Any, bool]:
    """Ray, connected to the cluster at an address or to one of so many cores that is started here; and whether this
    call connected it, so that the caller has to end it.

    Raises:
        DataUnavailable: Ray is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its own logs go to files; errors come as exceptions
    # Of a cluster started here: as the local engine has it. At Ray's 15 whatever else runs here takes the cores first.
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError:
        raise DataUnavailable("The Ray engine needs Ray; pip install 'ionscout[ray]'.") from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    if ray.is_initialized():
        return ray, False
    here: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
    try:
        ray.init(
            address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else here)
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DataUnavailable(f"No Ray cluster answers at {address or 'this machine'} ({error}).") from None
    return ray, True
