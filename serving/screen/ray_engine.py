"""The Ray engine: the same shards through Ray Data, on a cluster started here or on one at an address.

The caller reads the input and writes the results; a queue carries the shards into Ray Data as a stream, and a pool of
actors, each with its own model and hull, scores them. So nodes of a cluster need no access to the input, but ionscout
installed with the same model and hull: an actor that would answer from others refuses. The first message asks who
answers, so that no model is loaded but those of the actors.
"""

import contextlib
import json
import logging
import pickle
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ionscout.datasets.errors import IonscoutError
from ionscout.serving.screen.options import Identity, ScreenOptions, ScreenStopped
from ionscout.serving.screen.rows import Scored, Shard
from ionscout.training.ray_engine import connected

if TYPE_CHECKING:
    import pyarrow

ASK = b""  # in place of a shard: who answers?
IDENTITY = -1  # in place of a shard's number: the lines say who answers
REFUSED = -2  # the lines are the error, pickled: Ray hides what a task raises under errors of its own
AHEAD = 2  # shards per actor waiting in the queue


class ShardActor:
    """What runs in every actor: bytes of shards in, their lines out."""

    def __init__(self, options: ScreenOptions) -> None:
        from ionscout.serving.screen.score import Scorer

        self._scorer: Scorer | None = None
        try:  # here and not on the first shard, so that all actors load their models side by side
            self._scorer = Scorer(options)
        except IonscoutError as error:  # kept for the first call: Ray would try a failing constructor again and again
            self._error = error

    def __call__(self, table: "pyarrow.Table") -> "pyarrow.Table":
        import pyarrow

        answers = [self._answer(asked["shard"], asked["model"], asked["hull"]) for asked in table.to_pylist()]
        return pyarrow.table(dict(zip(("number", "rows", "lines"), zip(*answers, strict=True), strict=True)))

    def _answer(self, content: bytes, model: str, hull: str) -> tuple[int, int, bytes]:
        if self._scorer is None:
            return REFUSED, 0, pickle.dumps(self._error)
        if content == ASK:
            return IDENTITY, 0, json.dumps(asdict(self._scorer.identity)).encode()
        try:
            self._scorer.require(Identity(model, hull))
        except IonscoutError as error:
            return REFUSED, 0, pickle.dumps(error)
        shard = Shard.from_bytes(content)
        return shard.number, len(shard.rows), self._scorer.score(shard)


class RayEngine:
    """Scores shards in `workers` actors.

    Args:
        address: of a cluster, as `ray.init` takes it; None starts one here and stops it afterwards.

    Raises:
        DataUnavailable: Ray is not installed, or no cluster answers at the address.
    """

    def __init__(self, options: ScreenOptions, workers: int, address: str | None) -> None:
        self._ray, self._started = connected(workers, address)
        self.options, self.workers = options, workers
        self._open: _Pipeline | None = None
        logging.getLogger("ray.data").setLevel(logging.ERROR)

    def __enter__(self) -> "RayEngine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()
        if self._started:
            self._ray.shutdown()

    def identify(self) -> Identity:
        """Model and hull of the actor that is ready first; the same actors score afterwards.

        Raises:
            IonscoutError: they cannot be loaded.
        """
        with _causes(self._ray):
            if self._open is None:
                self._open = _Pipeline(self._ray, self.options, self.workers)
            self._open.queue.put(_block(ASK, Identity()))
            return Identity(**json.loads(next(self._open.answers)["lines"]))

    def score(self, shards: Iterable[Shard], expected: Identity) -> Scored:
        """Number, rows and lines of every shard, as they get ready.

        Raises:
            ScreenStopped: the cluster lost a task; BadData: an actor has another model.
        """
        with _causes(self._ray):
            pipeline = self._open or _Pipeline(self._ray, self.options, self.workers)
            self._open = None
            feeder = _Feeder(pipeline.queue, (_block(shard.to_bytes(), expected) for shard in shards))
            feeder.start()
            try:
                for answer in pipeline.answers:
                    yield answer["number"], answer["rows"], answer["lines"]
            finally:
                feeder.stop()
                pipeline.close()
        feeder.check()


class _Pipeline:
    """A queue, the actors that take shards out of it through Ray Data, and the stream of their answers."""

    def __init__(self, ray: Any, options: ScreenOptions, workers: int) -> None:
        from ray.data import ActorPoolStrategy, DataContext
        from ray.util.queue import Queue

        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = 1  # bytes: a block per shard, or one actor would get many at once
        self.queue = Queue(maxsize=AHEAD * workers, actor_options={"num_cpus": 0})
        source = ray.data.read_datasource(_queue_source(self.queue), override_num_blocks=1, num_cpus=0, concurrency=1)
        scored = source.map_batches(
            ShardActor,
            fn_constructor_args=(options,),
            batch_size=1,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=workers),
            num_cpus=1,
        )
        # Without prefetching: it holds every answer back until the next one is there, and a kill would cost one more.
        self._batches = iter(scored.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
        self.answers = self._read()

    def close(self) -> None:
        """Give the actors back."""
        self.answers.close()
        self._batches.close()
        self.queue.shutdown(force=True)

    def _read(self) -> Generator[dict[str, Any], None, None]:
        for batch in self._batches:
            for answer in batch.to_pylist():
                if answer["number"] == REFUSED:
                    raise pickle.loads(answer["lines"])
                yield answer


class _Feeder(threading.Thread):
    """Puts blocks of shards into the queue while Ray takes them out, then None."""

    def __init__(self, queue: Any, blocks: Iterable["pyarrow.Table"]) -> None:
        super().__init__(daemon=True)
        self._queue, self._blocks = queue, blocks
        self._error: Exception | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            for block in self._blocks:
                self._put(block)
                if self._stopped.is_set():
                    return
        except Exception as error:  # of the input; raised again where the caller is
            self._error = error
        with contextlib.suppress(Exception):
            self._put(None)

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=10)

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def _put(self, block: "pyarrow.Table | None") -> None:
        from ray.util.queue import Full

        while not self._stopped.is_set():
            with contextlib.suppress(Full):
                self._queue.put(block, timeout=1)
                return


def _queue_source(queue: Any) -> Any:
    """A Ray data source that reads blocks from a queue until None comes."""
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    def blocks() -> Iterator[Any]:
        while (block := queue.get()) is not None:
            yield block

    class QueueSource(Datasource):
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
            metadata = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(blocks, metadata)]

    return QueueSource()


def _block(content: bytes, expected: Identity) -> "pyarrow.Table":
    """One message to an actor: a shard (or `ASK`), and the model and the hull that have to answer."""
    import pyarrow

    return pyarrow.table({"shard": [content], "model": [expected.model], "hull": [expected.hull]})


@contextlib.contextmanager
def _causes(ray: Any) -> Iterator[None]:
    """Errors of tasks as what they were; a lost task as one sentence."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, IonscoutError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise ScreenStopped(
            f"Ray lost a task ({type(error).__name__}); run the same command again: finished shards are kept."
        ) from None
