"""Data-parallel fits under Ray: an actor a rank, anywhere on the cluster; files and the record stay with the caller."""

import pickle
import socket
import time
from typing import Any

import torch
from torch import Tensor, distributed

from ionscout.datasets.errors import BadData
from ionscout.training.energy.descent import Descended, Recorder, Work, descend
from ionscout.training.energy.ranks import Group
from ionscout.training.engines import FitStopped
from ionscout.training.ray_engine import RayEngine, cause, require, versions

_TELL_EVERY = 0.5  # s; each message about progress is a call to another process
_ALL_JOINED = 600  # s; ranks on a busy cluster start one after the other


class RayRanks:
    """Does fits with `engine.workers` ranks, which share the cores (or GPUs) of its cluster evenly."""

    def __init__(self, engine: RayEngine) -> None:
        self._engine = engine

    def descend(self, work: Work, record: Recorder) -> Descended:
        """As `descent.descend`.

        Raises:
            BadData: the batch is too small to be shared out; FitStopped: a rank was lost, a checkpoint is kept.
        """
        from ray.util.queue import Empty, Queue

        ray, count = self._engine.ray, self._engine.workers
        if work.config.batch < count:
            raise BadData(f"{count} workers cannot share a batch of {work.config.batch}; set batch or --workers.")
        there = ray.cluster_resources()
        cores, gpus = max(1, int(there["CPU"]) // count), int(there.get("GPU", 0)) // count
        actor = ray.remote(num_cpus=cores, num_gpus=min(gpus, 1))(_Rank)
        ranks = [actor.remote(versions(), cores) for _ in range(count)]
        queue = Queue(actor_options={"num_cpus": 0})
        try:
            address = ray.get(ranks[0].address.remote())
            shared = ray.put(pickle.dumps(work))
            waiting = [rank.fit.remote(shared, k, count, address, queue) for k, rank in enumerate(ranks)]
            first = waiting[0]
            while waiting:
                ended, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=0)
                ray.get(ended)  # raises as soon as any rank fails: the others would wait for it
                try:
                    name, arguments = queue.get(timeout=_TELL_EVERY)
                    getattr(record, name)(*arguments)
                except Empty:
                    pass
            while not queue.empty():
                name, arguments = queue.get()
                getattr(record, name)(*arguments)
            return pickle.loads(ray.get(first))
        except ray.exceptions.RayError as error:
            found = cause(error)
            raise (FitStopped(f"{found}") if isinstance(found, FitStopped) else found) from None
        finally:
            for rank in ranks:
                ray.kill(rank)
            queue.shutdown()


class _Rank:
    """What runs in an actor."""

    def __init__(self, expected: dict[str, str], cores: int) -> None:
        self._expected = expected
        torch.set_num_threads(cores)

    def address(self) -> str:
        """Where the ranks meet: a free port of this node."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            return f"tcp://{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"

    def fit(self, shared: bytes, number: int, count: int, address: str, queue: Any) -> bytes | None:
        from datetime import timedelta

        require(self._expected)
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(
            backend, address, rank=number, world_size=count, timeout=timedelta(seconds=_ALL_JOINED)
        )
        try:
            done = descend(pickle.loads(shared), _Messages(queue), Group())
        finally:
            distributed.destroy_process_group()
        return pickle.dumps(done) if number == 0 else None


class _Messages:
    """A recorder that tells the caller's one."""

    def __init__(self, queue: Any) -> None:
        self._queue, self._told = queue, 0.0

    def step(self, progress: float) -> None:
        if time.monotonic() - self._told > _TELL_EVERY:
            self._told = time.monotonic()
            self._queue.put(("step", (progress,)))

    def epoch(self, number: int, step: int, progress: float, error: float) -> None:
        self._queue.put(("epoch", (number, step, progress, error)))

    def keep(self, tensors: dict[str, Tensor]) -> None:
        self._queue.put(("keep", (tensors,)))
