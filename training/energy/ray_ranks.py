"""Data-parallel fits by Ray Train: a worker a rank, on any node of a cluster; files and record stay with the caller."""

import pickle
import tempfile
import threading
import time
from typing import Any

import torch
from torch import Tensor

from ionscout.datasets.errors import BadData
from ionscout.training.energy.descent import Descended, Recorder, Work, descend
from ionscout.training.energy.ranks import Group
from ionscout.training.ray_engine import TOLD, RayEngine, lost, require, versions

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
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
        from ray.util.queue import Empty, Queue

        ray, count = self._engine.ray, self._engine.workers
        if work.config.batch < count:
            raise BadData(f"{count} workers cannot share a batch of {work.config.batch}; set batch or --workers.")
        there = ray.cluster_resources()
        cores, gpus = max(1, int(there["CPU"]) // count), int(there.get("GPU", 0)) >= count
        queue = Queue(actor_options={"num_cpus": 0})
        told = {"versions": versions(), "work": ray.put(pickle.dumps(work)), "cores": cores, "queue": queue}
        with tempfile.TemporaryDirectory(prefix="ionscout-ranks-") as folder:
            trainer = TorchTrainer(
                _rank,
                train_loop_config=told,
                torch_config=TorchConfig(timeout_s=_ALL_JOINED),
                scaling_config=ScalingConfig(num_workers=count, use_gpu=gpus, resources_per_worker={"CPU": cores}),
                # Ray Train keeps checkpoints where every node can write; here the caller keeps them, so it gets none.
                run_config=RunConfig(storage_path=folder),
            )
            fit = _Fit(trainer)
            try:
                done = None
                while fit.is_alive() or not queue.empty():
                    try:
                        name, arguments = queue.get(timeout=_TELL_EVERY)
                    except Empty:
                        continue
                    if name == "done":
                        done = pickle.loads(*arguments)
                    else:
                        getattr(record, name)(*arguments)
            finally:
                queue.shutdown()  # ends the ranks, too, if the caller stops listening
                fit.join()
        if fit.error is not None:
            raise fit.error
        assert done is not None
        return done


class _Fit(threading.Thread):
    """Waits for a trainer, and keeps why it failed."""

    def __init__(self, trainer: Any) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None
        self._trainer = trainer
        self.start()

    def run(self) -> None:
        from ray.train import TrainingFailedError

        try:
            self._trainer.fit()
        except TrainingFailedError as error:
            self.error = _cause(error)


def _cause(error: Any) -> BaseException:
    """What went wrong in a rank; the others then only miss it."""
    failures = [getattr(e, "_base_exc", e) for e in getattr(error, "worker_failures", {}).values()]
    said = next((found for found in failures if isinstance(found, TOLD)), None)
    return said or lost("rank", failures[0] if failures else error)


def _rank(told: dict) -> None:
    """What runs in every worker, inside the process group that Ray Train opened."""
    import ray

    require(told["versions"])
    torch.set_num_threads(told["cores"])
    group, queue = Group(), told["queue"]
    done = descend(pickle.loads(ray.get(told["work"])), _Messages(queue), group)
    if group.first:
        queue.put(("done", (pickle.dumps(done),)))


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
